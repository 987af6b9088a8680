import { createHash } from 'node:crypto';
import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { runCommand } from '../host/run';
import { redact } from '../secrets/redact';
import type { Task } from '../task';
import type { DatabaseAccess, MysqlAccess, PostgresAccess, Source, SqliteSource } from './plan';
import { accessFields, renderFields } from './plan-fields';
import { LIST_DATABASES, LIST_SQLITE } from './script/discover';

/** Every database of a PostgreSQL server, with its roles. New ones are in the next backup without anybody doing anything. */
export interface EveryPostgres extends PostgresAccess {
  readonly kind: 'every-postgres';
  /** Begins the name of each: `postgres` gives `postgres/immich`. */
  readonly name: string;
  readonly except?: readonly string[];
}

/** Every database of a MariaDB or MySQL server but its own, and with MariaDB the accounts. */
export interface EveryMysql extends MysqlAccess {
  readonly kind: 'every-mysql';
  readonly name: string;
  readonly except?: readonly string[];
}

/** Every SQLite database below a folder of one file system, found by the first bytes of its file, whatever it is called. */
export interface EverySqlite extends Pick<SqliteSource, 'scratch'> {
  readonly kind: 'every-sqlite';
  readonly name: string;
  readonly path: string;
  /** Paths below the folder that are left out, with all that is below them. */
  readonly except?: readonly string[];
}

export type WantedSource = Source | EveryPostgres | EveryMysql | EverySqlite;

/** How a list ended is judged here, so that the failure says what could not be listed. */
const ANY = [...Array(256).keys()];

/** The sources there are right now. That none is found where some are expected is a failure, never an empty backup. */
export async function expandSources(
  host: Host,
  wanted: readonly WantedSource[],
  task: Task,
): Promise<[Source, ...Source[]]> {
  const sources: Source[] = [];
  for (const each of wanted) sources.push(...(await expand(host, each, task)));
  const [first, ...rest] = sources;
  if (first === undefined) throw nothing(host, 'the plan names no source');
  return [first, ...rest];
}

async function expand(host: Host, wanted: WantedSource, task: Task): Promise<Source[]> {
  switch (wanted.kind) {
    case 'every-postgres': {
      const { kind: _, name, except = [], ...access } = wanted;
      const databases = await databasesOf(host, 'postgres', access, except, task);
      const named = uniqueNames(name, databases);
      return [
        { kind: 'postgres-globals', name: `${name}/globals`, ...access },
        ...databases.map((database, index) => ({
          kind: 'postgres' as const,
          name: named[index] ?? '',
          database,
          ...access,
        })),
      ];
    }
    case 'every-mysql': {
      const { kind: _, name, except = [], ...access } = wanted;
      const found = await databasesOf(host, 'mysql', access, except, task);
      // Only MariaDB's programs can dump accounts as SQL that another server takes.
      const [flavour, ...databases] = found;
      const named = uniqueNames(name, databases);
      const accounts = { kind: 'mysql-accounts' as const, name: `${name}/accounts`, ...access };
      return [
        ...(flavour === 'mariadb' ? [accounts] : []),
        ...databases.map((database, index) => ({
          kind: 'mysql' as const,
          name: named[index] ?? '',
          database,
          ...access,
        })),
      ];
    }
    case 'every-sqlite': {
      const { name, path, except = [], scratch } = wanted;
      const files = await sqliteFiles(host, path, except, task);
      const named = uniqueNames(name, files);
      return files.map((file, index) => ({
        kind: 'sqlite',
        name: named[index] ?? '',
        path: `${path.replace(/\/+$/, '')}/${file}`,
        ...(scratch !== undefined && { scratch }),
      }));
    }
    default:
      return [wanted];
  }
}

async function databasesOf(
  host: Host,
  kind: 'postgres' | 'mysql',
  access: PostgresAccess,
  except: readonly string[],
  task: Task,
): Promise<string[]> {
  const { flavour, databases } = await listDatabases(host, kind, access, task);
  const left = databases.filter((name) => !except.includes(name));
  if (left.length === 0) throw nothing(host, 'the server has no database that is wanted');
  return flavour === undefined ? left : [flavour, ...left];
}

/** Every database of a server but its own; with MariaDB and MySQL also which of them it is. */
export async function listDatabases(
  host: Host,
  kind: 'postgres' | 'mysql',
  access: DatabaseAccess,
  task: Task,
): Promise<{ readonly flavour?: string; readonly databases: readonly string[] }> {
  const input = renderFields(accessFields(access, kind));
  const options = { timeoutMs: 120_000, maxOutputBytes: 4 * 1024 * 1024, acceptExitCodes: ANY };
  const { stdout, stderr, exitCode, truncated } = await runCommand(
    host,
    { script: LIST_DATABASES, strict: false, input },
    options,
    task,
  );
  const list = stdout.split('\0').slice(0, -1);
  if (exitCode !== 0 || truncated || list.at(-1) !== 'end') {
    const secrets = access.password === undefined ? [] : [access.password];
    throw nothing(host, redact(stderr.trim().slice(-400), secrets) || 'the server gave no list');
  }
  const databases = list.slice(0, -1);
  if (kind === 'postgres') return { databases };
  const [flavour = '', ...others] = databases;
  return { flavour, databases: others };
}

async function sqliteFiles(host: Host, path: string, except: readonly string[], task: Task): Promise<string[]> {
  const list = [path, ...except.map((each) => each.replace(/^\.?\/+/, '').replace(/\/+$/, ''))];
  const options = { timeoutMs: 600_000, maxOutputBytes: 16 * 1024 * 1024, acceptExitCodes: ANY };
  const command = { script: LIST_SQLITE, strict: false, arguments: list } as const;
  const { stdout, stderr, exitCode, truncated } = await runCommand(host, command, options, task);
  const files = stdout.split('\0').slice(0, -1);
  // A folder that could not be looked into may hold what nobody would miss until it is gone.
  if (exitCode !== 0 || truncated || files.at(-1) !== 'end' || /denied|Input\/output error/i.test(stderr))
    throw nothing(host, stderr.trim().slice(-400) || `${path} could not be searched`);
  const found = files.slice(0, -1).sort();
  if (found.length === 0) throw nothing(host, `there is no SQLite database below ${path}`);
  return found;
}

/** Names a manifest can carry. What had to be changed, or would be taken twice, gets a mark made of the whole name. */
export function uniqueNames(prefix: string, names: readonly string[]): string[] {
  const folders = new Map<string, number>();
  const plain = names.map((name) => name.replace(/[^A-Za-z0-9._/@ -]+/g, '-').slice(0, 60));
  const folder = (name: string) => name.toLowerCase().replace(/[^a-z0-9._]+/g, '-');
  for (const name of plain) folders.set(folder(name), (folders.get(folder(name)) ?? 0) + 1);
  return plain.map((name, index) => {
    const whole = names[index] ?? '';
    const mark = createHash('sha256').update(whole).digest('hex').slice(0, 8);
    return name === whole && folders.get(folder(name)) === 1 ? `${prefix}/${name}` : `${prefix}/${name}-${mark}`;
  });
}

function nothing(host: Host, why: string): Failure {
  return new Failure({
    code: 'backup_nothing_found',
    subject: `sources on ${describeHost(host)}`,
    message: `What is to be backed up could not be listed on ${describeHost(host)}: ${why.replace(/\s+/g, ' ')}`,
    nextStep: 'Mend it, or name the sources one by one. Nothing was started.',
  });
}
