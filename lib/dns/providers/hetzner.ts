import { actionsIn } from '../../hetzner/action';
import { type HetznerApi, pathOf } from '../../hetzner/api';
import { awaitActions, command, presentItem } from '../../hetzner/change';
import { listItems } from '../../hetzner/read';
import type { CommandOf, Item, Place } from '../../hetzner/resource';
import { recordSets, type zones } from '../../hetzner/resources/dns';
import { write as send } from '../../hetzner/write';
import { Failure, isFailure } from '../../failure';
import { isObject, type JsonObject } from '../../json';
import type { Task } from '../../task';
import type { RecordType } from '../layouts';
import { relativeName } from '../name';
import { observedRecord } from '../observed';
import type { Capabilities, Change, DnsProvider, SetChange } from '../provider';
import { AUTO_TTL, type ObservedRecord, type RecordFields } from '../record';
import { writeRdata } from '../value';

export type HetznerZone = Pick<Item<typeof zones>, 'id' | 'name' | 'mode'>;

/** What one action takes, and so what a set can be overwritten with. */
const MOST_RECORDS = 50;

const TYPES: readonly RecordType[] = [
  'A',
  'AAAA',
  'CAA',
  'CNAME',
  'DS',
  'HTTPS',
  'MX',
  'NS',
  'PTR',
  'SRV',
  'SVCB',
  'TLSA',
  'TXT',
];

const CAPABILITIES: Capabilities = {
  types: TYPES,
  comments: { longest: 255 },
  tags: false,
  settings: false,
  proxied: false,
  flattensApex: false,
  ttl: { least: 60, most: 2_147_483_647, auto: true, each: 'set' },
  longestText: 4096,
  batch: { most: MOST_RECORDS, of: 'set', atomic: true },
};

const MANNER = { wait: true, timeoutMs: 120_000, lockedMs: 30_000 } as const;

/** One zone at Hetzner, where the records of one name and type are kept, and written, together. */
export function hetznerDns(api: HetznerApi, zone: HetznerZone): DnsProvider {
  if (zone.mode !== 'primary') throw secondary(zone);
  const mustBeThisZone = (asked: string) => {
    if (asked !== zone.name) throw otherZone(asked, zone);
  };
  return {
    name: 'Hetzner',
    capabilities: CAPABILITIES,
    listRecords: async (asked, task) => {
      mustBeThisZone(asked);
      const sets = await listItems(api, recordSets, { within: { zone: zone.id } }, task);
      return sets.filter(({ type }) => type !== 'SOA').flatMap((set) => recordsOf(set, zone.name));
    },
    write: async (asked, { changes, sets }, task) => {
      mustBeThisZone(asked);
      let requests = 0;
      for (const set of sets) {
        for (const step of stepsOf(set, changes)) {
          try {
            await carryOut(api, zone, set, step, task);
          } catch (error) {
            // What went before it has been done, so only the zone itself can say how it stands.
            throw requests === 0 ? refusalOf(error) : error;
          }
          requests += 1;
        }
      }
      return requests;
    },
  };
}

type RecordSet = Item<typeof recordSets>;

function recordsOf({ id, name, type, ttl, records }: RecordSet, zone: string): ObservedRecord[] {
  return records.flatMap((record) => {
    if (!isObject(record) || typeof record['value'] !== 'string') return [];
    const { value, comment } = record;
    return observedRecord(
      {
        // Within a set a record is known by its text, exactly as Hetzner writes it.
        id: `${id} ${value}`,
        name: name === '@' ? zone : `${name}.${zone}`,
        type,
        content: value,
        ttl,
        comment: typeof comment === 'string' ? comment : '',
        form: 'zone file',
      },
      zone,
    );
  });
}

/** One request. */
type Step =
  | { readonly kind: 'create'; readonly body: JsonObject }
  | {
      readonly kind: 'command';
      readonly name: CommandOf<typeof recordSets>;
      readonly body: JsonObject;
      /** It overwrites the whole set, so the set has to be as it is said to be. */
      readonly overwrites: boolean;
    };

/**
 * The requests that bring a set from what it is to what it shall be; mostly one. What only adds, only removes or only
 * comments is sent as that: it cannot harm what somebody else has put into the set in the same moment.
 */
function stepsOf(set: SetChange, changes: readonly Change[]): Step[] {
  const { before, after } = set;
  const ttl = ttlAfter(set, changes);
  if (before.length === 0) return [{ kind: 'create', body: { ...ttlOf(ttl), records: after.map(shown) } }];
  const had = new Map(before.map((record) => [writeRdata(record.value), record]));
  const has = new Map(after.map((record) => [writeRdata(record.value), record]));
  const kept = (record: RecordFields) => ({ value: textOf(had.get(writeRdata(record.value)) ?? record) });
  const added = after.filter(({ value }) => !had.has(writeRdata(value)));
  const removed = before.filter(({ value }) => !has.has(writeRdata(value)));
  const commented = after.filter((record) => {
    const old = had.get(writeRdata(record.value));
    return old !== undefined && old.comment !== record.comment;
  });
  const command = (name: CommandOf<typeof recordSets>, body: JsonObject, overwrites = false): Step => ({
    kind: 'command',
    name,
    body,
    overwrites,
  });
  const small: Step[] = [
    ...(added.length > 0 ? [command('add_records', { records: added.map(shown) })] : []),
    ...(removed.length > 0 ? [command('remove_records', { records: removed.map(kept) })] : []),
    ...(commented.length > 0
      ? [command('update_records', { records: commented.map((one) => ({ ...kept(one), comment: one.comment })) })]
      : []),
  ];
  const whole = after.map((record) => ({ ...shown(record), ...kept(record) }));
  const steps =
    small.length > 1 && after.length <= MOST_RECORDS ? [command('set_records', { records: whole }, true)] : small;
  const changesTtl = after.length > 0 && before.some((record) => record.ttl !== ttl);
  return changesTtl ? [...steps, command('change_ttl', { ttl: ttl === AUTO_TTL ? null : ttl })] : steps;
}

/** A set has one TTL; where only a part of a large set is written, that of the part counts. */
function ttlAfter({ after }: SetChange, changes: readonly Change[]): number {
  const written = changes.find((change) => change.kind === 'create' || change.kind === 'update');
  if (written?.kind === 'update') return written.after.ttl;
  return written?.kind === 'create' ? written.record.ttl : (after[0]?.ttl ?? AUTO_TTL);
}

const ttlOf = (ttl: number): JsonObject => (ttl === AUTO_TTL ? {} : { ttl });

function shown(record: RecordFields): JsonObject {
  return { value: textOf(record), ...(record.comment !== '' && { comment: record.comment }) };
}

/** As Hetzner listed it, where it did. */
function textOf(record: RecordFields): string {
  if (!('id' in record) || typeof record.id !== 'string') return writeRdata(record.value);
  return record.id.slice(record.id.indexOf(' ') + 1);
}

async function carryOut(api: HetznerApi, zone: HetznerZone, set: SetChange, step: Step, task: Task): Promise<void> {
  const name = relativeName(set.name, zone.name);
  const place: Place = { zone: zone.id, name, type: set.type };
  if (step.kind === 'create') {
    const path = pathOf(recordSets.collection, { zone: zone.id });
    const body = { name, type: set.type, ...step.body };
    const lookUp = async () => ((await presentItem(api, recordSets, place, task)) === undefined ? undefined : {});
    const answer = await send(
      api,
      { side: recordSets.side, method: 'POST', path, body, lookUp, lockedMs: MANNER.lockedMs },
      task,
    );
    await awaitActions(api, recordSets, actionsIn(answer), MANNER, task);
    return;
  }
  if (step.overwrites) await mustBeAsBefore(api, zone, set, place, task);
  await command(api, recordSets, { place, command: step.name, body: step.body }, MANNER, task);
}

/** There is no conditional write at Hetzner, so the look comes as late as it can. */
async function mustBeAsBefore(api: HetznerApi, zone: HetznerZone, set: SetChange, place: Place, task: Task) {
  const present = await presentItem(api, recordSets, place, task);
  const key = ({ value, comment }: RecordFields) => JSON.stringify([writeRdata(value), comment]);
  const now = present === undefined ? [] : recordsOf(present, zone.name);
  const differs = now.map(key).sort().join() !== set.before.map(key).sort().join();
  if (!differs) return;
  throw new Failure({
    code: 'dns_refused',
    subject: `record set ${set.name} ${set.type}`,
    message: `The record set ${set.name} ${set.type} was changed by somebody else in this moment, so it was not overwritten`,
    nextStep: 'Make the plan again.',
  });
}

/** Answers by which Hetzner says that it has done nothing. */
const REFUSING = [400, 404, 409, 412, 422, 423];

function refusalOf(error: unknown): unknown {
  if (!isFailure(error) || error.code === 'outcome_unknown' || error.code === 'dns_refused') return error;
  if (!REFUSING.includes(Number(error.details['status']))) return error;
  const { subject, message, nextStep, details, code } = error;
  return new Failure({ code: 'dns_refused', subject, message, nextStep, details: { ...details, reason: code } });
}

function secondary({ name }: HetznerZone): Failure {
  return new Failure({
    code: 'dns_zone_secondary',
    subject: `zone ${name}`,
    message: `The zone ${name} is a secondary zone at Hetzner: its records come from its primary name server`,
    nextStep: 'Change the records at the primary name server.',
  });
}

function otherZone(asked: string, { name }: HetznerZone): Failure {
  return new Failure({
    code: 'dns_wrong_zone',
    subject: `zone ${asked}`,
    message: `The zone ${asked} was asked of a connection to the zone ${name} at Hetzner`,
    nextStep: `Choose the zone ${asked} in the node, or correct the plan.`,
  });
}
