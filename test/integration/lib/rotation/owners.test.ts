import { Client } from 'pg';
import { type MariadbServer, startMariadb } from '../../../../lab/mariadb';
import { type PostgresServer, startPostgres } from '../../../../lab/postgres';
import { type RedisServer, startRedisServer } from '../../../../lab/redis';
import { run } from '../../../../lab/hosts/programs';
import type { TakingOwner } from '../../../../lib/rotation/owner';
import { mysqlAccount } from '../../../../lib/rotation/owners/mysql';
import { postgresRole } from '../../../../lib/rotation/owners/postgres';
import { redisUser } from '../../../../lib/rotation/owners/redis';
import { planRotation, rotate } from '../../../../lib/rotation/rotate';
import { SealedText } from '../../../../lib/secrets/sealed';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { type Bench, KEY, startBench } from './bench';
import { failureOf } from '../../../shared/failure';

jest.setTimeout(60_000);

/** What an old password may hold: quotes of every kind, and what shells and SQL take for theirs. */
const OLD = `o'l"d\\p $a{s}s%\`#;-- ü`;

describeAsRoot('a rotation at real servers', () => {
  const task = quietTask();
  let bench: Bench;
  let postgres: PostgresServer;
  let mariadb: MariadbServer;
  let redis: RedisServer;
  beforeAll(async () => {
    bench = await startBench();
    postgres = await startPostgres({ log_statement: 'all' });
    mariadb = await startMariadb([
      '--general-log=1',
      '--general-log-file=general.log',
      '--log-bin=binary',
      '--server-id=1',
    ]);
    redis = await startRedisServer();
  });
  afterAll(async () => {
    for (const server of [redis, mariadb, postgres, bench])
      await (server as { stop(): Promise<void> } | undefined)?.stop();
  });

  const reach = (port: number) => ({ kind: 'port' as const, host: bench.host, address: '127.0.0.1', port });

  /** Rotates, and holds the result against real logins that know nothing of the engine. */
  async function rotated(owner: TakingOwner, logsIn: (password: string) => Promise<boolean>) {
    await bench.begin(OLD);
    expect(await logsIn(OLD)).toBe(true);
    const report = await rotate(bench.rotation(owner), task);
    const fresh = bench.inInfisical() ?? '';
    expect(fresh).toMatch(/^fresh-/);
    expect([await logsIn(fresh), await logsIn(OLD)]).toEqual([true, false]);
    expect(await bench.inFile()).toBe(fresh);
    expect(await bench.unfinished()).toBe(0);
    expect(report).toEqual({
      owner: owner.name,
      version: 2,
      unfinished: 'none',
      files: [{ host: 'bruno', path: bench.file, altered: [KEY] }],
      restarted: [],
      notes: [],
    });
    return fresh;
  }

  describe('PostgreSQL', () => {
    const logsIn = async (password: string) => {
      const client = new Client({
        host: '127.0.0.1',
        port: postgres.port,
        database: 'postgres',
        user: 'immich',
        password,
      });
      client.on('error', () => undefined);
      return client.connect().then(
        async () => {
          await client.end();
          return true;
        },
        (error: unknown) => {
          expect(error).toMatchObject({ code: '28P01' });
          return false;
        },
      );
    };
    const role = (change: { admin?: boolean; role?: string } = {}) =>
      postgresRole({
        reach: reach(postgres.port),
        role: change.role ?? 'immich',
        database: 'postgres',
        ...(change.admin !== false && { admin: { user: 'postgres', password: new SealedText(postgres.password) } }),
      });
    beforeEach(async () => {
      await postgres.sql(
        `drop role if exists immich; create role immich login password '${OLD.replaceAll("'", "''")}';`,
      );
    });

    test('the role logs in with the new password only, and the log of the server has neither', async () => {
      const fresh = await rotated(role(), logsIn);
      const log = await postgres.log();
      expect(log).toContain('ALTER ROLE immich PASSWORD');
      expect(log).not.toContain(fresh);
    });

    test('without an admin the role changes itself', async () => {
      await rotated(role({ admin: false }), logsIn);
    });

    test('what cannot be right is refused before anything is changed', async () => {
      await bench.begin('another value');
      expect((await failureOf(rotate(bench.rotation(role()), task))).code).toBe('rotation_value_wrong');
      await bench.begin(OLD);
      await postgres.sql(`create role standby login replication password 'x'; create role nobody_in`);
      for (const [name, why] of [
        ['standby', 'standby servers log in with it'],
        ['nobody_in', 'may not log in'],
        ['missing', 'it is missing'],
      ] as const) {
        const failure = await failureOf(rotate(bench.rotation(role({ role: name })), task));
        expect([failure.code, failure.message]).toEqual(['rotation_refused', expect.stringContaining(why)]);
      }
      await postgres.sql('drop role standby; drop role nobody_in');
      expect(bench.inInfisical()).toBe(OLD);
      expect(await logsIn(OLD)).toBe(true);
    });

    test('a plan says each step, looks at everything and changes nothing', async () => {
      await bench.begin(OLD);
      const owner = role();
      expect(await planRotation(bench.rotation(owner), task)).toEqual({
        owner: owner.name,
        version: 1,
        unfinished: false,
        steps: [
          `give a new value to ${owner.name}`,
          expect.stringMatching(/^write it to DB_PASSWORD in prod:\/app-\d+$/),
          expect.stringMatching(/^write .*\.env on host bruno/),
          'prove that the new value logs in and the old one does not',
        ],
      });
      expect(await logsIn(OLD)).toBe(true);
      expect(bench.inInfisical()).toBe(OLD);
    });
  });

  describe('MariaDB', () => {
    const logsIn = (password: string) =>
      run(
        [
          'mariadb',
          '--no-defaults',
          '--protocol=TCP',
          '--host=127.0.0.1',
          `--port=${mariadb.port}`,
          '--user=shop',
          '-e',
          'DO 0',
        ],
        {
          environment: { MYSQL_PWD: password, LC_ALL: 'C.UTF-8' },
        },
      ).then(
        () => true,
        (error: unknown) => {
          expect(String(error)).toContain('ERROR 1045');
          return false;
        },
      );
    const account = (admin: boolean) =>
      mysqlAccount({
        place: { host: bench.host, address: '127.0.0.1', port: mariadb.port },
        user: 'shop',
        from: '%',
        ...(admin && { admin: { user: mariadb.user, password: new SealedText(mariadb.password) } }),
      });
    beforeEach(async () => {
      const quoted = OLD.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
      await mariadb.sql(`CREATE OR REPLACE USER shop@'%' IDENTIFIED BY '${quoted}'`);
    });

    test('the account logs in with the new password only, and neither log of the server has it', async () => {
      const fresh = await rotated(account(true), logsIn);
      const logs = await mariadb.files(['general.log', 'binary.000001']);
      expect(logs).toContain('shop');
      expect(logs).not.toContain(fresh);
      expect(logs).not.toContain(Buffer.from(fresh).toString('hex'));
    });

    test('without an admin the account changes itself, but not while a log would hold the password', async () => {
      await bench.begin(OLD);
      const failure = await failureOf(rotate(bench.rotation(account(false)), task));
      expect([failure.code, failure.message]).toEqual([
        'rotation_refused',
        expect.stringContaining('the general log of the server is on and would hold the new one'),
      ]);
      await mariadb.sql('SET GLOBAL general_log = 0');
      await rotated(account(false), logsIn);
    });

    test('an account that is missing is refused', async () => {
      await bench.begin(OLD);
      await mariadb.sql('DROP USER shop');
      const failure = await failureOf(rotate(bench.rotation(account(true)), task));
      expect([failure.code, failure.message]).toEqual([
        'rotation_refused',
        expect.stringContaining('There is no account shop@%'),
      ]);
    });
  });

  describe('Redis', () => {
    const worker = (admin = true) =>
      redisUser({
        reach: reach(redis.port),
        user: 'worker',
        ...(admin && { admin: { user: 'default', password: new SealedText(redis.password) } }),
      });
    const logsInTo = (server: RedisServer, user: string) => async (password: string) =>
      (await server.ask(['PING'], { user, password }).catch((error: unknown) => String(error))) === 'PONG';

    test('the user logs in with the new password only, also after a restart', async () => {
      await redis.ask(['ACL', 'SETUSER', 'worker', 'on', `>${OLD}`, '~*', '+@all']);
      const fresh = await rotated(worker(), logsInTo(redis, 'worker'));
      await redis.restart();
      expect(await logsInTo(redis, 'worker')(fresh)).toBe(true);
      expect(await logsInTo(redis, 'worker')(OLD)).toBe(false);
    });

    test('a user with the right to ACL changes itself', async () => {
      await redis.ask(['ACL', 'SETUSER', 'worker', 'reset', 'on', `>${OLD}`, '~*', '+@all']);
      await rotated(worker(false), logsInTo(redis, 'worker'));
    });

    test.each(['configuration', 'memory'] as const)('the default user, whose password is in the %s', async (keeps) => {
      const server = await startRedisServer(keeps);
      try {
        await bench.begin(server.password);
        const report = await rotate(bench.rotation(redisUser({ reach: reach(server.port), user: 'default' })), task);
        const fresh = bench.inInfisical() ?? '';
        const logsIn = logsInTo(server, 'default');
        expect([await logsIn(fresh), await logsIn(server.password)]).toEqual([true, false]);
        expect(report.notes).toEqual(
          keeps === 'memory' ? [expect.stringContaining('keeps the new password until')] : [],
        );
        await server.restart();
        expect(await logsIn(fresh)).toBe(keeps === 'configuration');
      } finally {
        await server.stop();
      }
    });
  });
});
