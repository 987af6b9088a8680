import { startDockerPair } from '../../../../lab/docker-pair';
import { until } from '../../../../lab/hosts/waiting';
import { runCommand } from '../../../../lib/host/run';
import { failover } from '../../../../lib/postgres/replication/failover';
import { runOnMember } from '../../../../lib/postgres/replication/member-script';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { switchover } from '../../../../lib/postgres/replication/switchover';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { startTrials, type Account, type Trials } from '../../../chaos/lib/postgres/trial';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { failureOf } from '../../../shared/failure';
import { quietTask } from '../../../shared/task';

const ROUNDS = Number(process.env.SELFHOST_FAILOVER_ROUNDS ?? 3);

// Each machine with a dockerd of its own; bruno in a named volume, eva in a bind mount, `restart: always` on both.
describeAsRoot('a pair in Docker containers', () => {
  let trials: Trials;
  const rows: (Account & { readonly fault: string })[] = [];
  beforeAll(async () => {
    trials = await startTrials({}, startDockerPair);
  }, 300_000);
  afterAll(async () => {
    await trials.stop();
    console.log(rows.map((row) => JSON.stringify(row)).join('\n'));
  }, 60_000);

  test('is healthy after its set-up, and set-up finds nothing to change', async () => {
    const { pair } = trials;
    const wish = { primary: pair.member('bruno'), standby: pair.member('eva'), synchronous: true, allowRestart: true };
    expect(await setUpReplication(pair.cluster, wish, quietTask())).toEqual({ changed: false, lines: [] });
    const topology = await readTopology(pair.cluster, {}, quietTask());
    expect(topology).toMatchObject({ verdict: 'healthy', primary: 'bruno' });
    // Its policy of always would have brought a lost primary back as a primary.
    expect(topology.members.map(({ folder }) => folder?.autostart)).toEqual([false, false]);
    const { password } = pair.cluster.replication;
    for (const name of ['bruno', 'eva'] as const) expect(await pair.log(name)).not.toContain(password);
  }, 60_000);

  const runTrial = async (fault: string, strike: () => void, after: () => Promise<void> = () => Promise.resolve()) => {
    const { pair, roles, wish } = trials;
    const { to } = roles();
    const ledger = await trials.load();
    strike();
    const outcome = await failover(pair.cluster, wish(), quietTask());
    await trials.writes(ledger, to);
    await after();
    const account = await trials.settle(ledger, to);
    rows.push({ fault, ...account });
    expect({ ...outcome, ...account }).toMatchObject({
      outcome: 'failed over',
      lossless: true,
      missing: 0,
      overlapping: 0,
    });
  };
  const times = Array.from({ length: ROUNDS }, (_, index) => index + 1);

  test.each(times)(
    'kill -9 of the postmaster loses no commit, and the old primary rejoins, %d',
    async () => {
      const { from } = trials.roles();
      await runTrial('kill -9', () => trials.pair.signal(from, 'SIGKILL', 'postmaster'));
      expect(await trials.bringBack()).toMatchObject({ changed: true, method: 'rewound' });
    },
    180_000,
  );

  test('a hung postmaster is ended and proven gone, and nobody loses a commit', async () => {
    const { from } = trials.roles();
    await runTrial('hung postmaster', () => trials.pair.signal(from, 'SIGSTOP', 'postmaster'));
    expect(trials.pair.processes(from)).toEqual([]);
    await trials.bringBack();
  }, 180_000);

  test('an old primary that somebody starts again, as a deploy would, takes no writes', async () => {
    const { pair, roles } = trials;
    const { from } = roles();
    await runTrial(
      'started again',
      () => pair.signal(from, 'SIGKILL', 'postmaster'),
      async () => {
        await pair.startServer(from);
        expect(await pair.sql(from, 'select pg_is_in_recovery()')).toBe('t');
      },
    );
    await trials.bringBack();
  }, 180_000);

  test.each(times)(
    'a switchover loses nothing, and its old primary rejoins, %d',
    async () => {
      const { pair, roles } = trials;
      const { from, to } = roles();
      const ledger = await trials.load();
      const wish = { from: pair.member(from), to: pair.member(to), synchronous: true };
      await switchover(pair.cluster, wish, quietTask());
      await trials.writes(ledger, to);
      const account = await trials.settle(ledger, to);
      rows.push({ fault: 'switchover', ...account });
      expect(account).toMatchObject({ missing: 0, overlapping: 0 });
      await trials.bringBack();
    },
    180_000,
  );

  test('a standby whose folder is lost is copied whole again', async () => {
    const { pair, roles } = trials;
    const { from, to } = roles();
    pair.signal(to, 'SIGKILL', 'postmaster');
    const wish = { primary: pair.member(from), standby: pair.member(to), synchronous: true, allowRestart: false };
    const empty = { script: 'rm -rf -- "$1"', arguments: [pair.member(to).dataFolder] };
    await runCommand(pair.member(to).host, empty, {}, quietTask());
    expect(await setUpReplication(pair.cluster, { ...wish, replace: true }, quietTask())).toMatchObject({
      changed: true,
    });
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary: from });
  }, 180_000);

  test('a server that does not start in its container says why, and starts once that is put right', async () => {
    const { pair, roles } = trials;
    const standby = pair.member(roles().to);
    const on = (script: string) =>
      runOnMember(pair.cluster, standby, { script: `${script}\n`, timeoutMs: 180_000 }, quietTask());
    await on(`stop_server_cleanly 30; printf 'shared_bufers = 1GB\\n' >> "$data/postgresql.auto.conf"`);
    const { code, message } = await failureOf(on('start_server'));
    expect(code).toBe('server_not_started');
    expect(message).toMatch(
      /unrecognized configuration parameter "shared_bufers".*FATAL: configuration file ".*" contains errors/,
    );
    await on(`sed -i /shared_bufers/d "$data/postgresql.auto.conf"; start_server`);
    await until('it follows again', 60_000, async () =>
      (await readTopology(pair.cluster, {}, quietTask())).verdict === 'healthy' ? true : undefined,
    );
  }, 300_000);
});
