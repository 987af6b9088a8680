import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLedger, type Ledger } from './hosts/ledger';
import { findProgram, isRoot, run } from './hosts/programs';
import { until } from './hosts/waiting';

export interface MariadbServer {
  readonly user: 'backup';
  readonly password: string;
  /** Its Unix socket; there is no port. */
  readonly socket: string;
  /** Runs SQL with all rights and returns what the client prints: columns by tabs, no heading. */
  readonly sql: (text: string, database?: string) => Promise<string>;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/** A real MariaDB with a fresh data folder. The user `backup` may do everything and has a password with odd characters. */
export async function startMariadb(): Promise<MariadbServer> {
  const [daemon, install] = await Promise.all([findProgram('mariadbd'), findProgram('mariadb-install-db')]);
  if (daemon === undefined || install === undefined)
    throw new Error('MariaDB is not installed: apt-get install mariadb-server');
  const ledger = await openLedger();
  try {
    return await start(daemon, install, ledger);
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

async function start(daemon: string, install: string, ledger: Ledger): Promise<MariadbServer> {
  const home = join(ledger.folder, 'mariadb');
  const data = join(home, 'data');
  const socket = join(home, 'socket');
  const logFile = join(home, 'log');
  await mkdir(home, { mode: 0o711 });
  // It refuses to run as root, so root runs it as the user of Debian's package.
  const id = async (what: string) => Number((await run(['id', what, 'mysql'])).trim());
  const user = isRoot() ? { uid: await id('-u'), gid: await id('-g') } : undefined;
  if (user !== undefined) await chown(home, user.uid, user.gid);
  const asUser = isRoot()
    ? (['setpriv', '--reuid=mysql', '--regid=mysql', '--clear-groups', '--'] as const)
    : ([] as const);
  const make = [install, '--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal'];
  await run(['env', ...asUser, ...make, '--skip-test-db', '--skip-name-resolve']);
  const options = ['--no-defaults', `--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(home, 'pid')}`];
  const script = 'log=$1; shift; exec "$@" >> "$log" 2>&1';
  const quick = ['--skip-networking', '--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=OFF'];
  const server = spawn('/bin/sh', ['-c', script, 'sh', logFile, daemon, ...options, ...quick], {
    cwd: home,
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
    stdio: 'ignore',
    detached: true,
    ...user,
  });
  let ended = false;
  server.on('exit', () => (ended = true));
  server.on('error', () => (ended = true));
  server.unref();
  if (server.pid !== undefined) ledger.addProcess(server.pid);
  const sql = (text: string, database = '') =>
    run(
      [
        'mariadb',
        ...['--no-defaults', `--socket=${socket}`, '--user=root', '--batch', '--raw', '--skip-column-names'],
        ...['--default-character-set=utf8mb4', `--database=${database}`],
      ],
      { input: text },
    );
  await until('MariaDB answers', 30_000, async () => {
    if (ended) throw new Error(`MariaDB ended: ${await readFile(logFile, 'utf8').catch(() => 'no log')}`);
    return (await sql('SELECT 1').catch(() => '')).trim() === '1' ? true : undefined;
  });
  const password = `it's "odd" \\ # ${randomBytes(9).toString('base64url')}`;
  const quoted = password.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  await sql(
    `CREATE USER backup@localhost IDENTIFIED BY '${quoted}'; GRANT ALL ON *.* TO backup@localhost WITH GRANT OPTION;`,
  );
  return { user: 'backup', password, socket, sql, stop: () => ledger.clear() };
}
