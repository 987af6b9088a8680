import type { IDataObject } from 'n8n-workflow';
import { REPOSITORY, startDockerPair, type DockerPair } from '../../../lab/docker-pair';
import { until } from '../../../lab/hosts/waiting';
import { postgres17Image } from '../../../lab/postgres-17-image';
import { firewallFence, liftFirewall } from '../../../lib/postgres/replication/fences';
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
      'port 5432 of bruno takes nothing in any more, and eva cannot log in',
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
});
