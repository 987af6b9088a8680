import { Failure } from '../../lib/failure';
import type { Task } from '../../lib/task';
import { RECORD_TYPES } from '../../lib/dns/layouts';
import type { Capabilities, Change, DnsProvider, ZoneWrite } from '../../lib/dns/provider';
import { setKey, type ObservedRecord, type RecordFields } from '../../lib/dns/record';
import { typeOf, writeRdata } from '../../lib/dns/value';

/** Three ways of keeping a zone, as different as the real ones. */
export const CLOUDFLARE_LIKE: Capabilities = {
  types: RECORD_TYPES,
  comments: { longest: 100 },
  tags: true,
  settings: true,
  proxied: true,
  flattensApex: true,
  ttl: { least: 60, most: 86400, auto: true, each: 'record' },
  longestText: 2048,
  batch: { most: 200, of: 'zone', atomic: true },
};

export const HETZNER_LIKE: Capabilities = {
  types: ['A', 'AAAA', 'CAA', 'CNAME', 'DS', 'HTTPS', 'MX', 'NS', 'PTR', 'SRV', 'SVCB', 'TLSA', 'TXT'],
  comments: { longest: 255 },
  tags: false,
  settings: false,
  proxied: false,
  flattensApex: false,
  ttl: { least: 60, most: 2147483647, auto: true, each: 'set' },
  longestText: 4096,
  batch: { most: 50, of: 'set', atomic: true },
};

/** One record a request, no comments: ownership has to be kept in TXT records. */
const { comments: _, ...WITHOUT_COMMENTS } = HETZNER_LIKE;
export const PLAIN: Capabilities = {
  ...WITHOUT_COMMENTS,
  ttl: { least: 60, most: 86400, auto: false, each: 'record' },
  batch: { most: 1, of: 'zone', atomic: false },
};

export interface MemoryDns extends DnsProvider {
  readonly records: () => readonly ObservedRecord[];
  /** All writes that were asked for, also those that were refused. */
  readonly writes: readonly ZoneWrite[];
  /** Somebody else changes the zone. */
  readonly meddle: (change: (records: readonly ObservedRecord[]) => readonly RecordFields[]) => void;
  /** The next writes: `crash before` and `crash after` lose the answer, `refuse` says no to what it is told to. */
  fault: Fault | undefined;
}

export type Fault =
  | { readonly kind: 'crash'; readonly atWrite: number; readonly when: 'before' | 'after' }
  | { readonly kind: 'refuse'; readonly refuses: (write: ZoneWrite) => boolean };

export function memoryDns(
  capabilities: Capabilities,
  start: readonly RecordFields[] = [],
  name = 'Memory DNS',
): MemoryDns {
  let serial = 0;
  const byContent = capabilities.batch.of === 'set';
  const withId = (record: RecordFields): ObservedRecord => ({
    ...record,
    id: byContent ? `${setKey(record)} ${writeRdata(record.value)}` : `id-${++serial}`,
  });
  let records: ObservedRecord[] = start.map(withId);
  const writes: ZoneWrite[] = [];

  const carryOut = (write: ZoneWrite) => {
    const { most, of, atomic } = capabilities.batch;
    if (write.changes.length === 0 || write.changes.length > most) throw refused(`${write.changes.length} changes`);
    if (of === 'set' && write.sets.length !== 1) throw refused(`${write.sets.length} record sets in one write`);
    if (!atomic && write.changes.length > 1) throw refused('more than one change');
    const next = of === 'set' ? replaceSets(records, write, withId) : changeRecords(records, write.changes, withId);
    checkZone(next, capabilities);
    records = next;
  };

  const provider: MemoryDns = {
    name,
    capabilities,
    fault: undefined,
    writes,
    records: () => records,
    meddle: (change) => {
      records = change(records).map((record) => ('id' in record ? (record as ObservedRecord) : withId(record)));
    },
    listRecords: async (_zone: string, task: Task) => {
      if (task.signal.aborted) throw new Error('aborted');
      return [...records].reverse();
    },
    write: async (_zone: string, write: ZoneWrite) => {
      writes.push(write);
      const { fault } = provider;
      if (fault?.kind === 'refuse' && fault.refuses(write)) throw refused('it does not like it');
      const crashes = fault?.kind === 'crash' && fault.atWrite === writes.length;
      if (crashes && fault.when === 'before') throw new Error('the connection broke before');
      carryOut(write);
      if (crashes) throw new Error('the connection broke after');
      return 1;
    },
  };
  return provider;
}

/** In Cloudflare's order: deletes, patches, posts. */
function changeRecords(
  records: readonly ObservedRecord[],
  changes: readonly Change[],
  withId: (record: RecordFields) => ObservedRecord,
): ObservedRecord[] {
  let next = [...records];
  const find = (id: string) => {
    if (!next.some((record) => record.id === id)) throw refused(`there is no record ${id}`);
    return id;
  };
  for (const change of changes) {
    if (change.kind !== 'delete') continue;
    const id = find(change.record.id);
    next = next.filter((record) => record.id !== id);
  }
  for (const change of changes) {
    if (change.kind !== 'update') continue;
    const id = find(change.before.id);
    next = next.map((record) => (record.id === id ? { ...change.after, id } : record));
  }
  for (const change of changes) if (change.kind === 'create') next = [...next, withId(change.record)];
  return next;
}

function replaceSets(
  records: readonly ObservedRecord[],
  { sets }: ZoneWrite,
  withId: (record: RecordFields) => ObservedRecord,
): ObservedRecord[] {
  let next = [...records];
  for (const { name, type, before, after } of sets) {
    const inSet = (record: RecordFields) => setKey(record) === `${name} ${type}`;
    const contents = (list: readonly RecordFields[]) => list.map(({ value }) => writeRdata(value)).sort();
    if (JSON.stringify(contents(next.filter(inSet))) !== JSON.stringify(contents(before))) {
      throw refused(`the record set ${name} ${type} is not as it is said to be`);
    }
    next = [...next.filter((record) => !inSet(record)), ...after.map(withId)];
  }
  return next;
}

/** What a real provider answers with 4xx. */
function checkZone(records: readonly ObservedRecord[], { ttl, comments, types }: Capabilities): void {
  const seen = new Set<string>();
  const byName = new Map<string, string[]>();
  const setTtls = new Map<string, number>();
  for (const record of records) {
    const key = setKey(record);
    const whole = `${key} ${writeRdata(record.value)}`;
    if (seen.has(whole)) throw refused(`an identical record exists: ${whole}`);
    seen.add(whole);
    byName.set(record.name, [...(byName.get(record.name) ?? []), typeOf(record.value)]);
    if (record.comment.length > (comments?.longest ?? 0)) throw refused('the comment is too long');
    if (record.value.type !== 'other' && !types.includes(record.value.type)) throw refused('the type is unknown');
    if (!(ttl.auto && record.ttl === 1) && (record.ttl < ttl.least || record.ttl > ttl.most)) throw refused('TTL');
    if (ttl.each === 'set' && (setTtls.get(key) ?? record.ttl) !== record.ttl) throw refused('a set has one TTL');
    setTtls.set(key, record.ttl);
  }
  for (const [name, kinds] of byName) {
    if (kinds.includes('CNAME') && kinds.length > 1) throw refused(`a CNAME stands beside others at ${name}`);
  }
}

function refused(why: string): Failure {
  return new Failure({
    code: 'dns_refused',
    subject: 'write',
    message: `The write was refused: ${why}`,
    nextStep: 'Correct it.',
  });
}
