import { chownSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { debianPackages, installDebianPackages, postgresPrograms } from '../debian-packages';
import { freePort } from '../ports';
import { mustRun, run, startServer, waitFor, type Server } from '../processes';

/** A server of Debian's, on a port of its own, with its data where we say, as a user that is not root. */
export interface Service {
  readonly port: number;
  readonly server: Server;
  stop(): Promise<void>;
}

type User = { readonly uid: number; readonly gid: number };

/** Neither server should run as root, and PostgreSQL refuses to. When we are not root, they run as we do. */
async function serverUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (what: string) => Number(await mustRun('Looking up the user postgres', 'id', [what, 'postgres']));
  return { uid: await id('-u'), gid: await id('-g') };
}

/** Where a program is. The server's user may not be able to enter every folder of our PATH. */
async function programPath(name: string): Promise<string> {
  return (await mustRun(`Looking for ${name}`, 'sh', ['-c', 'command -v "$0"', name])).trim();
}

function makeFolder(folder: string, user: User | undefined): void {
  // The server's user has to pass through what lies above.
  mkdirSync(dirname(folder), { recursive: true, mode: 0o755 });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
}

export async function startRedis({ folder, logs }: { folder: string; logs: string }): Promise<Service> {
  const user = await serverUser();
  makeFolder(folder, user);
  const port = await freePort();
  const server = await startServer({
    name: 'Redis',
    program: await programPath('redis-server'),
    arguments: [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--appendonly',
      'yes',
      '--daemonize',
      'no',
    ],
    log: join(logs, 'redis.log'),
    folder,
    user,
  });
  await waitFor('Redis answers', () => redisAnswers(port), { within: 15_000, of: server });
  return { port, server, stop: () => server.stop() };
}

function redisAnswers(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('data', (answer) => {
      socket.destroy();
      resolve(answer.toString() === '+PONG\r\n' ? true : undefined);
    });
    socket.once('error', () => resolve(undefined));
    socket.once('close', () => resolve(undefined));
  });
}

export interface Postgres extends Service {
  readonly user: string;
  readonly password: string;
  createDatabase(name: string): Promise<void>;
}

export async function startPostgres({ folder, logs }: { folder: string; logs: string }): Promise<Postgres> {
  const user = await serverUser();
  const programs = postgresPrograms();
  const data = join(folder, 'data');
  makeFolder(folder, user);
  const log = join(logs, 'postgres.log');
  if (!existsSync(join(data, 'PG_VERSION'))) {
    rmSync(data, { recursive: true, force: true });
    // Only the loopback address listens, and only for the length of a lab: trust is enough.
    const choices = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--no-locale', '--no-sync'];
    await mustRun('Making a PostgreSQL cluster', join(programs, 'initdb'), ['-D', data, ...choices], {
      folder,
      user,
      log,
    });
  }
  const port = await freePort();
  const server = await startServer({
    name: 'PostgreSQL',
    program: join(programs, 'postgres'),
    arguments: [
      '-D',
      data,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      `unix_socket_directories=${folder}`,
    ],
    log,
    folder,
    user,
    // SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
  });
  const psql = (...commands: string[]) =>
    run(join(programs, 'psql'), [
      '-h',
      '127.0.0.1',
      '-p',
      String(port),
      '-U',
      'postgres',
      '-v',
      'ON_ERROR_STOP=1',
      ...commands,
    ]);
  const answers = async () => ((await psql('-c', 'select 1')).exitCode === 0 ? true : undefined);
  await waitFor('PostgreSQL answers', answers, { within: 30_000, of: server });
  return {
    port,
    server,
    user: 'postgres',
    password: 'not-asked-for',
    stop: () => server.stop(),
    createDatabase: async (name) => {
      const { output } = await psql(
        '-Atc',
        `select 1 from pg_database where datname = '${name.replaceAll("'", "''")}'`,
      );
      if (output.trim() === '1') return;
      const make = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '--', name];
      await mustRun('Making a database', join(programs, 'createdb'), make, { log });
    },
  };
}

/** What queue mode needs from Debian. */
export async function installServices(): Promise<void> {
  await installDebianPackages(debianPackages.filter(({ name }) => name === 'redis-server' || name === 'postgresql'));
}
