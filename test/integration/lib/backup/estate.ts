import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { freePort } from '../../../../lab/ports';
import { until } from '../../../../lab/hosts/waiting';
import { startPostgres, type PostgresServer } from '../../../../lab/postgres';
import { awaitBackup, startBackup } from '../../../../lib/backup/scatter';
import type { BackupPlan, Destination, PostgresSource, Vault } from '../../../../lib/backup/plan';
import type { BackupReport } from '../../../../lib/backup/report';
import { startMachine, taskOf, type Machine } from '../host/machine';

/** A source host with a database, and places to send its backups to. Everything is gone after stop(). */
export interface Estate {
  readonly machine: Machine;
  /** Where the destinations over SFTP are. */
  readonly eva: SshHost;
  readonly postgres: PostgresServer;
  readonly folder: string;
  readonly spool: string;
  readonly logFile: string;
  readonly vault: Vault;
  readonly configFile: string;
  readonly passwords: readonly string[];
  /** A folder on this machine. It counts as a host of its own. */
  readonly local: (name: string) => Destination;
  /** Over the lab's sshd. */
  readonly sftp: (name: string) => Destination;
  /** Over `rclone serve webdav`, which tells no hashes. */
  readonly webdav: (name: string) => Destination;
  readonly pathOf: (name: string) => string;
  readonly database: PostgresSource;
  readonly plan: (change: Partial<BackupPlan> & Pick<BackupPlan, 'destinations'>) => BackupPlan;
  readonly backUp: (plan: BackupPlan, timeoutMs?: number) => Promise<BackupReport>;
  readonly rclone: (...list: string[]) => Promise<string>;
  readonly stop: () => Promise<void>;
}

const task = taskOf('backup test');

const refuseDatabase = () => Promise.reject(new Error('This estate was started without a database'));
const NO_POSTGRES: PostgresServer = {
  host: '127.0.0.1',
  port: 1,
  user: 'nobody',
  password: 'there-is-no-database',
  database: 'none',
  socketFolder: '/nonexistent',
  log: refuseDatabase,
  sql: refuseDatabase,
  down: refuseDatabase,
  up: refuseDatabase,
  stop: () => Promise.resolve(),
};

/** Without a database it is there some seconds earlier. */
export async function startEstate({ database: withDatabase = true } = {}): Promise<Estate> {
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-backup-test-'));
  const [machine, eva, postgres] = await Promise.all([
    startMachine('bruno'),
    startSshHost({ name: 'eva' }),
    withDatabase ? startPostgres() : NO_POSTGRES,
  ]);
  const children: ChildProcess[] = [];
  const places = join(folder, 'places');
  await mkdir(places);
  const pathOf = (name: string) => join(places, name);
  const passwords = ['a long crypt password', 'and its salt'] as const;
  const obscured = await Promise.all(passwords.map(async (each) => (await run(['rclone', 'obscure', each])).trim()));

  const webdavPort = await freePort();
  const dav = spawn('rclone', ['serve', 'webdav', '--addr', `127.0.0.1:${webdavPort}`, '--config', '', places], {
    stdio: 'ignore',
  });
  children.push(dav);
  await until('WebDAV answers', 15_000, () => answers(webdavPort));

  const knownHosts = join(folder, 'known_hosts');
  await writeFile(knownHosts, await run(['ssh-keyscan', '-p', String(eva.port), eva.address]));
  const text = [
    ['vault', 'type = crypt', 'remote = /nonexistent', `password = ${obscured[0]}`, `password2 = ${obscured[1]}`],
    [
      'eva',
      'type = sftp',
      `host = ${eva.address}`,
      `port = ${eva.port}`,
      `user = ${eva.user}`,
      `key_file = ${eva.privateKeyFile}`,
      `known_hosts_file = ${knownHosts}`,
      'shell_type = unix',
    ],
    ['dav', 'type = webdav', `url = http://127.0.0.1:${webdavPort}`, 'vendor = other'],
  ]
    .map(([name, ...lines]) => [`[${name}]`, ...lines, ''].join('\n'))
    .join('\n');
  const configFile = join(folder, 'rclone.conf');
  await writeFile(configFile, text, { mode: 0o600 });
  const vault: Vault = { rclone: { kind: 'text', text }, crypt: 'vault' };
  const spool = join(folder, 'spool');
  const logFile = join(folder, 'scatter.log');
  const quick = { attempts: 2, pauseSeconds: 1, idleSeconds: 10 };
  const database: PostgresSource = {
    kind: 'postgres',
    name: 'postgres/immich',
    database: 'immich',
    address: postgres.socketFolder,
    port: postgres.port,
    user: postgres.user,
    password: postgres.password,
  };
  return {
    machine,
    eva,
    postgres,
    folder,
    spool,
    logFile,
    vault,
    configFile,
    passwords: [...passwords, ...obscured, postgres.password],
    local: (name) => ({ name, remote: pathOf(name), provider: name, ...quick }),
    sftp: (name) => ({ name, remote: `eva:${pathOf(name)}`, provider: name, ...quick }),
    webdav: (name) => ({ name, remote: `dav:${name}`, provider: name, ...quick }),
    pathOf,
    database,
    plan: (change) => ({
      set: 'nightly',
      vault,
      sources: [database],
      home: { host: 'bruno', provider: 'hetzner' },
      quorum: 1,
      spool: { folder: spool, partBytes: 256 * 1024, reserveBytes: 1024 * 1024, roomWaitSeconds: 20 },
      logFile,
      ...change,
    }),
    async backUp(plan, timeoutMs = 55_000) {
      const started = await startBackup(machine.host, plan, {}, task);
      return await awaitBackup(machine.host, plan, started, { timeoutMs }, task);
    },
    rclone: (...list) => run(['rclone', '--config', configFile, ...list]),
    async stop() {
      for (const child of children) child.kill('SIGKILL');
      await Promise.all([machine.stop(), eva.stop(), postgres.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A database with something in it: many rows, a large object, odd names, and a word to look for. */
export async function fillDatabase(
  postgres: PostgresServer,
  name: string,
  canary: string,
  rows = 20_000,
): Promise<void> {
  await postgres.sql(`CREATE DATABASE ${name}`);
  await postgres.sql(`\\c ${name}
CREATE TABLE photos (id int PRIMARY KEY, note text, noise text);
INSERT INTO photos SELECT n, '${canary}', encode(sha256(n::text::bytea), 'hex') || encode(sha256((n * 7)::text::bytea), 'hex') FROM generate_series(1, ${rows}) n;
CREATE SCHEMA "odd ""schema";
CREATE TABLE "odd ""schema"."täble\\back" (x int);
INSERT INTO "odd ""schema"."täble\\back" VALUES (1), (2), (3);
CREATE TABLE empty (x int);`);
}

/** Every file below a folder, by its path from there. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

export async function logOf({ logFile }: Estate): Promise<string> {
  return await readFile(logFile, 'utf8').catch(() => '');
}

function answers(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(undefined));
  });
}

/** The files below these places in which any of the words stands. */
export async function canaryFiles(words: readonly string[], places: readonly string[]): Promise<string[]> {
  const patterns = words.flatMap((word) => ['-e', word]);
  const script = 'grep -rlaF "${@}" 2>/dev/null; [ "$?" -le 2 ]';
  const found = await run(['bash', '-c', script, 'bash', ...patterns, '--', ...places]);
  return found.split('\n').filter((line) => line !== '');
}
