import { isFailure } from '../failure';
import { isObject } from '../json';
import { writeText } from './character-string';
import { invalid, quoted } from './invalid';
import { tokensOf, type Kind, type Tokens } from './kinds';
import { isRecordType, LAYOUTS, RECORD_TYPES, type DataOf, type RecordType } from './layouts';
import { splitEntries } from './tokens';

/** What a record says, by type. */
export type KnownValue = { readonly [T in RecordType]: { readonly type: T; readonly data: DataOf<T> } }[RecordType];

/** A record that we can list, keep and export, but not make or read: a type or a form of data unknown to us. */
export interface OtherValue {
  readonly type: 'other';
  readonly data: { readonly rrtype: string; readonly rdata: string };
}

export type RecordValue = KnownValue | OtherValue;

export function typeOf(value: RecordValue): string {
  return value.type === 'other' ? value.data.rrtype : value.type;
}

/** `MX`, also when it was typed in lower case. */
export function parseType(input: unknown, record: string): RecordType {
  const type = typeof input === 'string' ? input.trim().toUpperCase() : '';
  if (isRecordType(type)) return type;
  throw invalid({ record, field: 'type' }, `is ${quoted(input)}`, `Use one of ${RECORD_TYPES.join(', ')}.`);
}

/** The structured form: `{priority: 10, target: "mail.kua.cl"}`. Fields may be written in snake case as well. */
export function parseData(type: RecordType, input: unknown, record: string, zone: string): KnownValue {
  if (!isObject(input)) throw invalid({ record, field: 'data' }, 'is missing or is no object');
  const given = new Map(Object.entries(input).map(([name, value]) => [camelCase(name), value]));
  const fields = layoutOf(type);
  for (const name of given.keys()) {
    if (!fields.some(([field]) => field === name)) {
      throw invalid({ record, field: name }, 'is no field of its type', `Its fields are ${fieldNames(type)}.`);
    }
  }
  const data = fields.map(([name, kind]): readonly [string, string | number] => {
    const place = { record, field: name };
    const value = given.get(name);
    if (value !== undefined && value !== null) return [name, kind.parse(value, place, zone)];
    if (kind.absent === undefined) throw invalid(place, 'is missing', `Its fields are ${fieldNames(type)}.`);
    return [name, kind.absent];
  });
  return assembled(type, data);
}

/**
 * The short form: what APIs and people call content. TXT may be plain text or quoted strings; MX and URI may have their
 * priority beside it; names are absolute without a trailing dot too.
 */
export function parseContent(
  type: RecordType,
  content: string,
  record: string,
  zone: string,
  priority?: number,
): KnownValue {
  const trimmed = content.trim();
  const tokens = tokensIn(trimmed).map((token) => (token === '@' ? `${zone}.` : token));
  if (type === 'TXT' && (!trimmed.startsWith('"') || tokens.length === 0)) return { type, data: { text: content } };
  if (tokens.length === 0) throw invalid({ record, field: 'content' }, 'is empty or has a quote that does not end');
  const beside = priority !== undefined && (type === 'MX' || type === 'URI' || type === 'SRV');
  return readTokens(type, beside ? [String(priority), ...tokens] : tokens, record, '.');
}

/** The zone-file form; names without a trailing dot are below `origin`. */
export function readRdata(type: RecordType, rdata: string, record: string, origin: string): KnownValue {
  return readTokens(type, tokensIn(rdata), record, origin);
}

export function readTokens(type: RecordType, list: readonly string[], record: string, origin: string): KnownValue {
  const tokens: Tokens = tokensOf(list, origin);
  const data = layoutOf(type).map(
    ([name, kind]) => [name, kind.read(tokens, { record, field: name }, origin)] as const,
  );
  const left = tokens.rest();
  if (left.length > 0) throw invalid({ record, field: 'content' }, `has too much in it: ${quoted(left.join(' '))}`);
  return assembled(type, data);
}

/** What an API or a zone file holds; never refused, because what is there is there. */
export function readAnything(rrtype: string, read: (type: RecordType) => KnownValue, rdata: string): RecordValue {
  const type = rrtype.toUpperCase();
  if (isRecordType(type)) {
    try {
      return read(type);
    } catch (error) {
      if (!isFailure(error)) throw error;
    }
  }
  return { type: 'other', data: { rrtype: type, rdata: opaque(rdata) } };
}

/** Data that we do not understand, in one line that a zone file can hold. */
function opaque(rdata: string): string {
  const split = splitEntries(rdata.replaceAll(/\s*\n\s*/gu, ' '));
  const entry = 'entries' in split ? split.entries[0] : undefined;
  return entry === undefined || entry.comment !== '' ? writeText(rdata) : entry.tokens.join(' ');
}

/** The zone-file form, the same text for every way of writing the same value: what records are compared by. */
export function writeRdata(value: RecordValue): string {
  if (value.type === 'other') return value.data.rdata;
  const data = value.data as Readonly<Record<string, string | number>>;
  return layoutOf(value.type)
    .map(([name, kind]) => kind.write(data[name] ?? ''))
    .filter((text) => text !== '')
    .join(' ');
}

export function sameValue(a: RecordValue, b: RecordValue): boolean {
  return typeOf(a) === typeOf(b) && writeRdata(a) === writeRdata(b);
}

/** The data with the field names that Cloudflare's API has: `key_tag`. */
export function snakeCaseData(value: KnownValue): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(value.data as Readonly<Record<string, string | number>>).map(([name, field]) => [
      name.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`),
      field,
    ]),
  );
}

/** The layout says which kind made each field, so the pairs are the data of the type. */
function assembled(type: RecordType, fields: readonly (readonly [string, string | number])[]): KnownValue {
  return { type, data: Object.fromEntries(fields) } as unknown as KnownValue;
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/gu, (_match, letter: string) => letter.toUpperCase());
}

/** A field's kind with its own type forgotten: the layout pairs each field with the kind that made its value. */
function layoutOf(type: RecordType): readonly (readonly [string, Kind<string | number>])[] {
  return Object.entries(LAYOUTS[type]) as unknown as readonly (readonly [string, Kind<string | number>])[];
}

function fieldNames(type: RecordType): string {
  return layoutOf(type)
    .map(([name]) => name)
    .join(', ');
}

function tokensIn(rdata: string): readonly string[] {
  const split = splitEntries(rdata.replaceAll(/\s*\n\s*/gu, ' '));
  return 'entries' in split ? (split.entries[0]?.tokens ?? []) : [];
}
