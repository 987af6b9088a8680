import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLedger } from './hosts/ledger';
import { isRoot, run } from './hosts/programs';
import { until } from './hosts/waiting';
import { freePort } from './ports';

export interface MariadbServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: 'root';
  readonly password: string;
  /** Runs SQL as root and returns what the client prints. */
  readonly sql: (text: string) => Promise<string>;
  /** Files of its data folder, one after the other. */
  readonly files: (names: readonly string[]) => Promise<string>;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/** A real MariaDB with a fresh data folder and a port of its own, asking for a password. */
export async function startMariadb(settings: readonly string[] = []): Promise<MariadbServer> {
  const ledger = await openLedger();
  try {
    const data = join(ledger.folder, 'mariadb');
    const socket = join(ledger.folder, 'mariadb.sock');
    const logFile = join(ledger.folder, 'mariadb.log');
    const asUser = isRoot() ? ['--user=root'] : [];
    const install = [
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ];
    await run(['mariadb-install-db', ...install, ...asUser]);
    const port = await freePort();
    const password = randomBytes(18).toString('base64url');
    const server = spawn(
      'mariadbd',
      [
        '--no-defaults',
        ...asUser,
        ...[`--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(ledger.folder, 'mariadb.pid')}`],
        ...['--bind-address=127.0.0.1', `--port=${port}`, '--skip-name-resolve', `--log-error=${logFile}`],
        // A crash of the machine is not what is tested with it.
        ...['--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=16M', '--innodb-use-native-aio=0'],
        ...settings,
      ],
      { stdio: 'ignore', detached: true },
    );
    let ended = false;
    server.on('exit', () => (ended = true));
    server.on('error', () => (ended = true));
    server.unref();
    if (server.pid !== undefined) ledger.addProcess(server.pid);
    const client = (login: readonly string[], text: string, MYSQL_PWD: string) =>
      run(['mariadb', '--no-defaults', '--batch', '--skip-column-names', '--user=root', ...login], {
        input: text,
        environment: { MYSQL_PWD },
        deadlineMs: 30_000,
      });
    await until(`MariaDB answers on port ${port}`, 60_000, async () => {
      if (ended) throw new Error(`MariaDB ended: ${await readFile(logFile, 'utf8').catch(() => 'no log')}`);
      const set = `ALTER USER root@localhost IDENTIFIED BY '${password}'`;
      return await client([`--socket=${socket}`], set, '').then(
        () => true,
        () => undefined,
      );
    });
    const sql = (text: string) => client([`--socket=${socket}`], text, password);
    await sql(
      `CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '${password}'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION`,
    );
    return {
      host: '127.0.0.1',
      port,
      user: 'root',
      password,
      sql,
      files: async (names) => (await Promise.all(names.map((name) => readFile(join(data, name), 'latin1')))).join('\n'),
      stop: () => ledger.clear(),
    };
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}
