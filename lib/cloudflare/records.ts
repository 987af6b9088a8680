import { isFailure } from '../failure';
import { path, type Query } from '../http/path';
import type { Json, JsonObject } from '../json';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';

export interface CloudflareRecord {
  readonly id: string;
  /** Absolute, without a dot at the end. */
  readonly name: string;
  readonly type: string;
  readonly content: string;
  /** The fields of a structured type. */
  readonly data?: JsonObject;
  readonly priority?: number;
  /** Seconds; 1 is automatic. */
  readonly ttl: number;
  readonly proxied: boolean;
  /** Empty when there is none. */
  readonly comment: string;
  readonly tags: readonly string[];
  readonly settings: JsonObject;
}

/**
 * A record as it is sent. Structured types carry `data`, the others `content`. Name, type and TTL are always sent:
 * Cloudflare's description wants them even in a PATCH.
 */
export interface RecordBody {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly content?: string;
  readonly data?: JsonObject;
  readonly priority?: number;
  readonly proxied?: boolean;
  /** An empty one takes the comment away. */
  readonly comment?: string;
  readonly tags?: readonly string[];
  readonly settings?: JsonObject;
}

export type Identified<Body> = Body & { readonly id: string };

/** How a text is searched for: `{ contains: 'mail' }`. */
export interface TextFilter {
  readonly exact?: string;
  readonly contains?: string;
  readonly startsWith?: string;
  readonly endsWith?: string;
}

export interface PresenceFilter extends TextFilter {
  readonly present?: boolean;
}

export interface RecordFilter {
  readonly type?: string;
  readonly name?: TextFilter;
  readonly content?: TextFilter;
  readonly comment?: PresenceFilter;
  readonly tag?: TextFilter & { readonly present?: string; readonly absent?: string };
  readonly proxied?: boolean;
  /** Anywhere: name, content, comment, tags. */
  readonly search?: string;
  readonly match?: 'any' | 'all';
  readonly tagMatch?: 'any' | 'all';
  readonly order?: 'type' | 'name' | 'content' | 'ttl' | 'proxied';
  readonly direction?: 'asc' | 'desc';
  readonly limit?: number;
}

export function listRecords(
  api: CloudflareApi,
  zone: string,
  filter: RecordFilter,
  task: Task,
): Promise<readonly CloudflareRecord[]> {
  return api.list(
    {
      path: path('/zones/{zone}/dns_records', { zone }),
      query: queryOf(filter),
      // No plan has more records than fit into one page, and one page is one moment of the zone.
      pageSize: 5000,
      parse: parseRecord,
      ...(filter.limit !== undefined && { limit: filter.limit }),
    },
    task,
  );
}

export function getRecord(api: CloudflareApi, zone: string, id: string, task: Task): Promise<CloudflareRecord> {
  return api.ask({ method: 'GET', path: recordPath(zone, id) }, parseRecord, task);
}

/** Not repeated when its answer is lost: the failure is `outcome_unknown` then. */
export function createRecord(
  api: CloudflareApi,
  zone: string,
  record: RecordBody,
  task: Task,
): Promise<CloudflareRecord> {
  const at = path('/zones/{zone}/dns_records', { zone });
  return api.ask({ method: 'POST', path: at, body: { json: jsonOf(record) } }, parseRecord, task);
}

/** Changes the given fields and keeps the others. */
export function patchRecord(
  api: CloudflareApi,
  zone: string,
  { id, ...record }: Identified<RecordBody>,
  task: Task,
): Promise<CloudflareRecord> {
  // Says what the record is to be, not by how much it changes, so sending it twice does no harm.
  const request = {
    method: 'PATCH',
    path: recordPath(zone, id),
    body: { json: jsonOf(record) },
    idempotent: true,
  } as const;
  return api.ask(request, parseRecord, task);
}

/** Replaces the whole record: what is not given falls back to its standard. */
export function putRecord(
  api: CloudflareApi,
  zone: string,
  { id, ...record }: Identified<RecordBody>,
  task: Task,
): Promise<CloudflareRecord> {
  return api.ask({ method: 'PUT', path: recordPath(zone, id), body: { json: jsonOf(record) } }, parseRecord, task);
}

/** False when it was gone already. */
export async function deleteRecord(api: CloudflareApi, zone: string, id: string, task: Task): Promise<boolean> {
  try {
    await api.ask({ method: 'DELETE', path: recordPath(zone, id) }, () => undefined, task);
    return true;
  } catch (error) {
    if (!isFailure(error, 'record_not_found')) throw error;
    // Repeated after a lost answer, it finds its own work.
    return Number(error.details['attempts']) > 1;
  }
}

export interface Batch {
  readonly deletes: readonly string[];
  readonly patches: readonly Identified<RecordBody>[];
  readonly puts: readonly Identified<RecordBody>[];
  readonly posts: readonly RecordBody[];
}

export interface BatchResult {
  readonly deleted: readonly CloudflareRecord[];
  readonly patched: readonly CloudflareRecord[];
  readonly put: readonly CloudflareRecord[];
  readonly posted: readonly CloudflareRecord[];
}

/** How many operations one batch takes. */
export function batchLimit(plan: string): number {
  return ['pro', 'business', 'enterprise'].includes(plan) ? 3500 : 200;
}

/** One transaction: deletes, patches, puts, posts, in this order, all or nothing. Never repeated by itself. */
export function batchRecords(api: CloudflareApi, zone: string, batch: Batch, task: Task): Promise<BatchResult> {
  const body = {
    ...(batch.deletes.length > 0 && { deletes: batch.deletes.map((id) => ({ id })) }),
    ...(batch.patches.length > 0 && { patches: batch.patches.map(jsonOf) }),
    ...(batch.puts.length > 0 && { puts: batch.puts.map(jsonOf) }),
    ...(batch.posts.length > 0 && { posts: batch.posts.map(jsonOf) }),
  };
  return api.ask(
    { method: 'POST', path: path('/zones/{zone}/dns_records/batch', { zone }), body: { json: body } },
    (value) => {
      const result = Fields.of(value, 'the result of a batch');
      const records = (name: string) => result.list(name).map(parseRecord);
      return {
        deleted: records('deletes'),
        patched: records('patches'),
        put: records('puts'),
        posted: records('posts'),
      };
    },
    task,
  );
}

export function parseRecord(value: unknown): CloudflareRecord {
  const record = Fields.of(value, 'a DNS record');
  const data = record.optionalJson('data');
  const priority = record.optionalNumber('priority');
  return {
    id: record.text('id'),
    name: record.text('name'),
    type: record.text('type'),
    content: record.optionalText('content') ?? '',
    ...(data !== undefined && { data }),
    ...(priority !== undefined && { priority }),
    ttl: record.number('ttl'),
    proxied: record.optionalSwitch('proxied') ?? false,
    comment: record.optionalText('comment') ?? '',
    tags: record.texts('tags'),
    settings: record.optionalJson('settings') ?? {},
  };
}

function recordPath(zone: string, record: string) {
  return path('/zones/{zone}/dns_records/{record}', { zone, record });
}

/** What is undefined is left out. */
export function jsonOf(record: RecordBody | Identified<RecordBody>): JsonObject {
  return Object.fromEntries(Object.entries(record).filter((field): field is [string, Json] => field[1] !== undefined));
}

function queryOf(filter: RecordFilter): Query {
  const { type, name, content, comment, tag, proxied, search, match, tagMatch, order, direction } = filter;
  const presence = comment?.present;
  return {
    type,
    ...textQuery('name', name),
    ...textQuery('content', content),
    ...textQuery('comment', comment),
    ...(presence !== undefined && { [`comment.${presence ? 'present' : 'absent'}`]: 'true' }),
    ...textQuery('tag', tag),
    'tag.present': tag?.present,
    'tag.absent': tag?.absent,
    proxied,
    search,
    match,
    tag_match: tagMatch,
    order,
    direction,
  };
}

function textQuery(field: string, { exact, contains, startsWith, endsWith }: TextFilter = {}): Query {
  return {
    [`${field}.exact`]: exact,
    [`${field}.contains`]: contains,
    [`${field}.startswith`]: startsWith,
    [`${field}.endswith`]: endsWith,
  };
}
