import type { Json, JsonObject } from '../json';
import { isObject } from '../json';
import { invalid, quoted, type Place } from './invalid';
import { ownerName } from './name';
import type { DesiredRecord } from './record';
import { parseContent, parseData, parseType, type KnownValue } from './value';

const FIELDS = ['name', 'type', 'content', 'data', 'priority', 'ttl', 'proxied', 'comment', 'tags', 'settings'];

/** The user's records, from an inventory or a workflow: a list of objects. */
export function parseDesiredRecords(input: unknown, zone: string): DesiredRecord[] {
  if (!Array.isArray(input)) {
    throw invalid({ record: `the records of ${zone}`, field: 'records' }, 'is no list', 'Give a list of records.');
  }
  return input.map((item, index) => parseDesiredRecord(item, zone, `record ${index + 1} of the list`));
}

/** `{name: "www", type: "A", content: "203.0.113.7"}`, or with `data` instead of content, and only the fields that matter. */
export function parseDesiredRecord(input: unknown, zone: string, position = 'the record'): DesiredRecord {
  if (!isObject(input)) throw invalid({ record: position, field: 'record' }, `is ${quoted(input)}, not an object`);
  for (const field of Object.keys(input)) {
    if (!FIELDS.includes(field)) {
      throw invalid({ record: position, field }, 'is unknown', `A record has the fields ${FIELDS.join(', ')}.`);
    }
  }
  if (typeof input.name !== 'string') throw invalid({ record: position, field: 'name' }, 'is missing');
  const name = ownerName(input.name, zone);
  const type = parseType(input.type, `record ${name}`);
  const record = `record ${name} ${type}`;
  const at = (field: string): Place => ({ record, field });
  return {
    name,
    value: parseValue(input, type, record, zone),
    ...(given(input.ttl) ? { ttl: parseTtl(input.ttl, at('ttl')) } : {}),
    ...(given(input.proxied) ? { proxied: parseSwitch(input.proxied, at('proxied')) } : {}),
    ...(given(input.comment) ? { comment: parseText(input.comment, at('comment')) } : {}),
    ...(given(input.tags) ? { tags: parseTags(input.tags, at('tags')) } : {}),
    ...(given(input.settings) ? { settings: parseSettings(input.settings, at('settings')) } : {}),
  };
}

function parseValue(
  { content, data, priority }: Record<string, unknown>,
  type: ReturnType<typeof parseType>,
  record: string,
  zone: string,
): KnownValue {
  if (given(content) === given(data)) {
    throw invalid({ record, field: 'content' }, given(content) ? 'stands beside data' : 'is missing, and so is data');
  }
  if (!given(content)) {
    if (!given(priority) || !isObject(data) || given(data.priority)) return parseData(type, data, record, zone);
    return parseData(type, { ...data, priority }, record, zone);
  }
  const text = parseText(content, { record, field: 'content' });
  if (!given(priority)) return parseContent(type, text, record, zone);
  const number = Number(priority);
  if (!Number.isInteger(number)) throw invalid({ record, field: 'priority' }, `is ${quoted(priority)}`);
  return parseContent(type, text, record, zone, number);
}

/** n8n hands over null for a field that was left empty. */
function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function parseTtl(input: unknown, place: Place): number {
  if (input === 'auto') return 1;
  const value = typeof input === 'string' && input.trim() !== '' ? Number(input) : input;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  throw invalid(place, `is ${quoted(input)}`, 'Give the TTL in seconds, or auto.');
}

function parseSwitch(input: unknown, place: Place): boolean {
  if (input === true || input === 'true') return true;
  if (input === false || input === 'false') return false;
  throw invalid(place, `is ${quoted(input)}, where true or false has to stand`);
}

function parseText(input: unknown, place: Place): string {
  if (typeof input === 'string') return input;
  throw invalid(place, `is ${quoted(input)}, where text has to stand`);
}

function parseTags(input: unknown, place: Place): string[] {
  if (Array.isArray(input) && input.every((tag): tag is string => typeof tag === 'string')) return [...input].sort();
  throw invalid(place, `is ${quoted(input)}, where a list of texts has to stand`);
}

function parseSettings(input: unknown, place: Place): JsonObject {
  if (isObject(input) && Object.values(input).every(isPlainValue)) return input as JsonObject;
  throw invalid(place, `is ${quoted(input)}, where an object of plain values has to stand`);
}

function isPlainValue(value: unknown): value is Json {
  return ['string', 'number', 'boolean'].includes(typeof value) || value === null;
}
