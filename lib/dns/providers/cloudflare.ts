import type { CloudflareApi } from '../../cloudflare/api';
import {
  batchLimit,
  batchRecords,
  type CloudflareRecord,
  listRecords,
  type RecordBody,
} from '../../cloudflare/records';
import type { CloudflareZone } from '../../cloudflare/zones';
import { Failure, isFailure } from '../../failure';
import type { Json, JsonObject } from '../../json';
import { RECORD_TYPES } from '../layouts';
import { observedRecord } from '../observed';
import type { Capabilities, DnsProvider, Update } from '../provider';
import type { ObservedRecord, RecordFields } from '../record';
import { type RecordValue, snakeCaseData, typeOf, writeRdata } from '../value';

/** One zone at Cloudflare. What it can do depends on the plan of the zone. */
export function cloudflareDns(api: CloudflareApi, zone: CloudflareZone): DnsProvider {
  const capabilities = capabilitiesOf(zone.plan);
  const mustBeThisZone = (asked: string) => {
    if (asked === zone.name) return;
    throw new Failure({
      code: 'dns_wrong_zone',
      subject: `zone ${asked}`,
      message: `The zone ${asked} was asked of a connection to the zone ${zone.name} at Cloudflare`,
      nextStep: `Choose the zone ${asked} in the node, or correct the plan.`,
    });
  };
  return {
    name: 'Cloudflare',
    capabilities,
    listRecords: async (asked, task) => {
      mustBeThisZone(asked);
      const records = await listRecords(api, zone.id, {}, task);
      return records.filter(({ type }) => type !== 'SOA').map((record) => observed(record, zone.name));
    },
    write: async (asked, { changes }, task) => {
      mustBeThisZone(asked);
      const batch = {
        deletes: changes.flatMap((change) => (change.kind === 'delete' ? [change.record.id] : [])),
        patches: changes.flatMap((change) => (change.kind === 'update' ? [patchOf(change)] : [])),
        puts: [],
        posts: changes.flatMap((change) => (change.kind === 'create' ? [bodyOf(change.record)] : [])),
      };
      try {
        await batchRecords(api, zone.id, batch, task);
        return 1;
      } catch (error) {
        throw refusalOf(error);
      }
    },
  };
}

function capabilitiesOf(plan: string): Capabilities {
  const paid = ['pro', 'business', 'enterprise'].includes(plan);
  return {
    types: RECORD_TYPES,
    comments: { longest: paid ? 500 : 100 },
    tags: paid,
    settings: true,
    proxied: true,
    flattensApex: true,
    ttl: { least: plan === 'enterprise' ? 30 : 60, most: 86_400, auto: true, each: 'record' },
    longestText: 2048,
    batch: { most: batchLimit(plan), of: 'zone', atomic: true },
  };
}

/** A record as Cloudflare lists it, as the engine knows it. */
export function observed(record: CloudflareRecord, zone: string): ObservedRecord {
  const data = record.type === 'SRV' && record.data !== undefined ? withoutNames(record.data) : record.data;
  return observedRecord({ ...record, ...(data !== undefined && { data }), form: 'api' }, zone);
}

/** Older SRV records repeat parts of their name in their data. */
function withoutNames({ service: _service, proto: _proto, name: _name, ...data }: JsonObject): JsonObject {
  return data;
}

const proxiable = ['A', 'AAAA', 'CNAME'];

/** The whole record, for a request that creates it. */
export function bodyOf({ name, value, ttl, proxied, comment, tags, settings }: RecordFields): RecordBody {
  return {
    name,
    type: typeOf(value),
    ttl,
    ...contentOf(value),
    ...(proxiable.includes(typeOf(value)) && { proxied }),
    ...(comment !== '' && { comment }),
    // Even an empty list counts where the plan allows none.
    ...(tags.length > 0 && { tags }),
    ...(Object.keys(settings).length > 0 && { settings }),
  };
}

/** Only what differs, beside name, type and TTL, which Cloudflare always wants to see. */
export function patchOf({ before, after, fields }: Update): RecordBody & { readonly id: string } {
  const changed = new Set(fields);
  return {
    id: before.id,
    name: after.name,
    type: typeOf(after.value),
    ttl: after.ttl,
    ...(changed.has('content') && contentOf(after.value)),
    ...(changed.has('proxied') && { proxied: after.proxied }),
    ...(changed.has('comment') && { comment: after.comment }),
    ...(changed.has('tags') && { tags: after.tags }),
    ...(changed.has('settings') && { settings: settingsBetween(before.settings, after.settings) }),
  };
}

/** A setting that is gone has to be switched off by name. */
function settingsBetween(before: JsonObject, after: JsonObject): JsonObject {
  const gone = Object.keys(before).filter((name) => !(name in after));
  return { ...Object.fromEntries(gone.map((name): [string, Json] => [name, false])), ...after };
}

type Content = Pick<RecordBody, 'content' | 'data' | 'priority'>;

/** Simple types have a content, the others the fields of their data; some have a priority beside it. */
function contentOf(value: RecordValue): Content {
  switch (value.type) {
    case 'A':
    case 'AAAA':
      return { content: value.data.address };
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return { content: value.data.target };
    case 'MX':
      return { content: value.data.target, priority: value.data.priority };
    case 'OPENPGPKEY':
      return { content: value.data.publicKey };
    case 'TXT':
    case 'other':
      return { content: writeRdata(value) };
    case 'URI': {
      const { priority, ...data } = value.data;
      return { data, priority };
    }
    default:
      return { data: snakeCaseData(value) };
  }
}

/** Answers by which Cloudflare says that it looked at the batch, and did nothing of it. */
const refusing = [400, 404, 409, 422];

function refusalOf(error: unknown): unknown {
  if (!isFailure(error) || error.code === 'outcome_unknown') return error;
  if (!refusing.includes(Number(error.details['status']))) return error;
  const { subject, message, nextStep, details, code } = error;
  return new Failure({ code: 'dns_refused', subject, message, nextStep, details: { ...details, reason: code } });
}
