import type { IDataObject } from 'n8n-workflow';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY, startDockerPair, type DockerPair } from '../../../lab/docker-pair';
import { until } from '../../../lab/hosts/waiting';
import { postgres17Image } from '../../../lab/postgres-17-image';
import { runCommand } from '../../../lib/host/run';
import { firewallFence, liftFirewall } from '../../../lib/postgres/replication/firewall';
import { beat } from '../../../lib/postgres/replication/heartbeat';
import { describeAsRoot } from '../../integration/lab/as-root';
import { nodeOn, type RunNode } from '../../shared/pair-node';
import { quietTask } from '../../shared/task';

const PASSWORD = 'the-cipher-password-of-the-lab';

// The node with the runtime `docker`: PostgreSQL 17 and pgBackRest of Debian 13, in containers with `restart: always`.
describeAsRoot('a pair of PostgreSQL 17 in containers, by the node', () => {
  let pair: DockerPair;
  let run: RunNode;
  beforeAll(async () => {
    pair = await startDockerPair({}, postgres17Image);
    run = nodeOn(pair, { selfhostSecrets: { secrets: `REPOSITORY=${PASSWORD}` } });
  }, 900_000);
  afterAll(() => pair.stop(), 60_000);

  const topology = async () => {
    const { verdict, primary, reasons } = await run('topology get');
    return { verdict, primary, reasons };
  };

  test('is set up as its plan says, and is of the version it should be', async () => {
    const wish = { primary: 'bruno', options: { allowRestart: true } };
    const plan = await run('replica setUp', { ...wish, dryRun: true });
    expect(plan).toMatchObject({ changed: true });
    expect(await run('replica setUp', { ...wish, planHash: plan.hash })).toMatchObject({ changed: true });
    expect(await run('replica setUp', wish)).toMatchObject({ changed: false, lines: [] });
    expect(await topology()).toEqual({ verdict: 'healthy', primary: 'bruno', reasons: [] });
    const { members } = await run('topology get');
    for (const { version } of members as IDataObject[]) expect(version).toBeGreaterThanOrEqual(170_000);
  }, 180_000);

  test('beats, probes, waits and asks', async () => {
    const heart = { writer: 'n8n', epoch: 1 };
    expect(await beat(pair.cluster, pair.member('bruno'), heart, quietTask())).toBe(true);
    expect(await beat(pair.cluster, pair.member('eva'), heart, quietTask())).toBe(false);
    expect(await run('sql probe')).toMatchObject({ member: 'bruno', writable: true });
    expect(await run('topology wait', { until: 'lag', mostBytes: 0 })).toMatchObject({ member: 'eva' });
    const asked = { statement: "select beats::int from selfhost.heartbeat where writer = 'n8n'", member: 'eva' };
    await pair.sql('bruno', 'grant usage on schema selfhost to app; grant select on selfhost.heartbeat to app');
    await run('topology wait', { until: 'lag', mostBytes: 0 });
    expect(await run('sql query', asked)).toMatchObject({ rows: [{ beats: 1 }] });
  }, 60_000);

  test('switches over and back', async () => {
    expect(await run('primary switchover')).toMatchObject({ primary: 'eva', changed: true });
    expect(await topology()).toEqual({ verdict: 'healthy', primary: 'eva', reasons: [] });
    expect(await run('primary switchover')).toMatchObject({ primary: 'bruno', changed: true });
    expect(await topology()).toEqual({ verdict: 'healthy', primary: 'bruno', reasons: [] });
  }, 180_000);

  test('fails over, keeps the gate when a deploy brings the old primary back in a new container, and rejoins it', async () => {
    pair.signal('bruno', 'SIGKILL', 'postmaster');
    expect(await run('primary failover')).toMatchObject({ outcome: 'failed over', primary: 'eva', lossless: true });
    await pair.deploy('bruno');
    expect(await pair.sql('bruno', 'select pg_is_in_recovery()')).toBe('t');
    expect(await run('replica rejoin')).toMatchObject({ changed: true, primary: 'eva', standby: 'bruno' });
    expect(await topology()).toMatchObject({ primary: 'eva', verdict: 'healthy' });
  }, 180_000);

  test('the firewall closes the port that its container publishes, and opens it again', async () => {
    expect(await run('primary switchover')).toMatchObject({ primary: 'bruno' });
    const { cluster } = pair;

    const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
    expect(await firewallFence(cluster, bruno, eva).silence(quietTask())).toBe(
      'nothing goes in or out of port 5432 of bruno any more, and eva gets no answer there',
    );
    await liftFirewall(cluster, bruno, quietTask());
    expect(await run('topology wait', { until: 'lag', mostBytes: 0, timeoutSeconds: 30 })).toMatchObject({
      member: 'eva',
    });
  }, 120_000);

  test('pgBackRest of that Debian is configured, archives, backs up and tells what it can do', async () => {
    const place = { stanza: 'immich', options: { configFile: '/var/lib/postgresql/data/selfhost-pgbackrest.conf' } };
    const repositories = [
      { kind: 'folder', path: REPOSITORY, retentionFull: 2, cipherPassword: 'credential:REPOSITORY' },
    ];
    const configure = { ...place, repositories, options: { ...place.options, allowRestart: true } };
    expect(await run('pgBackRest configure', { ...configure, options: {} })).toMatchObject({ code: 'config_needed' });
    const plan = await run('pgBackRest configure', { ...configure, dryRun: true });
    expect(await run('pgBackRest configure', { ...configure, planHash: plan.hash })).toMatchObject({ changed: true });
    expect(await run('pgBackRest configure', configure)).toMatchObject({ changed: false, lines: [] });
    expect(await run('pgBackRest createStanza', place)).toMatchObject({ changed: true });
    expect(await run('pgBackRest check', { ...place, seconds: 30 })).toMatchObject({ ok: true });
    expect(await run('pgBackRest backup', { ...place, type: 'full' })).toMatchObject({ type: 'full' });
    expect(await run('pgBackRest backup', { ...place, type: 'incr' })).toMatchObject({ type: 'incr' });
    const info = await run('pgBackRest info', place);
    expect(info).toMatchObject({
      ...{ verdict: 'ok', reasons: [], pgBackRest: { sftp: true, blockIncremental: true } },
      ...{ archives: [{ id: '17-1', missing: 0 }], archiver: { mode: 'on', failing: false } },
    });
    expect(await run('pgBackRest verify', place)).toMatchObject({ ok: true, problems: [] });
    expect(await pair.log('bruno')).not.toContain(PASSWORD);
  }, 180_000);

  test('a standby is rebuilt, taken out and left alone', async () => {
    expect(await run('replica rebuild', { dryRun: true })).toMatchObject({ changed: true });
    expect(await run('replica rebuild')).toMatchObject({ changed: true });
    expect(await topology()).toEqual({ verdict: 'healthy', primary: 'bruno', reasons: [] });
    expect(await run('replica remove')).toMatchObject({ changed: true });
    expect(pair.processes('eva')).toEqual([]);
    expect(await pair.sql('bruno', 'select count(*) from pg_replication_slots')).toBe('0');
    await until('bruno acknowledges alone', 10_000, async () =>
      (await run('sql probe')).writable === true ? true : undefined,
    );
  }, 180_000);

  // The former primary alone, as somebody has it who only wants backups.
  describe('one of them, taken back in time', () => {
    let parent: string;
    beforeAll(async () => {
      parent = await mkdtemp(join(tmpdir(), 'selfhost-copies-'));
      await chmod(parent, 0o755);
    });
    afterAll(() => rm(parent, { recursive: true, force: true }));
    const settings = { configFile: '/var/lib/postgresql/data/selfhost-pgbackrest.conf' };
    const backrest = (operation: string, parameters: IDataObject = {}) => {
      const options = { ...settings, ...(parameters.options as IDataObject | undefined) };
      return run(`pgBackRest ${operation}`, { stanza: 'immich', member: 'bruno', ...parameters, options });
    };
    const host = (script: string, ...list: readonly string[]) =>
      runCommand(pair.member('bruno').host, { script, arguments: list }, {}, quietTask());
    const inCopy = async (folder: string, text: string) => {
      const ask = 'psql -XAtq -h "$1/socket" -U postgres -d postgres -c "$2"';
      return (await host(ask, folder, text)).stdout.trim();
    };
    const containers = async () => {
      const { runtime } = pair.member('bruno');
      const socket = runtime.kind === 'docker' ? (runtime.dockerSocket ?? '') : '';
      const ask = 'docker --host "unix://$1" ps --all --format "{{.Names}}"';
      return (await host(ask, socket)).stdout.trim().split('\n');
    };

    test('shows a moment in a container of its own beside the real one, which goes on', async () => {
      const folder = join(parent, 'copy');
      await pair.sql('bruno', 'create table photos (id int); insert into photos select generate_series(1, 100)');
      await pair.sql('bruno', "select pg_create_restore_point('before')");
      await pair.sql('bruno', 'delete from photos');
      expect(await backrest('check', { seconds: 60 })).toMatchObject({ ok: true });
      const target = { target: 'name', targetName: 'before' };
      expect(await backrest('restoreScratch', { folder, ...target, options: { start: false } })).toMatchObject({
        ...{ folder, socketFolder: null, target: 'restore point before' },
      });
      expect(await backrest('startScratch', { folder })).toMatchObject({ socketFolder: `${folder}/socket` });
      expect(await inCopy(folder, 'select count(*) from photos')).toBe('100');
      expect(await inCopy(folder, 'show archive_mode')).toBe('off');
      expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('0');
      expect(await backrest('restoreScratch', { folder, ...target })).toMatchObject({ changed: false, job: null });
      expect(await backrest('restoreScratch', { folder, target: 'newest' })).toMatchObject({ code: 'folder_in_use' });
      expect(await backrest('removeScratch', { folder })).toMatchObject({ changed: true });
      expect(await backrest('removeScratch', { folder })).toMatchObject({ changed: false });
      expect(await containers()).toEqual(['immich_postgres']);
    }, 240_000);

    test('a drill restores the newest and a random moment of it, reads every index and leaves nothing', async () => {
      const folder = join(parent, 'drill');
      const done = await backrest('drill', { folder });
      expect(done).toMatchObject({ ok: true });
      console.log(JSON.stringify(done));
      expect(await containers()).toEqual(['immich_postgres']);
      expect(await readdir(parent)).toEqual([]);
    }, 240_000);

    const policy = () =>
      host(
        'docker --host "unix://$1" inspect --format "{{.HostConfig.RestartPolicy.Name}}" immich_postgres',
        (pair.member('bruno').runtime as { dockerSocket: string }).dockerSocket,
      ).then(({ stdout }) => stdout.trim());
    const setPolicy = (name: string) =>
      host(
        'docker --host "unix://$1" update --restart="$2" immich_postgres',
        (pair.member('bruno').runtime as { dockerSocket: string }).dockerSocket,
        name,
      );

    test('goes back over the server by the hash of its plan, keeps its restart policy, and forth again', async () => {
      await setPolicy('always');
      const wish = { target: 'name', targetName: 'before', method: 'aside' };
      const plan = await backrest('restore', { ...wish, dryRun: true });
      expect(plan.lines).toHaveLength(5);
      const done = await backrest('restore', { ...wish, planHash: plan.hash });
      expect(done).toMatchObject({ changed: true, keptAside: expect.stringMatching(/\.selfhost-before$/) });
      expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('100');
      expect(await policy()).toBe('always');
      expect(await backrest('check', { seconds: 60 })).toMatchObject({ ok: true });
      expect(await backrest('undoRestore')).toMatchObject({ changed: true });
      expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('0');
      expect(await policy()).toBe('always');
      const delta = { ...wish, method: 'delta' };
      const again = await backrest('restore', { ...delta, dryRun: true });
      expect(await backrest('restore', { ...delta, planHash: again.hash })).toMatchObject({
        ...{ changed: true, keptAside: null },
      });
      expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('100');
    }, 300_000);

    test('comes back out of nothing but its configuration when the whole volume is lost', async () => {
      expect(await backrest('check', { seconds: 60 })).toMatchObject({ ok: true });
      const { dataFolder } = pair.member('bruno');
      pair.signal('bruno', 'SIGKILL', 'all');
      await until('bruno is down', 20_000, () => (pair.processes('bruno').length === 0 ? true : undefined));
      await setPolicy('no');
      await host('find "$1" -mindepth 1 ! -name selfhost-pgbackrest.conf -delete', dataFolder);
      const wish = { target: 'newest', method: 'aside' };
      const plan = await backrest('restore', { ...wish, dryRun: true });
      expect(await backrest('restore', { ...wish, planHash: plan.hash })).toMatchObject({ changed: true });
      expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('100');
      expect(await backrest('forgetFormerData')).toMatchObject({ changed: true });
    }, 240_000);
  });
});
