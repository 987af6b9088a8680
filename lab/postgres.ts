import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startInBackground } from './hosts/background';
import { openLedger, type Ledger } from './hosts/ledger';
import { findProgram, isRoot, run } from './hosts/programs';
import { freePort } from './ports';
import { until } from './hosts/waiting';

export interface PostgresServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** The folder of its Unix socket. */
  readonly socketFolder: string;
  readonly log: () => Promise<string>;
  /** Runs SQL as the superuser and returns what psql prints, unaligned. */
  readonly sql: (text: string) => Promise<string>;
  /** Ends the server; `crash` is a power cut, without a farewell to its clients. */
  readonly down: (how?: 'stop' | 'crash') => Promise<void>;
  /** Starts it again on the same port with the same data. */
  readonly up: () => Promise<void>;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/** A real PostgreSQL with a fresh data folder and a port of its own, asking for a password. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const programs = await postgresPrograms();
  const ledger = await openLedger();
  try {
    return await start(programs, ledger, settings);
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

async function start(
  programs: string,
  ledger: Ledger,
  settings: Readonly<Record<string, string>>,
): Promise<PostgresServer> {
  const user = await serverUser();
  const home = join(ledger.folder, 'postgres');
  const data = join(home, 'data');
  const logFile = join(home, 'log');
  await mkdir(home, { mode: 0o700 });
  if (user !== undefined) await chown(home, user.uid, user.gid);
  const password = randomBytes(18).toString('base64url');
  const passwordFile = join(home, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  const port = await freePort();

  const initdb = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--no-locale', '--no-sync', `--pwfile=${passwordFile}`];
  await run([join(programs, 'initdb'), ...initdb, '--auth=scram-sha-256'], { folder: home, user });

  let child: number | undefined;
  const sql = (text: string) =>
    run(
      [
        join(programs, 'psql'),
        '-XAtq',
        '-v',
        'ON_ERROR_STOP=1',
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-U',
        'postgres',
      ],
      {
        input: text,
        environment: { PGPASSWORD: password },
        deadlineMs: 30_000,
      },
    );
  const up = async () => {
    const options = Object.entries({
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: home,
      // A commit that was answered survives a crash of the server either way; only a crash of the machine would show.
      fsync: 'off',
      ...settings,
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const argv = [join(programs, 'postgres'), '-D', data, ...options] as const;
    const server = startInBackground(ledger, { name: 'PostgreSQL', argv, log: logFile, folder: home, user });
    child = server.pid;
    await until(`PostgreSQL answers on port ${port}`, 30_000, async () => {
      await server.mustRun();
      return (await sql('select 1').catch(() => '')).trim() === '1' ? true : undefined;
    });
  };
  const down = async (how: 'stop' | 'crash' = 'stop') => {
    const pid = child;
    if (pid === undefined) return;
    // SIGINT ends the sessions and writes everything down, SIGQUIT does neither.
    process.kill(pid, how === 'stop' ? 'SIGINT' : 'SIGQUIT');
    await until('PostgreSQL has ended', 30_000, () => (isAlive(pid) ? undefined : true));
    child = undefined;
  };
  await up();
  return {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    database: 'postgres',
    socketFolder: home,
    log: () => readFile(logFile, 'utf8'),
    sql,
    down,
    up,
    stop: async () => {
      await down().catch(() => undefined);
      await ledger.clear();
    },
  };
}

type User = { readonly uid: number; readonly gid: number };

/** PostgreSQL refuses to run as root, so root runs it as the user of Debian's package. */
async function serverUser(): Promise<User | undefined> {
  if (!isRoot()) return undefined;
  const id = async (what: string) => Number((await run(['id', what, 'postgres'])).trim());
  return { uid: await id('-u'), gid: await id('-g') };
}

export async function postgresPrograms(): Promise<string> {
  const base = '/usr/lib/postgresql';
  const versions = (await readdir(base).catch((): string[] => [])).map(Number).filter(Number.isInteger);
  const newest = Math.max(...versions);
  if (Number.isFinite(newest)) return join(base, String(newest), 'bin');
  const initdb = await findProgram('initdb');
  if (initdb === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return join(initdb, '..');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
