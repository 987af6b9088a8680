import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import { Failure } from '../failure';
import type { Json } from '../json';
import { isPublicAddress } from './address';
import { settleClaims, isClaim } from './claims';
import { decide, type Decision } from './decide';
import type { Candidate } from './match';
import { zoneName } from './name';
import { checkOwner, ownership, readComment, writeComment } from './ownership';
import type { Capabilities, Change, Creation, Deletion, DnsProvider, Update } from './provider';
import {
  AUTO_TTL,
  describeRecord,
  inOrder,
  type DesiredRecord,
  type ObservedRecord,
  type RecordFields,
} from './record';
import { brokenRules, brokenZone, type Setting } from './rules';
import { refuseDanger, refuseEmptying, USUAL_LIMITS, type Limits } from './safety';
import { matchingRecords, namedRecords, type Selects } from './selectors';
import { typeOf, writeRdata } from './value';

/** Raised when plans are made differently, so that one from before an update is not applied after it. */
export const PLAN_VERSION = 1;

export interface PlanRequest {
  readonly zone: string;
  readonly provider: Pick<DnsProvider, 'name' | 'capabilities'>;
  readonly desired: readonly DesiredRecord[];
  readonly observed: readonly ObservedRecord[];
  /** Whose records these are: stays the same between runs. */
  readonly owner: string;
  /** `upsert-only` never deletes; `full-sync` deletes our records that are no longer desired. */
  readonly mode: 'upsert-only' | 'full-sync';
  /** Patterns of records that are not looked at: `_acme-challenge.*`, `*.dev TXT`. */
  readonly ignore?: readonly string[];
  /** Records that exist and become ours: `www`, or `www A`. */
  readonly adopt?: readonly string[];
  /** Records that may be changed though they are not ours and stay so. Named changes do not count for the share. */
  readonly change?: readonly string[];
  /** Records of ours at the apex, MX and NS, that may be deleted. */
  readonly delete?: readonly string[];
  /** A full sync may delete everything of ours. */
  readonly allowEmpty?: boolean;
  readonly limits?: Partial<Limits>;
}

/** What would happen to a zone. Plain data: it can be shown, kept, approved, and applied later. */
export interface ZonePlan {
  readonly version: typeof PLAN_VERSION;
  readonly zone: string;
  readonly provider: string;
  readonly owner: string;
  readonly mode: 'upsert-only' | 'full-sync' | 'undo';
  readonly create: readonly Creation[];
  readonly update: readonly Update[];
  readonly delete: readonly Deletion[];
  /** Ours, and as they should be. */
  readonly unchanged: readonly ObservedRecord[];
  /** Not ours; none of them is touched. */
  readonly foreign: readonly ObservedRecord[];
  readonly warnings: readonly string[];
  readonly ignore: readonly string[];
  readonly desired: readonly (DesiredRecord | RecordFields)[];
  /** The zone as it was looked at: the apply refuses any other. */
  readonly observed: readonly ObservedRecord[];
  /** SHA-256 over all of the above. */
  readonly hash: string;
}

export function planZone(request: PlanRequest): ZonePlan {
  const { provider, desired, mode, ignore = [] } = request;
  const zone = zoneName(request.zone);
  const owner = checkOwner(request.owner);
  const { capabilities } = provider;
  const setting: Setting = { zone, provider: provider.name, capabilities, owner };
  const adopted = namedRecords(request.adopt ?? [], zone);
  const changeNamed = namedRecords(request.change ?? [], zone);
  const deleteNamed = namedRecords(request.delete ?? [], zone);
  const ignored = matchingRecords(ignore, zone);

  const problems = brokenRules(desired, setting);
  for (const record of desired.filter(ignored))
    problems.push(`${describeRecord(record)} is desired and ignored at once`);
  refuseProblems(zone, problems);

  const observed = inOrder(request.observed.filter((record) => !ignored(record)));
  const ownerOf = ownership(observed, capabilities);
  const keepsClaims = !capabilities.comments;
  const visible = keepsClaims ? observed.filter((record) => !isClaim(record)) : observed;
  const isOurs = (record: ObservedRecord) => ownerOf(record) === owner;
  const candidates = visible.map((record): Candidate => {
    if (isOurs(record)) return { record, standing: 'ours' };
    return { record, standing: adopted(record) || changeNamed(record) ? 'named' : 'foreign' };
  });
  const becomesOurs = ({ record, standing }: Candidate) =>
    standing === 'ours' || (standing === 'named' && adopted(record));

  // Where ownership stands in claims, an adopted record that is right already still has to be claimed.
  const owned: RecordFields[] = [];
  const decision = decide<DesiredRecord>({
    wanted: desired,
    candidates,
    deletes: mode === 'full-sync',
    changed: (wanted, candidate) => {
      const ours = becomesOurs(candidate);
      const after = merged(wanted, candidate.record, ours ? owner : undefined, capabilities);
      if (ours) owned.push(after);
      return after;
    },
    created: (wanted, beside) => {
      const record = fresh(wanted, beside, owner, capabilities);
      owned.push(record);
      return record;
    },
  });

  refuseInTheWay(zone, decision);
  refuseExtra(zone, decision, changeNamed);
  const kept = decision.unchanged.filter(isOurs);
  const claims = keepsClaims
    ? settleClaims(observed, [...owned, ...kept], owner, defaultTtl(capabilities))
    : { create: [], delete: [] };
  const plan: Omit<ZonePlan, 'hash'> = {
    version: PLAN_VERSION,
    zone,
    provider: provider.name,
    owner,
    mode,
    create: [...decision.create, ...claims.create],
    update: decision.update,
    delete: [...decision.delete, ...claims.delete],
    unchanged: decision.unchanged,
    foreign: decision.foreign,
    warnings: warningsOf(decision, desired, visible),
    ignore,
    desired: inOrder(desired),
    observed,
  };
  const changes = changesOf(plan);
  const after = zoneAfter(request.observed, changes);
  const named = new Set(changes.map((change) => (change.kind === 'update' ? change.after : change.record).name));
  refuseProblems(zone, [
    ...brokenAfter(changes, changeNamed, setting),
    ...brokenZone(request.observed, after, named, setting),
  ]);
  if (desired.length === 0 && mode === 'full-sync' && request.allowEmpty !== true) {
    refuseEmptying(zone, decision.delete.length);
  }
  refuseDanger({
    zone,
    changes,
    zoneSize: visible.length,
    limits: { ...USUAL_LIMITS, ...request.limits },
    changeNamed,
    deleteNamed,
  });
  return { ...plan, hash: planHash(plan) };
}

/** In the order of the lists; the order of the requests is order.ts's. */
export function changesOf(plan: Pick<ZonePlan, 'create' | 'update' | 'delete'>): Change[] {
  return [...plan.delete, ...plan.update, ...plan.create];
}

/** The same plan has the same hash, wherever and whenever it is made. */
export function planHash(plan: Omit<ZonePlan, 'hash'>): string {
  const { hash: _, ...hashed } = { hash: '', ...plan };
  return createHash('sha256')
    .update(canonicalJson(hashed as unknown as Json))
    .digest('hex');
}

export function zoneAfter(before: readonly ObservedRecord[], changes: readonly Change[]): RecordFields[] {
  const replaced = new Map<string, RecordFields | undefined>();
  const created: RecordFields[] = [];
  for (const change of changes) {
    if (change.kind === 'create') created.push(change.record);
    else if (change.kind === 'update') replaced.set(change.before.id, change.after);
    else replaced.set(change.record.id, undefined);
  }
  const kept = before.flatMap((record): RecordFields[] => {
    if (!replaced.has(record.id)) return [record];
    const after = replaced.get(record.id);
    return after === undefined ? [] : [after];
  });
  return [...kept, ...created];
}

/** The observed record with what is desired put over it, field by field. */
function merged(
  wanted: DesiredRecord,
  record: ObservedRecord,
  owner: string | undefined,
  { comments }: Capabilities,
): RecordFields {
  const proxied = wanted.proxied ?? record.proxied;
  const present = readComment(record.comment);
  const text = wanted.comment ?? present.text;
  const mark = owner ?? present.owner;
  return {
    name: record.name,
    value: wanted.value,
    ttl: proxied ? AUTO_TTL : (wanted.ttl ?? record.ttl),
    proxied,
    comment: comments ? (mark === undefined ? text : writeComment(mark, text)) : record.comment,
    tags: wanted.tags === undefined ? record.tags : [...wanted.tags].sort(),
    settings: { ...record.settings, ...wanted.settings },
  };
}

function fresh(
  { name, value, ttl, proxied = false, comment = '', tags = [], settings = {} }: DesiredRecord,
  beside: readonly Candidate[],
  owner: string,
  capabilities: Capabilities,
): RecordFields {
  const shared = capabilities.ttl.each === 'set' ? beside[0]?.record.ttl : undefined;
  return {
    name,
    value,
    ttl: proxied ? AUTO_TTL : (ttl ?? shared ?? defaultTtl(capabilities)),
    proxied,
    comment: capabilities.comments ? writeComment(owner, comment) : '',
    tags: [...tags].sort(),
    settings,
  };
}

function defaultTtl({ ttl }: Capabilities): number {
  return ttl.auto ? AUTO_TTL : Math.min(Math.max(3600, ttl.least), ttl.most);
}

/** What only shows when the desired fields have met those that exist. */
function brokenAfter(changes: readonly Change[], named: Selects, { zone, capabilities, provider }: Setting): string[] {
  return changes.flatMap((change) => {
    const after = change.kind === 'update' ? change.after : change.record;
    const subject = describeRecord(after);
    const problems: string[] = [];
    if (after.name === zone && after.value.type === 'NS' && change.kind === 'create' && !named(after)) {
      problems.push(
        `${subject} would name a name server of the zone itself, which ${provider} does; name it as a change if you mean it`,
      );
    }
    if (change.kind !== 'update') return problems;
    const longest = capabilities.comments?.longest ?? 0;
    if (change.fields.includes('comment') && after.comment.length > longest) {
      problems.push(
        `${subject} would have a comment of ${after.comment.length} characters; ${provider} takes ${longest}`,
      );
    }
    const { value } = after;
    if (after.proxied && (value.type === 'A' || value.type === 'AAAA') && !isPublicAddress(value.data.address)) {
      problems.push(`${subject} is proxied, but ${value.data.address} cannot be reached over the Internet`);
    }
    return problems;
  });
}

function warningsOf(
  { extra, create, update }: Decision,
  desired: readonly DesiredRecord[],
  visible: readonly ObservedRecord[],
): string[] {
  const beside = extra.map(
    ({ record }) =>
      `${describeRecord(record)} ${writeRdata(record.value)} is kept and goes on answering beside what is desired`,
  );
  // A name that moves with one family of addresses only: half of its visitors stay behind.
  const moved = [...create.map(({ record }) => record), ...update.filter(movesContent).map(({ after }) => after)];
  const halfway = moved.flatMap(({ name, value }) => {
    const other = value.type === 'A' ? 'AAAA' : value.type === 'AAAA' ? 'A' : undefined;
    if (other === undefined || desired.some((record) => record.name === name && record.value.type === other)) return [];
    return visible
      .filter((record) => record.name === name && record.value.type === other)
      .map(
        (record) =>
          `${describeRecord(record)} ${writeRdata(record.value)} is kept, while the ${value.type} record moves`,
      );
  });
  return [...beside, ...new Set(halfway)];
}

function movesContent({ fields }: Update): boolean {
  return fields.includes('content');
}

export function refuseProblems(zone: string, problems: readonly string[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more`;
  throw new Failure({
    code: 'dns_records_invalid',
    subject: `zone ${zone}`,
    message: `The ${first}${more}`.replace(/^The (record|name|records) /u, 'The $1 '),
    nextStep: 'Correct the desired records; nothing was sent. All problems are in the details.',
    details: { problems: [...problems] },
  });
}

function refuseInTheWay(zone: string, { inTheWay }: Decision): void {
  const [first] = inTheWay;
  if (first === undefined) return;
  const records = [...new Set(inTheWay.map(({ record }) => `${record.name} ${typeOf(record.value)}`))];
  throw new Failure({
    code: 'dns_not_ours',
    subject: `zone ${zone}`,
    message:
      records.length === 1
        ? `The ${describeRecord(first.record)} exists, differs from what is desired, and was not made by us`
        : `${records.length} records exist, differ from what is desired, and were not made by us: ${records.join(', ')}`,
    nextStep: 'Adopt them by name to take them over, or name them as a change to leave them to their owner.',
    details: { records },
  });
}

/** A name that was asked to answer one thing must not go on answering another beside it. */
function refuseExtra(zone: string, { extra }: Decision, changeNamed: Selects): void {
  const named = extra
    .filter(({ record, standing }) => standing === 'named' || changeNamed(record))
    .map(({ record }) => record);
  const [first] = named;
  if (first === undefined) return;
  throw new Failure({
    code: 'dns_several_records',
    subject: describeRecord(first),
    message: `The ${describeRecord(first)} has more values than are desired, and ${writeRdata(first.value)} would go on answering`,
    nextStep: 'Delete the values that are too many first, or desire them as well.',
    details: { zone, records: named.map((record) => `${describeRecord(record)} ${writeRdata(record.value)}`) },
  });
}
