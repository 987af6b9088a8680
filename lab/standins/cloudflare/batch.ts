import { isObject } from '../../../lib/json';
import { refuse } from './envelope';
import { checkBeside, recordFrom, shown } from './record';
import { quotas, type State, type StoredRecord, type Zone } from './state';

type Records = ReadonlyMap<string, StoredRecord>;
type Draft = Map<string, StoredRecord>;

/** Runs a change on a copy of the zone's records; only when all of it went well, the copy becomes the zone. */
export function transaction<Result>(zone: Zone, change: (draft: Draft) => Result): Result {
  const draft = new Map(zone.records);
  const result = change(draft);
  zone.records = draft;
  return result;
}

export function create(state: State, zone: Zone, draft: Draft, input: unknown): StoredRecord {
  const record = recordFrom(state, zone, input);
  if (draft.size >= quotas[zone.plan].batch) refuse(400, 81045, 'Record quota exceeded.');
  checkBeside(state, draft, record);
  draft.set(record.id, record);
  return record;
}

/** PUT replaces all that is not said by the standard, PATCH keeps it. */
export function change(
  state: State,
  zone: Zone,
  draft: Draft,
  id: string,
  input: unknown,
  mode: 'replace' | 'merge',
): StoredRecord {
  const before = existing(draft, id);
  const made = recordFrom(state, zone, input, mode === 'merge' ? before : undefined);
  const record = { ...made, id, created: before.created };
  checkBeside(state, draft, record);
  draft.set(id, record);
  return record;
}

export function remove(draft: Draft, id: string): StoredRecord {
  const record = existing(draft, id);
  draft.delete(id);
  return record;
}

export function existing(records: Records, id: string): StoredRecord {
  return records.get(id) ?? refuse(404, 81044, 'Record does not exist.');
}

/** Deletes, patches, puts, posts, in this order, all or nothing. */
export function batch(state: State, zone: Zone, input: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(input)) refuse(400, 9207, 'Request body is invalid.');
  const lists = ['deletes', 'patches', 'puts', 'posts'].map((name) => readList(input[name]));
  const [deletes = [], patches = [], puts = [], posts = []] = lists;
  const most = quotas[zone.plan].batch;
  const size = lists.reduce((sum, list) => sum + list.length, 0);
  if (size > most) refuse(400, 81061, `A batch may hold at most ${most} operations, this one has ${size}.`);
  return transaction(zone, (draft) => {
    const deleted = deletes.map((one) => remove(draft, idOf(one)));
    const patched = patches.map((one) => change(state, zone, draft, idOf(one), one, 'merge'));
    const put = puts.map((one) => change(state, zone, draft, idOf(one), one, 'replace'));
    const posted = posts.map((one) => create(state, zone, draft, one));
    const show = (list: readonly StoredRecord[]) => list.map((record) => shown(zone, record));
    return { deletes: show(deleted), patches: show(patched), puts: show(put), posts: show(posted) };
  });
}

function readList(list: unknown): readonly unknown[] {
  if (list === undefined || list === null) return [];
  return Array.isArray(list) ? (list as unknown[]) : refuse(400, 9207, 'Request body is invalid.');
}

function idOf(one: unknown): string {
  const id = isObject(one) ? one['id'] : undefined;
  return typeof id === 'string' ? id : refuse(400, 9207, 'An id is required.');
}
