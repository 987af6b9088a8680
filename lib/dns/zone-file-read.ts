import { Failure } from '../failure';
import { readAnnotation } from './annotation';
import { quoted } from './invalid';
import { isInZone } from './name';
import { AUTO_TTL, type RecordFields } from './record';
import { splitEntries, type Entry } from './tokens';
import { readAnything, readTokens } from './value';

export interface ZoneFile {
  readonly records: readonly RecordFields[];
  /** The SOA's fields as they are written, where the file has one. */
  readonly soa?: string;
}

/** Reads any zone file of a zone: $ORIGIN and $TTL, names left out, parentheses, quotes, TTLs with units. */
export function readZoneFile(text: string, zone: string): ZoneFile {
  const split = splitEntries(text.replace(/^\uFEFF/u, ''));
  if ('problem' in split) throw lineFailure(zone, split.line, split.problem);
  const records: RecordFields[] = [];
  let soa: string | undefined;
  let origin = zone;
  let defaultTtl: number | undefined;
  let lastTtl: number | undefined;
  let lastName: string | undefined;

  for (const entry of split.entries) {
    const [first, ...rest] = entry.tokens;
    if (first === undefined) continue;
    if (first.startsWith('$')) {
      const argument = rest[0];
      if (argument === undefined) throw lineFailure(zone, entry.line, `${first} needs a value`);
      if (first.toUpperCase() === '$ORIGIN') origin = absolute(argument, origin);
      else if (first.toUpperCase() === '$TTL') defaultTtl = readTtl(argument) ?? badTtl(zone, entry, argument);
      else throw lineFailure(zone, entry.line, `${quoted(first)} cannot be followed here; write its records out`);
      continue;
    }
    const name: string | undefined = entry.indented ? lastName : absolute(first, origin);
    if (name === undefined) throw lineFailure(zone, entry.line, 'the first record has no name');
    lastName = name;
    const { ttl, type, rdata } = readFields(entry.indented ? entry.tokens : rest, zone, entry);
    lastTtl = ttl ?? lastTtl;
    if (!isInZone(name, zone)) throw lineFailure(zone, entry.line, `${name} is outside the zone ${zone}`);
    if (type === 'SOA') {
      soa = rdata.join(' ');
      continue;
    }
    records.push({
      name,
      value: readAnything(type, (known) => readTokens(known, rdata, `record ${name} ${type}`, origin), rdata.join(' ')),
      ttl: ttl ?? defaultTtl ?? lastTtl ?? AUTO_TTL,
      ...readAnnotation(entry.comment),
    });
  }
  return { records, ...(soa === undefined ? {} : { soa }) };
}

/** [TTL] [class] type data, or [class] [TTL] type data. */
function readFields(
  tokens: readonly string[],
  zone: string,
  entry: Entry,
): { readonly ttl?: number; readonly type: string; readonly rdata: readonly string[] } {
  let ttl: number | undefined;
  let position = 0;
  for (; position < 2; position++) {
    const token = tokens[position] ?? '';
    const seconds = readTtl(token);
    if (seconds !== undefined && ttl === undefined) ttl = seconds;
    else if (/^(?:CH|HS|CS)$/iu.test(token)) throw lineFailure(zone, entry.line, `the class ${token} is not Internet`);
    else if (!/^IN$/iu.test(token)) break;
  }
  const type = tokens[position]?.toUpperCase();
  if (type === undefined || !/^[A-Z][A-Z0-9-]*$/u.test(type)) {
    throw lineFailure(zone, entry.line, `${quoted(tokens.join(' '))} has no record type`);
  }
  return { type, rdata: tokens.slice(position + 1), ...(ttl === undefined ? {} : { ttl }) };
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** `3600` or `1h30m`. */
function readTtl(token: string): number | undefined {
  if (/^[0-9]{1,10}$/u.test(token)) return Number(token);
  if (!/^(?:[0-9]{1,10}[smhdw])+$/iu.test(token)) return undefined;
  return [...token.toLowerCase().matchAll(/([0-9]+)([smhdw])/gu)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0),
    0,
  );
}

function absolute(name: string, origin: string): string {
  if (name === '@') return origin;
  const lower = name.toLowerCase();
  if (lower.endsWith('.')) return lower === '.' ? '.' : lower.slice(0, -1);
  return origin === '.' ? lower : `${lower}.${origin}`;
}

function badTtl(zone: string, { line }: Entry, token: string): never {
  throw lineFailure(zone, line, `${quoted(token)} is no TTL`);
}

function lineFailure(zone: string, line: number, problem: string): Failure {
  return new Failure({
    code: 'zone_file_invalid',
    subject: `zone file of ${zone}, line ${line}`,
    message: `Line ${line} of the zone file of ${zone} cannot be read: ${problem}`,
    nextStep: 'Correct the line; nothing was sent.',
    details: { zone, line },
  });
}
