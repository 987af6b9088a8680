import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../../lab/postgres-pair';
import { runOnMember } from '../../../../lib/postgres/replication/member-script';
import { failureOf } from '../../../shared/failure';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

describe.each(['plain', 'debian'] as const)('%s', (kept) =>
  describeAsRoot('a server that does not start', () => {
    let pair: PostgresPair;
    let config = '';
    let sound = '';
    const name: PairName = 'bruno';
    beforeAll(async () => {
      pair = await startPostgresPair({}, kept);
      const { socketFolder, configFile, dataFolder } = pair.member(name);
      // As seen from here; a Debian cluster has its folders by other names on its machine.
      config =
        kept === 'plain'
          ? join(dataFolder, 'postgresql.conf')
          : join(socketFolder, `etc/${configFile?.split('/').at(-3) ?? ''}/main/postgresql.conf`);
      sound = await readFile(config, 'utf8');
    }, 60_000);
    afterAll(() => pair.stop());

    /** What people are told. */
    const told = async (settings: string) => {
      const member = pair.member(name);
      await runOnMember(pair.cluster, member, { script: 'stop_server_cleanly 30\n', timeoutMs: 60_000 }, quietTask());
      await writeFile(config, sound);
      await appendFile(config, settings);
      const start = { script: 'start_server\n', timeoutMs: 120_000 };
      const { code, message, nextStep } = await failureOf(runOnMember(pair.cluster, member, start, quietTask()));
      expect(code).toBe('server_not_started');
      expect(nextStep).toContain('Put that right on that host');
      expect(message.length).toBeLessThan(800);
      return message;
    };

    test('says which line of its configuration it cannot take', async () => {
      const message = await told('shared_bufers = 1GB\n');
      expect(message).toContain('did not start: ');
      expect(message).toContain('unrecognized configuration parameter "shared_bufers" in file "');
      expect(message).toMatch(/FATAL: configuration file ".*" contains errors$/);
    }, 60_000);

    test('says the last complaint only, of this start and no other', async () => {
      const message = await told('max_connections = 1\nsuperuser_reserved_connections = 3\n');
      expect(message).toMatch(/must be less than .?max_connections/);
      expect(message).not.toContain('shared_bufers');
    }, 60_000);

    test('passes on no password that its log quotes', async () => {
      const message = await told(`work_mem = 'password=of-the-estate host=10.0.0.1'\n`);
      expect(message).toContain('work_mem');
      expect(message).not.toContain('of-the-estate');
    }, 60_000);

    test('says it where the server collects its log by itself', async () => {
      const message = await told(
        `logging_collector = on\nlog_directory = 'log'\nrestore_command = ''\nssl = on\nssl_cert_file = 'nowhere.crt'\n`,
      );
      expect(message).toMatch(/FATAL: could not load server certificate file "nowhere.crt"/);
    }, 60_000);

    test('starts when that is put right', async () => {
      await writeFile(config, sound);
      await runOnMember(pair.cluster, pair.member(name), { script: 'start_server\n', timeoutMs: 120_000 }, quietTask());
      expect(await pair.sql(name, 'select 1')).toBe('1');
    }, 60_000);
  }),
);
