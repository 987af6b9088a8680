import { awaitJob } from '../host/jobs/await';
import { listJobs } from '../host/jobs/read';
import { withLock } from '../host/locks/lock';
import { readFile } from '../host/files/read';
import { writeFile } from '../host/files/write';
import { runCommand } from '../host/run';
import { describeHost, type Host } from '../host/host';
import { fileNameFor } from '../host/state-folder';
import { ageHours } from '../age';
import { Failure, isFailure } from '../failure';
import { isObject } from '../json';
import { backupTime } from '../manifest/names';
import type { Task } from '../task';
import { parseDescribed, withSecrets, type Described } from '../backup/described/described';
import { storedPlan } from '../backup/described/groups';
import { parseDescribedTree } from '../backup/described/tree';
import { chooseFrom, type Chosen } from '../backup/inventory/choose';
import { listStored, type Listing } from '../backup/inventory/listing';
import type { BackupPlan, DatabaseAccess, Destination, PostgresSource, Source, Vault } from '../backup/plan';
import { applyReplace, isDatabaseThere, previewReplace } from '../backup/replace';
import { restoreBackup, type RestoreTarget } from '../backup/restore';
import { restoreTree } from '../backup/tree/tree';
import type { RecoveryStep } from './steps';

export interface RecoverRequest {
  readonly step: RecoveryStep;
  readonly vault: Vault;
  /** Where the recovery kit was opened. Secrets that are in it are taken from there. */
  readonly kitFolder: string;
  /** For the secrets that are not. */
  readonly resolve: (reference: string) => Promise<string>;
}

export interface Recovered {
  readonly source: string;
  /** `found`: an earlier attempt had brought it back already. */
  readonly state: 'restored' | 'found';
  readonly backup: string;
  readonly madeAt: string;
  readonly ageHours: number;
  readonly destination: string;
  readonly seconds: number;
  readonly rows: number | null;
  readonly place: string;
}

/** Beside the kit, so that it goes with the host and is of this recovery alone. */
export const RECOVERY_FOLDER = '/var/lib/selfhost/recovery';
const RESTORING_MS = 12 * 3_600_000;

/**
 * Brings one thing back from the newest good backup of it, wherever that is, unless it is back. What is there and is none
 * of ours is never written over. It may be killed and called again at any moment: a restore that still goes on is waited
 * for, what it has completed is found, and what it has only begun begins anew.
 */
export async function recover(host: Host, request: RecoverRequest, task: Task): Promise<readonly Recovered[]> {
  const { step } = request;
  const lock = { owner: task.owner, waitMs: RESTORING_MS };
  return await withLock(host, `recovery of ${step.name}`, lock, task, async (_, work) => {
    const done = await noted(host, step.name, work);
    if (done !== undefined) return done.map((one) => ({ ...one, state: 'found' as const }));
    const found = step.does === 'tree' ? [await tree(host, request, work)] : await sources(host, request, work);
    await write(host, fileOf('done', step.name), found, work);
    return found;
  });
}

async function sources(host: Host, request: RecoverRequest, task: Task): Promise<readonly Recovered[]> {
  const { step, vault, kitFolder, resolve } = request;
  const described = parseDescribed(step.plan, vault, host.target.name);
  const secret = secretFrom(host, step.keys, kitFolder, resolve, task);
  const listings = await listStored(host, vault, described.plan.destinations, task);
  const stored = await withSecrets(storedPlan(described, listings), secret);
  if (stored.sources.length === 0) throw none(host, step, described, listings);
  const found: Recovered[] = [];
  // Roles own databases, so they come first.
  const order = (one: Source) => (one.kind === 'postgres-globals' || one.kind === 'mysql-accounts' ? 0 : 1);
  for (const source of [...stored.sources].sort((one, other) => order(one) - order(other)))
    found.push(await oneSource(host, { plan: stored, source, listings }, task));
  return found;
}

interface Wanted {
  readonly plan: BackupPlan;
  readonly source: Source;
  readonly listings: readonly Listing[];
}

async function oneSource(host: Host, { plan, source, listings }: Wanted, task: Task): Promise<Recovered> {
  const chosen = chooseFrom(listings, source, 'latest', plan.destinations);
  await untilNoRestoreGoes(host, source.name, task);
  const begun = await begin(host, source.name, task);
  const trials = await firstGood(chosen, async (from) => {
    const timeoutMs = RESTORING_MS;
    const request = { vault: plan.vault, backup: chosen.backup, from, timeoutMs };
    if (source.kind === 'postgres') return await database(host, { plan, source, chosen, from, begun }, task);
    const target = targetOf(source);
    const path = 'path' in target ? target.path : '';
    if (path !== '' && (await makeWay(host, path, begun, task)) === 'there') return found(path);
    const { seconds, tables } = await restoreBackup(host, { ...request, target }, task);
    if (source.kind === 'sqlite') await giveToItsFolder(host, path, task);
    return { state: 'restored' as const, seconds, rows: rowsOf(tables), place: path === '' ? 'its server' : path };
  });
  return { source: source.name, ...facts(chosen), ...trials };
}

async function tree(host: Host, request: RecoverRequest, task: Task): Promise<Recovered> {
  const { step, vault, kitFolder, resolve } = request;
  const { plan } = parseDescribedTree(step.plan, vault, host.target.name);
  const password = await secretFrom(host, step.keys, kitFolder, resolve, task)(plan.password);
  const target = plan.tree.path;
  if (target === undefined) throw inTheWay(host, step.name, 'it is a bucket, which is where it was');
  const listings = await listStored(host, vault, plan.destinations, task);
  const chosen = chooseFrom(listings, plan.tree, 'latest', plan.destinations);
  await untilNoRestoreGoes(host, plan.tree.name, task);
  const begun = await begin(host, step.name, task);
  const trials = await firstGood(chosen, async ({ name }) => {
    const from = plan.destinations.find((one) => one.name === name) ?? plan.destinations[0];
    if ((await makeWay(host, target, begun, task)) === 'there') return found(target);
    const place = { ...plan, password, backup: chosen.backup, from, target, timeoutMs: 2 * RESTORING_MS };
    const { seconds } = await restoreTree(host, place, task);
    return { state: 'restored' as const, seconds, rows: null, place: target };
  });
  return { source: plan.tree.name, ...facts(chosen), ...trials };
}

type Outcome = Pick<Recovered, 'state' | 'seconds' | 'rows' | 'place'>;

const found = (place: string): Outcome => ({ state: 'found', seconds: 0, rows: null, place });

/** One destination after the other, until one gives it whole. */
async function firstGood(
  { at }: Pick<Chosen, 'at'>,
  attempt: (from: Destination) => Promise<Outcome>,
): Promise<Outcome & { readonly destination: string }> {
  const [first, next, ...rest] = at;
  try {
    return { ...(await attempt(first)), destination: first.name };
  } catch (error) {
    const mayBeTheCopy = isFailure(error, 'restore_failed') || isFailure(error, 'backup_unreachable');
    if (next === undefined || !mayBeTheCopy) throw error;
    return await firstGood({ at: [next, ...rest] }, attempt);
  }
}

function facts({ backup }: Chosen): Pick<Recovered, 'backup' | 'madeAt' | 'ageHours'> {
  const made = backupTime(backup.name) ?? new Date(0);
  return {
    backup: backup.name,
    madeAt: made.toISOString(),
    ageHours: ageHours(made),
  };
}

function rowsOf(tables: readonly { readonly rows: number }[]): number | null {
  return tables.length === 0 ? null : tables.reduce((sum, { rows }) => sum + rows, 0);
}

function targetOf(source: Exclude<Source, PostgresSource>): RestoreTarget {
  switch (source.kind) {
    case 'directory':
      return { kind: 'directory', path: source.path };
    case 'sqlite':
      return { kind: 'file', path: source.path };
    case 'docker-volume': {
      const { volume, dockerSocket } = source;
      return { kind: 'docker-volume', volume, ...(dockerSocket !== undefined && { dockerSocket }) };
    }
    case 'postgres-globals':
      return { kind: 'postgres-roles', access: accessOf(source) };
    case 'mysql':
      return { kind: 'mysql', database: source.database, access: accessOf(source) };
    case 'command':
    case 'redis':
    case 'mysql-accounts':
      return { kind: 'file', path: fileOf('outputs', source.name) };
  }
}

function accessOf({ runAs, address, port, user, password, container, dockerSocket }: DatabaseAccess): DatabaseAccess {
  return { runAs, address, port, user, password, container, dockerSocket };
}

interface Database {
  readonly plan: BackupPlan;
  readonly source: PostgresSource;
  readonly chosen: Chosen;
  readonly from: Destination;
  readonly begun: boolean;
}

/** A container makes an empty database of that name, or none. Into an empty one it comes with its owners, all at once. */
async function database(host: Host, { plan, source, chosen, from, begun }: Database, task: Task): Promise<Outcome> {
  const { backup } = chosen;
  const place = `database ${source.database}`;
  const timeoutMs = RESTORING_MS;
  const request = { plan, source, name: backup.name, from, safety: 'aside', timeoutMs } as const;
  if (!(await isDatabaseThere(host, request, task))) {
    const target = { kind: 'postgres', database: source.database, access: accessOf(source) } as const;
    const restored = await restoreBackup(host, { vault: plan.vault, backup, from, target, timeoutMs }, task);
    return { state: 'restored', seconds: restored.seconds, rows: rowsOf(restored.tables), place };
  }
  const { hash, differences } = await previewReplace(host, request, task);
  if (begun && differences !== null && differences.length === 0) return found(place);
  const holdsRows = differences === null || differences.some(({ now }) => now !== null && now > 0);
  if (holdsRows && !begun) throw inTheWay(host, place, 'it holds rows already, which are not of this recovery');
  const replaced = await applyReplace(host, { ...request, hash }, task);
  return { state: 'restored', seconds: replaced.seconds, rows: rowsOf(replaced.tables), place };
}

/** Whoever started it may be gone; it is a job, and goes on. */
async function untilNoRestoreGoes(host: Host, source: string, task: Task): Promise<void> {
  const jobs = await listJobs(host, { name: 'Restore', states: ['running'] }, task);
  for (const { id, run, intent } of jobs)
    if (intent.startsWith(`${source} `)) await awaitJob(host, id, { run, timeoutMs: RESTORING_MS }, task);
}

const LOOK = `
path=$1
mkdir -p -- "\${path%/*}"
if [ -d "$path" ] && [ ! -L "$path" ]; then
  # Docker and Compose make empty folders for what they mount.
  if rmdir -- "$path" 2>/dev/null; then echo missing; else echo there; fi
elif [ -e "$path" ] || [ -L "$path" ]; then echo there
else echo missing
fi
`;

/** A folder or file appears at its path only when it is complete: what is there after a beginning of ours is done. */
async function makeWay(host: Host, path: string, begun: boolean, task: Task): Promise<'free' | 'there'> {
  const { stdout } = await runCommand(host, { script: LOOK, arguments: [path] }, {}, task);
  if (stdout.trim() !== 'there') return 'free';
  if (begun) return 'there';
  throw inTheWay(host, path, 'something is there already, which is not of this recovery');
}

/** SQLite wants to write beside its file, as whoever owns the folder. */
async function giveToItsFolder(host: Host, path: string, task: Task): Promise<void> {
  const script = 'chown --reference="${1%/*}" -- "$1"';
  await runCommand(host, { script, arguments: [path] }, {}, task);
}

function secretFrom(
  host: Host,
  keys: RecoveryStep['keys'],
  kitFolder: string,
  resolve: (reference: string) => Promise<string>,
  task: Task,
): (reference: string) => Promise<string> {
  return async (reference) => {
    const name = keys[reference];
    if (name === undefined) return await resolve(reference);
    try {
      const { content } = await readFile(host, `${kitFolder}/keys/${name}`, { maxBytes: 65_536 }, task);
      return content.toString('utf8');
    } catch (error) {
      if (!isFailure(error, 'file_missing')) throw error;
      return await resolve(reference);
    }
  };
}

/** What a recovery has begun and what it has done, on the host that it is about. */
function fileOf(folder: 'begun' | 'done' | 'outputs', name: string): string {
  return `${RECOVERY_FOLDER}/${folder}/${fileNameFor(name)}`;
}

/** Whether it had been begun before. */
async function begin(host: Host, name: string, task: Task): Promise<boolean> {
  const before = await readJson(host, fileOf('begun', name), task);
  if (before === undefined) await write(host, fileOf('begun', name), { at: new Date().toISOString() }, task);
  return before !== undefined;
}

async function noted(host: Host, name: string, task: Task): Promise<readonly Recovered[] | undefined> {
  const known = await readJson(host, fileOf('done', name), task);
  if (!Array.isArray(known)) return undefined;
  const all = known.map(parseRecovered);
  return all.every((one) => one !== undefined) ? all : undefined;
}

/** Undefined: it is none of ours, or of a version that noted other things. Then it is looked at anew what is there. */
function parseRecovered(value: unknown): Recovered | undefined {
  const { source, state, backup, madeAt, ageHours, destination, seconds, rows, place } = isObject(value) ? value : {};
  if (state !== 'restored' && state !== 'found') return undefined;
  if (typeof ageHours !== 'number' || typeof seconds !== 'number') return undefined;
  if (typeof rows !== 'number' && rows !== null) return undefined;
  if (typeof source !== 'string' || typeof backup !== 'string' || typeof madeAt !== 'string') return undefined;
  if (typeof destination !== 'string' || typeof place !== 'string') return undefined;
  return { source, state, backup, madeAt, ageHours, destination, seconds, rows, place };
}

async function readJson(host: Host, path: string, task: Task): Promise<unknown> {
  try {
    const { content } = await readFile(host, path, {}, task);
    return JSON.parse(content.toString('utf8')) as unknown;
  } catch (error) {
    if (isFailure(error, 'file_missing')) return undefined;
    throw error;
  }
}

async function write(host: Host, path: string, value: unknown, task: Task): Promise<void> {
  const content = Buffer.from(`${JSON.stringify(value)}\n`);
  await writeFile(host, path, content, { mode: '0600', createParents: true }, task);
}

function none(host: Host, { name }: RecoveryStep, { groups }: Described, listings: readonly Listing[]): Failure {
  const dead = listings.flatMap((one) => (one.kind === 'unreachable' ? [`${one.destination}: ${one.why}`] : []));
  return new Failure({
    code: 'backup_missing',
    subject: `the backup of ${name}`,
    message: `No destination holds a good backup of ${name}${groups.length > 0 ? ' or anything of it' : ''}${dead.length > 0 ? `; ${dead.join('; ')}` : ''}`,
    nextStep: `Check from ${describeHost(host)} that the destinations can be reached with the rclone.conf of the kit.`,
  });
}

function inTheWay(host: Host, what: string, why: string): Failure {
  return new Failure({
    code: 'recovery_in_the_way',
    subject: `${what} on ${describeHost(host)}`,
    message: `${what} was not restored on ${describeHost(host)}: ${why}`,
    nextStep: 'Nothing was written over. Move away what is there, or restore it by hand to another place.',
  });
}
