import { spawn } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, isRoot, run } from './hosts/programs';
import { until } from './hosts/waiting';
import { freePort } from './ports';

export interface MariaDb {
  readonly port: number;
  readonly sql: (text: string) => Promise<string>;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/** A real MariaDB with fresh data and a port of its own; its root logs in through the socket. */
export async function startMariaDb(): Promise<MariaDb> {
  const [server, install] = [await findProgram('mariadbd'), await findProgram('mariadb-install-db')];
  if (server === undefined || install === undefined) throw new Error('mariadb-server is not installed');
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-mariadb-'));
  const port = await freePort();
  const [data, socket] = [join(folder, 'data'), join(folder, 'socket')];
  const user = isRoot() ? ['--user=mysql'] : [];
  if (isRoot()) {
    const id = async (what: string) => Number((await run(['id', what, 'mysql'])).trim());
    await chown(folder, await id('-u'), await id('-g'));
  }
  await mkdir(join(folder, 'tmp'), { mode: 0o777 });
  const options = [`--datadir=${data}`, '--no-defaults'].reverse();
  await run([install, ...options, ...user, '--auth-root-authentication-method=normal', '--skip-test-db'], {
    deadlineMs: 120_000,
  });
  const child = spawn(
    server,
    [
      ...options,
      ...user,
      `--socket=${socket}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--skip-log-bin',
      '--innodb-flush-log-at-trx-commit=0',
      '--skip-name-resolve',
      `--pid-file=${join(folder, 'pid')}`,
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const sql = (text: string) =>
    run(['mariadb', '--no-defaults', '-N', '-B', '-u', 'root', `--socket=${socket}`], { input: text });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('MariaDB answers', 60_000, async () => (await sql('select 1').catch(() => '')) !== '' || undefined);
    return { port, sql, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
