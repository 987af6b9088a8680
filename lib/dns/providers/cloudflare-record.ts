import type { CloudflareApi } from '../../cloudflare/api';
import {
  type Batch,
  batchLimit,
  type CloudflareRecord,
  createRecord,
  deleteRecord,
  getRecord,
  listRecords,
  patchRecord,
} from '../../cloudflare/records';
import type { CloudflareZone } from '../../cloudflare/zones';
import { Failure, isFailure } from '../../failure';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { differingFields } from '../change';
import { parseDesiredRecord } from '../desired';
import { refuseProblems } from '../plan';
import { AUTO_TTL, type DesiredRecord, type RecordFields } from '../record';
import { brokenRules } from '../rules';
import { typeOf, writeRdata } from '../value';
import { bodyOf, cloudflareDns, observed, patchOf } from './cloudflare';

/** Where a single record is changed, without plan and ownership: the record is named by whoever asks. */
export interface Place {
  readonly api: CloudflareApi;
  readonly zone: CloudflareZone;
}

export interface RecordChange {
  readonly changed: boolean;
  readonly action: 'create' | 'update' | 'delete' | 'none';
  readonly before: CloudflareRecord | null;
  /** Null when there is none, and in the dry run of a creation. */
  readonly after: CloudflareRecord | null;
}

interface Mode {
  readonly dryRun: boolean;
}

/** Creates the record; where it exists with this content already, nothing happens. */
export async function addRecord(place: Place, input: unknown, mode: Mode, task: Task): Promise<RecordChange> {
  const wanted = desired(place, input);
  const same = (await recordsOf(place, wanted, task)).find(
    (record) => contentOf(place, record) === writeRdata(wanted.value),
  );
  if (same !== undefined) return { changed: false, action: 'none', before: same, after: same };
  return create(place, wanted, mode, task);
}

/** Lets the name answer with this record: creates it, or changes the one of its type. */
export async function upsertRecord(place: Place, input: unknown, mode: Mode, task: Task): Promise<RecordChange> {
  const wanted = desired(place, input);
  const records = await recordsOf(place, wanted, task);
  const same = records.find((record) => contentOf(place, record) === writeRdata(wanted.value));
  const [first, second] = records;
  if (first === undefined) return create(place, wanted, mode, task);
  if (second !== undefined && same === undefined) {
    throw new Failure({
      code: 'dns_several_records',
      subject: `record ${wanted.name} ${wanted.value.type}`,
      message: `There are ${records.length} records ${wanted.name} ${wanted.value.type}, and none has this content: which one is meant cannot be told`,
      nextStep: 'Update one by its id, or plan the zone with all the values that you want.',
      details: { ids: records.map(({ id }) => id) },
    });
  }
  return change(place, same ?? first, wanted, mode, task);
}

/** Changes the fields that are given, and keeps the others. */
export async function updateRecord(
  place: Place,
  id: string,
  input: Readonly<Record<string, unknown>>,
  mode: Mode,
  task: Task,
): Promise<RecordChange> {
  const before = await getRecord(place.api, place.zone.id, id, task);
  const wanted = desired(place, { name: before.name, type: before.type, ...keptValue(before, input), ...input });
  return change(place, before, wanted, mode, task);
}

/** A record that is gone already is no failure: it is as it should be. */
export async function removeRecord(place: Place, id: string, { dryRun }: Mode, task: Task): Promise<RecordChange> {
  let before: CloudflareRecord;
  try {
    before = await getRecord(place.api, place.zone.id, id, task);
  } catch (error) {
    if (!isFailure(error, 'record_not_found')) throw error;
    return { changed: false, action: 'none', before: null, after: null };
  }
  const changed = dryRun || (await deleteRecord(place.api, place.zone.id, id, task));
  return { changed, action: changed ? 'delete' : 'none', before, after: null };
}

/** `{deletes: [id], updates: [{id, name, type, …}], creates: [{name, type, …}]}`, all of it checked before it is sent. */
export function readBatch(place: Place, input: unknown): Batch {
  const list = (name: string): readonly unknown[] => {
    const value = isObject(input) ? (input[name] ?? []) : undefined;
    if (Array.isArray(value)) return value as unknown[];
    throw unusable(place, `${name} is no list`);
  };
  const batch: Batch = {
    deletes: list('deletes').map((id) => identified(place, id, 'deletes')),
    patches: [],
    puts: list('updates').map((update) => {
      const { id, ...record } = isObject(update) ? update : {};
      return { id: identified(place, id, 'updates'), ...bodyOf(whole(desired(place, record))) };
    }),
    posts: list('creates').map((record) => bodyOf(whole(desired(place, record)))),
  };
  const size = batch.deletes.length + batch.puts.length + batch.posts.length;
  const most = batchLimit(place.zone.plan);
  if (size > most) throw unusable(place, `it has ${size} changes, and the plan of this zone takes ${most} at once`);
  return batch;
}

function identified(place: Place, id: unknown, list: string): string {
  if (typeof id === 'string' && id !== '') return id;
  throw unusable(place, `an entry of ${list} has no id`);
}

function unusable({ zone }: Place, why: string): Failure {
  return new Failure({
    code: 'dns_batch_invalid',
    subject: `zone ${zone.name}`,
    message: `The batch for ${zone.name} cannot be sent: ${why}`,
    nextStep: 'Correct it; nothing was sent.',
  });
}

function whole(record: DesiredRecord): RecordFields {
  return withProxyTtl({ ttl: AUTO_TTL, proxied: false, comment: '', tags: [], settings: {}, ...record });
}

/** The TTL of a proxied record is always automatic; another one would be sent in vain, each time again. */
function withProxyTtl(record: RecordFields): RecordFields {
  return record.proxied ? { ...record, ttl: AUTO_TTL } : record;
}

function desired({ api, zone }: Place, input: unknown): DesiredRecord {
  const record = parseDesiredRecord(input, zone.name);
  const { name: provider, capabilities } = cloudflareDns(api, zone);
  // The comment is the user's own here, without a mark of ours.
  refuseProblems(zone.name, brokenRules([record], { zone: zone.name, provider, capabilities, owner: 'n8n' }));
  return record;
}

function recordsOf({ api, zone }: Place, { name, value }: DesiredRecord, task: Task) {
  return listRecords(api, zone.id, { type: value.type, name: { exact: name } }, task);
}

function contentOf({ zone }: Place, record: CloudflareRecord): string {
  return writeRdata(observed(record, zone.name).value);
}

/** What the record says, as far as the input does not say it anew. A mail server keeps its priority when it moves. */
function keptValue({ type, content, data, priority }: CloudflareRecord, input: Readonly<Record<string, unknown>>) {
  const { content: said } = input;
  if (said !== undefined)
    return type === 'MX' && typeof said === 'string' && !/\s/.test(said.trim()) ? { priority } : {};
  if (input['data'] !== undefined) return {};
  if (data === undefined) return { content, priority };
  return { data: priority === undefined ? data : { priority, ...data } };
}

async function create(
  { api, zone }: Place,
  wanted: DesiredRecord,
  { dryRun }: Mode,
  task: Task,
): Promise<RecordChange> {
  const after = dryRun ? null : await createRecord(api, zone.id, bodyOf(whole(wanted)), task);
  return { changed: true, action: 'create', before: null, after };
}

async function change(
  { api, zone }: Place,
  record: CloudflareRecord,
  wanted: DesiredRecord,
  { dryRun }: Mode,
  task: Task,
): Promise<RecordChange> {
  const before = observed(record, zone.name);
  const settings = { ...before.settings, ...wanted.settings };
  const tags = [...(wanted.tags ?? before.tags)].sort();
  const after = withProxyTtl({ ...before, ...wanted, tags, settings });
  const fields = differingFields(before, after);
  if (fields.length === 0 && before.name === after.name && typeOf(before.value) === typeOf(after.value)) {
    return { changed: false, action: 'none', before: record, after: record };
  }
  const patch = patchOf({ kind: 'update', before, after, fields });
  const changed = dryRun ? { ...record, ...patch } : await patchRecord(api, zone.id, patch, task);
  return { changed: true, action: 'update', before: record, after: changed };
}
