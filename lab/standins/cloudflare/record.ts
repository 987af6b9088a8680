import { isObject } from '../../../lib/json';
import { refuse, refuseValue } from './envelope';
import { contentOf, isHostname, isStructured, normalContent, types, withPriority } from './rdata';
import { quotas, type State, type StoredRecord, type Zone } from './state';

const proxiable = ['A', 'AAAA', 'CNAME'];

/** A record from what a request says of it. What is not said comes from `base`, or is the standard. */
export function recordFrom(state: State, zone: Zone, input: unknown, base?: StoredRecord): StoredRecord {
  if (!isObject(input)) refuseValue(9207, 'Request body is invalid.');
  const said = input;
  const asked = said['type'] ?? base?.type;
  const type = typeof asked === 'string' ? asked.toUpperCase() : '';
  if (!types.includes(type)) refuseValue(9002, 'DNS record type is invalid.');
  const name = fullName(zone, said['name'] ?? base?.name);
  const sameType = base?.type === type ? base : undefined;
  const priority = readPriority(type, said, sameType);
  const data = isStructured(type) ? readData(type, said['data'] ?? sameType?.data, priority) : undefined;
  const content = data !== undefined ? contentOf(type, data) : normalContent(type, readContent(said, sameType));
  const proxied = readSwitch(said['proxied'], base?.proxied ?? false);
  if (proxied && !proxiable.includes(type)) refuseValue(9004, 'This record type cannot be proxied.');
  const now = state.now();
  return {
    id: base?.id ?? state.newId(),
    name,
    type,
    content,
    data,
    priority: withPriority.includes(type) ? priority : undefined,
    ttl: proxied ? 1 : readTtl(zone, said['ttl'], base?.ttl ?? 1),
    proxied,
    comment: readComment(zone, 'comment' in said ? said['comment'] : base?.comment),
    tags: readTags(zone, 'tags' in said ? said['tags'] : base?.tags),
    settings: isObject(said['settings']) ? said['settings'] : (base?.settings ?? {}),
    created: base?.created ?? now,
    modified: now,
  };
}

/** Whether the record may stand beside the others. */
export function checkBeside(state: State, records: ReadonlyMap<string, StoredRecord>, record: StoredRecord): void {
  for (const other of records.values()) {
    if (other.id === record.id || other.name !== record.name) continue;
    if (other.type === record.type && other.content === record.content && other.priority === record.priority) {
      const sentence = state.identical === 81058 ? 'An identical record already exists.' : 'The record already exists.';
      refuse(400, state.identical, sentence);
    }
    const aliases = record.type === 'CNAME' && proxiable.includes(other.type);
    if (aliases) refuse(400, 81053, 'An A, AAAA, or CNAME record with that host already exists.');
    if (other.type === 'CNAME' && proxiable.includes(record.type)) {
      refuse(400, 81054, 'A CNAME record with that host already exists.');
    }
    if ((other.type === 'NS') !== (record.type === 'NS') && [other.type, record.type].includes('CNAME')) {
      refuse(400, 81056, 'NS records with that host already exist.');
    }
  }
}

/** As the API shows it. */
export function shown(zone: Zone, record: StoredRecord): Readonly<Record<string, unknown>> {
  const { id, name, type, content, data, priority, ttl, proxied, comment, tags, settings, created, modified } = record;
  return {
    id,
    name,
    type,
    content,
    ...(data !== undefined && { data }),
    ...(priority !== undefined && { priority }),
    proxiable: proxiable.includes(type) && !isPrivate(type, content),
    proxied,
    ttl,
    settings,
    meta: {},
    // The description makes an exception of this type: its comment is always there.
    ...((comment !== undefined || type === 'OPENPGPKEY') && { comment: comment ?? '' }),
    tags,
    created_on: created,
    modified_on: modified,
    ...(comment !== undefined && { comment_modified_on: modified }),
    ...(zone.plan !== 'free' && tags.length > 0 && { tags_modified_on: modified }),
  };
}

function isPrivate(type: string, content: string): boolean {
  return type === 'A' && /^(10\.|127\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(content);
}

function fullName(zone: Zone, input: unknown): string {
  if (typeof input !== 'string' || input === '') refuseValue(9000, 'DNS name is invalid.');
  const name = input.toLowerCase().replace(/\.$/, '');
  const full =
    name === '@' || name === zone.name ? zone.name : name.endsWith(`.${zone.name}`) ? name : `${name}.${zone.name}`;
  if (!isHostname(full)) refuseValue(9000, 'DNS name is invalid.');
  return full;
}

function readContent(said: Readonly<Record<string, unknown>>, base: StoredRecord | undefined): string {
  const content = said['content'] ?? base?.content;
  if (typeof content !== 'string') refuseValue(9207, 'Content is required.');
  return content.trim();
}

function readPriority(
  type: string,
  said: Readonly<Record<string, unknown>>,
  base: StoredRecord | undefined,
): number | undefined {
  if (!withPriority.includes(type)) return undefined;
  const inData = isObject(said['data']) ? said['data']['priority'] : undefined;
  const priority = said['priority'] ?? inData ?? base?.priority;
  if (typeof priority !== 'number' || !Number.isInteger(priority) || priority < 0 || priority > 65535) {
    refuseValue(9100, 'priority is a required field.');
  }
  return priority;
}

function readData(
  type: string,
  data: unknown,
  priority: number | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (!isObject(data)) refuseValue(9101, `data is a required field for a ${type} record.`);
  return type === 'SRV' ? { ...data, priority } : data;
}

function readSwitch(value: unknown, standard: boolean): boolean {
  if (value === undefined) return standard;
  if (typeof value !== 'boolean') refuseValue(9003, "Invalid 'proxied' value, must be a boolean.");
  return value;
}

function readTtl(zone: Zone, value: unknown, standard: number): number {
  const ttl = value ?? standard;
  const { leastTtl } = quotas[zone.plan];
  if (typeof ttl === 'number' && Number.isInteger(ttl) && (ttl === 1 || (ttl >= leastTtl && ttl <= 86_400))) return ttl;
  return refuseValue(9021, `Invalid TTL. Must be between ${leastTtl} and 86,400 seconds, or 1 for Automatic.`);
}

function readComment(zone: Zone, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') refuseValue(9301, 'Comment is invalid.');
  const { comment } = quotas[zone.plan];
  if (value.length > comment) refuseValue(9302, `DNS record comment is longer than ${comment} characters.`);
  return value;
}

function readTags(zone: Zone, value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.some((tag) => typeof tag !== 'string')) refuseValue(9303, 'Tags are invalid.');
  const tags = value as string[];
  const { tags: quota } = quotas[zone.plan];
  if (tags.length > quota) {
    refuseValue(9300, `DNS record has ${tags.length} tags, exceeding the quota of ${quota}.`);
  }
  return [...tags].sort();
}
