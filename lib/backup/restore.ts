import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { isObject } from '../json';
import type { Manifest } from '../manifest/manifest';
import type { Task } from '../task';
import { runErrand } from './on-host';
import { isDockerName, type Destination, type MysqlAccess, type PostgresAccess, type Vault } from './plan';
import { accessFields, secretsOf, type Fields } from './plan-fields';
import { RESTORE } from './script/restore';
import {
  backupFields,
  needManifest,
  parseTables,
  partFields,
  refuseTree,
  type BackupId,
  type TableCount,
} from './stored';

/** Always something that is not there yet; nothing is ever restored over anything. */
export type RestoreTarget =
  /** The stream as it was produced: a dump, an SQLite file, the output of a command. */
  | { readonly kind: 'file'; readonly path: string }
  /** Unpacks a directory or a volume; with `only` just these paths of it. */
  | { readonly kind: 'directory'; readonly path: string; readonly only?: readonly string[] }
  /** Unpacks a directory or a volume into a new volume of Docker. */
  | { readonly kind: 'docker-volume'; readonly volume: string; readonly dockerSocket?: string }
  | {
      readonly kind: 'postgres';
      readonly database: string;
      readonly access: PostgresAccess;
      /** A database that it will stand in for: it gets the owner and settings of that one, and the dump's own owners and grants. */
      readonly like?: string;
    }
  | { readonly kind: 'mysql'; readonly database: string; readonly access: MysqlAccess }
  /** Roles and tablespaces into a server that has none of its own yet. Those that it has get the attributes and passwords of the backup. */
  | { readonly kind: 'postgres-roles'; readonly access: PostgresAccess };

export interface RestoreRequest {
  readonly vault: Vault;
  readonly backup: BackupId;
  readonly from: Destination;
  readonly timeoutMs?: number;
}

export interface Restored {
  readonly destination: string;
  readonly runId: string;
  readonly seconds: number;
  /** Counted after the restore, where there are tables. */
  readonly tables: readonly TableCount[];
}

/** Restores one backup from one destination to a place on the host. */
export async function restoreBackup(
  host: Host,
  request: RestoreRequest & { readonly target: RestoreTarget },
  task: Task,
): Promise<Restored> {
  const { target, from, backup } = request;
  checkTarget(target, backup);
  const manifest = await needManifest(host, request.vault, backup, from, task);
  refuseTree(manifest, backup);
  refuseMismatch(target, manifest, backup);
  const outcome = await run(host, request, manifest, targetFields(target), task);
  if (!outcome.restored) {
    throw new Failure({
      code: 'restore_failed',
      subject: `backup ${backup.source} ${backup.name} from ${from.name}`,
      message: `Nothing was restored on ${describeHost(host)}: ${outcome.why}`,
      nextStep: 'What was begun has been taken away again. Verify this copy, or restore from another destination.',
    });
  }
  return { destination: from.name, runId: manifest.runId, seconds: outcome.seconds, tables: outcome.tables };
}

export interface Drill {
  readonly destination: string;
  readonly restorable: boolean;
  readonly seconds: number;
  /** `restorable: yes, from eva in 12 s`, or why not. */
  readonly sentence: string;
  /** Tables whose number of rows is not what the dump's own snapshot held. */
  readonly differences: readonly {
    readonly table: string;
    readonly expected: number | null;
    readonly found: number | null;
  }[];
  readonly tables: number;
  /** What pg_amcheck or CHECK TABLE said; null where it does not apply or nothing was restored. */
  readonly amcheck: boolean | null;
}

/** Restores into something that is thrown away, and compares it with what the manifest remembers. */
export async function drillRestore(
  host: Host,
  request: RestoreRequest & {
    /** Where the throwaway database or file is made; the data stands there in plain until the drill is over. Default /var/tmp. */
    readonly folder?: string;
    /** Databases go into a container of this image, without a network, instead of a server of the host's own programs. */
    readonly container?: { readonly image: string; readonly dockerSocket?: string };
  },
  task: Task,
): Promise<Drill> {
  const { from, backup, folder = '/var/tmp', container } = request;
  if (container !== undefined && !/^[a-z0-9][A-Za-z0-9_.:/@-]{0,300}$/.test(container.image))
    throw unusable(backup, 'the image for the drill has no plain name');
  const manifest = await needManifest(host, request.vault, backup, from, task);
  refuseTree(manifest, backup);
  const target = {
    target: 'drill',
    'target.path': folder,
    'drill.image': container?.image,
    'drill.dockerSocket': container?.dockerSocket,
  };
  const outcome = await run(host, request, manifest, target, task);
  const expected = parseTables(manifest.facts.tables);
  const differences = expected === undefined || !outcome.restored ? [] : compare(expected, outcome.tables);
  const restorable = outcome.restored && differences.length === 0 && outcome.amcheck !== false;
  const reason = !outcome.restored
    ? outcome.why
    : differences.length > 0
      ? `${differences.length} tables do not hold the rows they held when they were dumped`
      : 'the check of the restored tables found damage';
  return {
    destination: from.name,
    restorable,
    seconds: outcome.seconds,
    sentence: restorable
      ? `Restorable: yes, from ${from.name} in ${outcome.seconds.toFixed(1)} s`
      : `Restorable: no, not from ${from.name}: ${reason}`,
    differences,
    tables: outcome.tables.length,
    amcheck: outcome.amcheck,
  };
}

function compare(expected: readonly TableCount[], found: readonly TableCount[]): Drill['differences'] {
  const nameOf = ({ schema, table }: TableCount) => `${schema}.${table}`;
  const before = new Map(expected.map((each) => [nameOf(each), each.rows]));
  const after = new Map(found.map((each) => [nameOf(each), each.rows]));
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((table) => before.get(table) !== after.get(table))
    .map((table) => ({ table, expected: before.get(table) ?? null, found: after.get(table) ?? null }));
}

interface Outcome {
  readonly restored: boolean;
  readonly why: string;
  readonly seconds: number;
  readonly tables: readonly TableCount[];
  readonly amcheck: boolean | null;
}

async function run(
  host: Host,
  request: RestoreRequest,
  manifest: Manifest,
  target: Fields,
  task: Task,
): Promise<Outcome> {
  const { vault, backup, from, timeoutMs = 12 * 3_600_000 } = request;
  const password = target['source.0.password'];
  const secrets = [...secretsOf(vault), ...(typeof password === 'string' ? [password] : [])];
  const answer = await runErrand(
    host,
    {
      name: target.target === 'drill' ? 'Restore drill' : 'Restore',
      subject: `${backup.source} ${backup.name}`,
      script: RESTORE,
      fields: {
        ...backupFields(backup, vault, [from]),
        ...partFields(manifest),
        ...target,
        deadline: Math.ceil(timeoutMs / 1000),
      },
      secrets,
      timeoutMs,
    },
    task,
  );
  const tables = isObject(answer) ? parseTables(answer.tables) : undefined;
  if (
    !isObject(answer) ||
    tables === undefined ||
    typeof answer.restored !== 'boolean' ||
    typeof answer.seconds !== 'number'
  ) {
    throw new Failure({
      code: 'restore_answer_unreadable',
      subject: `backup ${backup.source} ${backup.name}`,
      message: 'The restore ended, but its answer cannot be read',
      nextStep: 'Read the log of the job on the host before using what may be there.',
    });
  }
  const { restored, seconds, why, amcheck } = answer;
  return {
    restored,
    seconds,
    tables,
    why: typeof why === 'string' && why !== '' ? why : 'no reason was given',
    amcheck: typeof amcheck === 'boolean' ? amcheck : null,
  };
}

function targetFields(target: RestoreTarget): Fields {
  switch (target.kind) {
    case 'file':
      return { target: 'file', 'target.path': target.path };
    case 'directory': {
      const { path, only = [] } = target;
      const named = Object.fromEntries(only.map((each, index) => [`only.${index}`, each]));
      return { target: 'directory', 'target.path': path, onlys: only.length, ...named };
    }
    case 'postgres-roles':
      return { target: 'roles', ...accessFields(target.access, 'postgres') };
    case 'docker-volume':
      return { target: target.kind, 'target.volume': target.volume, 'source.0.dockerSocket': target.dockerSocket };
    case 'postgres':
    case 'mysql':
      return {
        target: target.kind,
        'target.database': target.database,
        'target.like': target.kind === 'postgres' ? target.like : undefined,
        ...accessFields(target.access, target.kind),
      };
  }
}

function checkTarget(target: RestoreTarget, backup: BackupId): void {
  if (target.kind === 'postgres-roles') return;
  if (target.kind === 'docker-volume') {
    if (!isDockerName(target.volume)) throw unusable(backup, 'the new volume has no plain name');
    return;
  }
  if (target.kind === 'postgres' || target.kind === 'mysql') {
    if (!/^[A-Za-z0-9_-]{1,63}$/.test(target.database))
      throw unusable(backup, 'the new database needs a name of letters, digits, _ and -');
    if (target.access.container !== undefined && !isDockerName(target.access.container))
      throw unusable(backup, 'the container has no plain name');
    return;
  }
  if (!target.path.startsWith('/') || target.path.length < 2 || /[\n\0]/.test(target.path))
    throw unusable(backup, 'the place to restore to is not an absolute path');
  if (target.kind === 'directory') {
    for (const path of target.only ?? []) {
      if (path === '' || path.startsWith('/') || /[\n\0]/.test(path) || path.split('/').includes('..'))
        throw unusable(backup, `"${path.slice(0, 100)}" is no path below the directory that was backed up`);
    }
  }
}

function refuseMismatch(target: RestoreTarget, { facts }: Manifest, backup: BackupId): void {
  const kind = typeof facts.kind === 'string' ? facts.kind : 'something unknown';
  const isFiles = kind === 'directory' || kind === 'docker-volume';
  if (target.kind === 'postgres-roles' && kind !== 'postgres-globals')
    throw unusable(backup, `it holds ${kind}, and no roles`);
  if ((target.kind === 'postgres' || target.kind === 'mysql') && kind !== target.kind)
    throw unusable(backup, `it holds ${kind}, which does not go into a database of ${target.kind}`);
  if ((target.kind === 'directory' || target.kind === 'docker-volume') && !isFiles)
    throw unusable(backup, `it holds ${kind}, which is one file and no directory`);
}

function unusable(backup: BackupId, why: string): Failure {
  return new Failure({
    code: 'restore_unusable',
    subject: `backup ${backup.source} ${backup.name}`,
    message: `Backup ${backup.name} of ${backup.source} cannot be restored like that: ${why}`,
    nextStep: 'Choose another target. Nothing was changed.',
  });
}
