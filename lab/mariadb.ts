import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startInBackground } from './hosts/background';
import { openLedger, type Ledger } from './hosts/ledger';
import { findProgram, isRoot, run } from './hosts/programs';
import { until } from './hosts/waiting';
import { freePort } from './ports';

export interface MariadbServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly socket: string;
  /** May do everything, from the socket and from 127.0.0.1; its password has odd characters. */
  readonly user: 'backup';
  readonly password: string;
  /** Runs SQL with all rights and returns what the client prints: columns by tabs, no heading. */
  readonly sql: (text: string, database?: string) => Promise<string>;
  /** Files of its data folder, one after the other. */
  readonly files: (names: readonly string[]) => Promise<string>;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/** A real MariaDB with a fresh data folder and a port of its own. */
export async function startMariadb(settings: readonly string[] = []): Promise<MariadbServer> {
  const [daemon, install] = await Promise.all([findProgram('mariadbd'), findProgram('mariadb-install-db')]);
  if (daemon === undefined || install === undefined)
    throw new Error('MariaDB is not installed: apt-get install mariadb-server');
  const ledger = await openLedger();
  try {
    return await start(daemon, install, settings, ledger);
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

async function start(
  daemon: string,
  install: string,
  settings: readonly string[],
  ledger: Ledger,
): Promise<MariadbServer> {
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
  await run(['env', ...asUser, ...make, '--skip-test-db', '--skip-name-resolve'], { deadlineMs: 120_000 });
  const port = await freePort();
  const options = ['--no-defaults', `--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(home, 'pid')}`];
  const network = ['--bind-address=127.0.0.1', `--port=${port}`];
  // A crash of the machine is not what is tested with it.
  const quick = ['--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=OFF', '--innodb-buffer-pool-size=16M'];
  const argv = [daemon, ...options, ...network, ...quick, ...settings] as const;
  const server = startInBackground(ledger, { name: 'MariaDB', argv, log: logFile, folder: home, user });
  const sql = (text: string, database = '') =>
    run(
      [
        'mariadb',
        ...['--no-defaults', `--socket=${socket}`, '--user=root', '--batch', '--raw', '--skip-column-names'],
        ...['--default-character-set=utf8mb4', `--database=${database}`],
      ],
      { input: text, deadlineMs: 30_000 },
    );
  await until('MariaDB answers', 60_000, async () => {
    await server.mustRun();
    return (await sql('SELECT 1').catch(() => '')).trim() === '1' ? true : undefined;
  });
  const password = `it's "odd" \\ # ${randomBytes(9).toString('base64url')}`;
  const quoted = password.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  for (const from of ['localhost', '127.0.0.1']) {
    await sql(
      `CREATE USER backup@'${from}' IDENTIFIED BY '${quoted}'; GRANT ALL ON *.* TO backup@'${from}' WITH GRANT OPTION;`,
    );
  }
  return {
    host: '127.0.0.1',
    port,
    socket,
    user: 'backup',
    password,
    sql,
    files: async (names) => (await Promise.all(names.map((name) => readFile(join(data, name), 'latin1')))).join('\n'),
    stop: () => ledger.clear(),
  };
}
