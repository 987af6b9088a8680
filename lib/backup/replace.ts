import { createHash } from 'node:crypto';
import { ageHours } from '../age';
import { canonicalJson } from '../canonical-json';
import { Failure, messageOf } from '../failure';
import type { Host } from '../host/host';
import { refuseWhenHeld } from '../host/hold';
import { listJobs } from '../host/jobs/read';
import { isObject } from '../json';
import type { Manifest } from '../manifest/manifest';
import { backupTime } from '../manifest/names';
import type { Task } from '../task';
import { runErrand } from './on-host';
import type { BackupPlan, Destination, PostgresSource } from './plan';
import { accessFields, type Fields } from './plan-fields';
import { restoreBackup } from './restore';
import { awaitBackup, startBackup } from './scatter';
import { DROP_NEXT, LOOK_AT_DATABASE, SWAP_DATABASE } from './script/replace';
import { needManifest, parseTables, type TableCount } from './stored';

/**
 * Puts a backup of a PostgreSQL database in the place of the live one. What is there is dumped first, and stays beside it
 * under another name; the backup is restored next to it, and counted, before anybody notices; then the two names change in
 * one transaction.
 */
export interface ReplaceRequest {
  /** With resolved passwords: the dump that is taken first is a run of this plan with this source only. */
  readonly plan: BackupPlan;
  /** Its database is the one that is replaced. */
  readonly source: PostgresSource;
  readonly name: string;
  readonly from: Destination;
  /** `dump` takes a backup of what is there first. `aside` does not: for a database that is too broken to be dumped. */
  readonly safety: 'dump' | 'aside';
  readonly timeoutMs?: number;
}

export interface TableLoss {
  readonly table: string;
  /** Null where there is no such table. */
  readonly now: number | null;
  readonly inBackup: number | null;
}

export interface Leftover {
  readonly name: string;
  readonly bytes: number;
}

export interface ReplacePlan {
  /** Of what is replaced by what. Rows may change until it is applied; the database and the backup may not. */
  readonly hash: string;
  readonly database: string;
  readonly destination: string;
  readonly runId: string;
  readonly backupAgeHours: number;
  readonly bytes: number;
  readonly connections: number;
  /** What the backup will take on the disk of the server, about. */
  readonly neededBytes: number;
  /** What is free there. Null where it is not known: on a server that is not on this host. */
  readonly freeBytes: number | null;
  /** Databases that replacements have left behind which were broken off. They are taken away first. */
  readonly leftovers: readonly Leftover[];
  /** Tables whose rows are others than those of the backup. Null when they could not be counted. */
  readonly differences: readonly TableLoss[] | null;
  readonly warnings: readonly string[];
  readonly sentence: string;
}

export interface Replaced {
  readonly database: string;
  readonly destination: string;
  readonly runId: string;
  /** What was there before, with everything it held. */
  readonly keptAs: string;
  /** The name of the backup that was taken of it first; null when none was wanted. */
  readonly safetyBackup: string | null;
  readonly tables: readonly TableCount[];
  readonly seconds: number;
}

/** Looks at both, counts what would be lost, and changes nothing. */
export async function previewReplace(host: Host, request: ReplaceRequest, task: Task): Promise<ReplacePlan> {
  const { plan, source, from } = request;
  const [manifest, live] = await Promise.all([theBackup(host, request, task), look(host, request, true, task)]);
  const differences =
    live.tables === undefined ? null : differencesOf(live.tables, parseTables(manifest.facts.tables) ?? []);
  const backupAgeHours = ageHours(backupTime(request.name) ?? new Date(0));
  const warnings = [
    ...(live.uncounted === null ? [] : [`Its rows could not be counted: ${live.uncounted}`]),
    ...(live.slots === 0
      ? []
      : [
          `${live.slots} logical replication slots belong to the old database and stay with it: subscribers have to be set up anew`,
        ]),
    ...live.leftovers.map(
      ({ name }) => `${name} is left of a replacement that was broken off, and is taken away first`,
    ),
    ...(live.room === null
      ? ['Whether the disk of the server has room for the backup beside the database is not known']
      : []),
    ...(isFull(live, manifest) ? [`It would be refused: ${noRoom(live, manifest)}`] : []),
    ...(request.safety === 'aside' ? ['No backup of it is taken first. It only stays on this server'] : []),
  ];
  const lost =
    differences === null
      ? 'nobody knows which rows would be lost'
      : differences.length === 0
        ? 'every table has as many rows as the backup'
        : `${differences.length} tables have not as many rows as the backup, and at least ${rowsLost(differences)} rows would be gone`;
  const first =
    request.safety === 'dump'
      ? `It is backed up to ${plan.destinations.length} destinations first, and stays under another name`
      : 'It stays under another name';
  return {
    hash: hashOf(request, manifest, live),
    database: source.database,
    destination: from.name,
    runId: manifest.runId,
    backupAgeHours,
    bytes: live.bytes,
    connections: live.connections,
    neededBytes: neededBytes(live, manifest),
    freeBytes: live.room,
    leftovers: live.leftovers,
    differences,
    warnings,
    sentence: `Database ${source.database} on ${host.target.name} would be replaced by its backup ${request.name}, which is ${backupAgeHours} h old: ${lost}. ${first}. ${live.connections} connections would be cut`,
  };
}

/** Whether its server has a database of that name at all. */
export async function isDatabaseThere(host: Host, request: ReplaceRequest, task: Task): Promise<boolean> {
  const answer = await onServer(host, request, LOOK_AT_DATABASE, {}, task);
  return isObject(answer) && isObject(answer.database) && answer.database.there === true;
}

/** Does exactly what was previewed under this hash, or nothing. */
export async function applyReplace(
  host: Host,
  request: ReplaceRequest & { readonly hash: string },
  task: Task,
): Promise<Replaced> {
  await refuseWhenHeld(host, task);
  const started = performance.now();
  const { plan, source, name, from, timeoutMs = 12 * 3_600_000 } = request;
  const { database } = source;
  const [manifest, live] = await Promise.all([theBackup(host, request, task), look(host, request, false, task)]);
  if (hashOf(request, manifest, live) !== request.hash) throw changed(database);
  await takeAwayLeftovers(host, request, live.leftovers, task);
  if (isFull(live, manifest)) throw refused(request, noRoom(live, manifest));
  const safetyBackup = request.safety === 'dump' ? await dumpFirst(host, request, timeoutMs, task) : null;
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:T]/g, '');
  const next = `${database.slice(0, 40)}_next_${stamp}`;
  const before = `${database.slice(0, 38)}_before_${stamp}`;
  task.progress({ message: `Restoring ${name} beside ${database}` });
  const backup = { source: source.name, name };
  const target = { kind: 'postgres', database: next, like: database, access: source } as const;
  const restored = await restoreBackup(host, { vault: plan.vault, backup, from, target, timeoutMs }, task);
  const expected = parseTables(manifest.facts.tables);
  const wrong = expected === undefined ? [] : differencesOf(restored.tables, expected);
  if (wrong.length > 0) {
    await dropNext(host, request, next, task);
    throw refused(
      request,
      `${wrong.length} tables of the backup do not hold the rows that they held when they were dumped`,
    );
  }
  task.progress({ message: `Changing the names of ${database} and ${next}` });
  const answer = await onServer(host, request, SWAP_DATABASE, { next, before, oid: live.oid }, task);
  if (!isObject(answer) || answer.swapped !== true) {
    await dropNext(host, request, next, task);
    throw refused(request, isObject(answer) ? String(answer.why) : 'the host gave no answer about it');
  }
  return {
    database,
    destination: from.name,
    runId: manifest.runId,
    keptAs: before,
    safetyBackup,
    tables: restored.tables,
    seconds: Math.round(performance.now() - started) / 1000,
  };
}

/** Who restored them is gone, or another replacement is going on, and then this one waits. */
async function takeAwayLeftovers(
  host: Host,
  request: ReplaceRequest,
  leftovers: readonly Leftover[],
  task: Task,
): Promise<void> {
  if (leftovers.length === 0) return;
  const jobs = await listJobs(host, { name: 'Restore' }, task);
  const going = jobs.find(
    ({ state, intent }) =>
      (state.kind === 'running' || (state.kind === 'lost' && state.why === 'runner killed' && state.stillRunning)) &&
      intent.startsWith(`${request.source.name} `),
  );
  if (going !== undefined)
    throw refused(
      request,
      `a restore of ${request.source.name} is going on, as job ${going.id}; wait for it, or stop it`,
    );
  for (const { name } of leftovers) {
    task.progress({ message: `Taking away ${name}, which a replacement has left that was broken off` });
    await dropNext(host, request, name, task);
  }
}

/** A copy of the database takes what the database takes, or more where the backup holds more; and a tenth to work in. */
function neededBytes({ bytes }: Live, { facts }: Manifest): number {
  return Math.ceil(1.1 * Math.max(bytes, typeof facts.plainBytes === 'number' ? facts.plainBytes : 0));
}

function isFull(live: Live, manifest: Manifest): boolean {
  const freed = live.leftovers.reduce((sum, { bytes }) => sum + bytes, 0);
  return live.room !== null && live.room + freed < neededBytes(live, manifest);
}

function noRoom(live: Live, manifest: Manifest): string {
  return `its server has ${live.room ?? 0} bytes free, and the backup beside it will take about ${neededBytes(live, manifest)}`;
}

async function dumpFirst(host: Host, request: ReplaceRequest, timeoutMs: number, task: Task): Promise<string> {
  const { plan, source } = request;
  task.progress({ message: `Backing up ${source.database} as it is` });
  const own: BackupPlan = { ...plan, sources: [source] };
  const report = await awaitBackup(host, own, await startBackup(host, own, {}, task), { timeoutMs }, task);
  const [outcome] = report.sources;
  if (outcome !== undefined && outcome.status !== 'failed') return outcome.name;
  throw refused(request, `it could not be backed up first: ${outcome?.sentence ?? 'nothing is known of it'}`);
}

interface Live {
  readonly oid: number;
  readonly system: string;
  readonly bytes: number;
  readonly connections: number;
  readonly slots: number;
  readonly room: number | null;
  readonly leftovers: readonly Leftover[];
  readonly tables: readonly TableCount[] | undefined;
  readonly uncounted: string | null;
}

async function look(host: Host, request: ReplaceRequest, count: boolean, task: Task): Promise<Live> {
  const answer = await onServer(host, request, LOOK_AT_DATABASE, { count: count ? 'yes' : undefined }, task);
  const { database: facts, uncounted = null, tables, room = null } = isObject(answer) ? answer : {};
  if (!isObject(facts)) throw refused(request, 'what the server said about it cannot be read');
  const { there, oid, system, standby, bytes, connections, slots, prepared, leftovers } = facts;
  if (there !== true) throw refused(request, 'there is no such database, so a restore to a new one is what is wanted');
  if (standby === true) throw refused(request, 'this server is a standby; it has to be done on the primary');
  if (typeof prepared === 'number' && prepared > 0)
    throw refused(request, `${prepared} prepared transactions are open in it, which must be committed or rolled back`);
  if (
    typeof oid !== 'number' ||
    typeof system !== 'string' ||
    typeof bytes !== 'number' ||
    typeof connections !== 'number' ||
    typeof slots !== 'number'
  )
    throw refused(request, 'what the server said about it cannot be read');
  const why = typeof uncounted === 'string' ? uncounted : null;
  const left = (Array.isArray(leftovers) ? (leftovers as unknown[]) : []).flatMap((each): Leftover[] =>
    isObject(each) && typeof each.name === 'string' && typeof each.bytes === 'number'
      ? [{ name: each.name, bytes: each.bytes }]
      : [],
  );
  return {
    oid,
    system,
    bytes,
    connections,
    slots,
    room: typeof room === 'number' ? room : null,
    leftovers: left,
    tables: why === null ? parseTables(tables) : undefined,
    uncounted: why,
  };
}

async function theBackup(host: Host, { plan, source, name, from }: ReplaceRequest, task: Task): Promise<Manifest> {
  if (
    !/^[A-Za-z0-9_-]{1,63}$/.test(source.database) ||
    ['postgres', 'template0', 'template1'].includes(source.database)
  )
    throw refused(
      { source, name },
      'only a database with a name of letters, digits, _ and - can be replaced, and none that the server needs itself',
    );
  const manifest = await needManifest(host, plan.vault, { source: source.name, name }, from, task);
  if (manifest.facts.kind !== 'postgres') throw refused({ source, name }, 'it is no backup of a PostgreSQL database');
  if (typeof manifest.facts.database === 'string' && manifest.facts.database !== source.database)
    throw refused({ source, name }, `it is a backup of the database ${manifest.facts.database}`);
  return manifest;
}

async function onServer(
  host: Host,
  request: ReplaceRequest,
  script: string,
  fields: Fields,
  task: Task,
): Promise<unknown> {
  const { source } = request;
  return await runErrand(
    host,
    {
      name: 'Replace database',
      subject: source.database,
      script,
      fields: { ...accessFields(source, 'postgres'), database: source.database, ...fields },
      secrets: source.password === undefined ? [] : [source.password],
      timeoutMs: 3_600_000,
    },
    task,
  );
}

/** What cannot be taken away now is named in the failure that follows anyway. */
async function dropNext(host: Host, request: ReplaceRequest, next: string, task: Task): Promise<void> {
  try {
    await onServer(host, request, DROP_NEXT, { next }, task);
  } catch (error) {
    throw refused(request, `and ${next} could not be taken away again: ${messageOf(error)}`);
  }
}

function hashOf({ source, name, from, safety }: ReplaceRequest, { runId }: Manifest, live: Live): string {
  const { oid, system } = live;
  const leftovers = live.leftovers.map((each) => each.name);
  const what = { source: source.name, database: source.database, oid, system, leftovers };
  const content = { ...what, name, runId, from: from.name, safety };
  return createHash('sha256').update('selfhost replace database\n').update(canonicalJson(content)).digest('hex');
}

function differencesOf(now: readonly TableCount[], inBackup: readonly TableCount[]): TableLoss[] {
  const nameOf = ({ schema, table }: TableCount) => `${schema}.${table}`;
  const here = new Map(now.map((each) => [nameOf(each), each.rows]));
  const there = new Map(inBackup.map((each) => [nameOf(each), each.rows]));
  return [...new Set([...here.keys(), ...there.keys()])]
    .map((table) => ({ table, now: here.get(table) ?? null, inBackup: there.get(table) ?? null }))
    .filter((each) => each.now !== each.inBackup);
}

function rowsLost(differences: readonly TableLoss[]): number {
  return differences.reduce((sum, { now, inBackup }) => sum + Math.max(0, (now ?? 0) - (inBackup ?? 0)), 0);
}

function changed(database: string): Failure {
  return new Failure({
    code: 'replace_plan_changed',
    subject: `database ${database}`,
    message: `What would be replaced is not what was agreed to: ${database} is another database by now, another backup or way was chosen, or more is left of a replacement that was broken off`,
    nextStep: 'Preview again, look at it, and apply with the new hash. Nothing was changed.',
  });
}

function refused({ source, name }: Pick<ReplaceRequest, 'source' | 'name'>, why: string): Failure {
  return new Failure({
    code: 'replace_refused',
    subject: `database ${source.database} by backup ${name}`,
    message: `Database ${source.database} was not replaced: ${why}`,
    nextStep: 'It is as it was, and goes on. Mend what is named, and preview again.',
  });
}
