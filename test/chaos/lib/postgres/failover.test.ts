import { failover } from '../../../../lib/postgres/replication/failover';
import { switchover } from '../../../../lib/postgres/replication/switchover';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { quietTask } from '../../../shared/task';
import { runOrchestrator } from './orchestrator';
import { archiveToNowhere } from '../../../../lab/archive-nowhere';
import { startTrials, type Trials } from './trial';

// A real PostgreSQL on each of two machines, clients that write all the time, and faults. What is promised is what the
// clients can see: nothing they were told of is gone, and no two servers take writes at once.
describeAsRoot('a pair under load', () => {
  let trials: Trials;
  beforeAll(async () => {
    trials = await startTrials();
    await archiveToNowhere(trials.pair);
  }, 120_000);
  afterAll(() => trials.stop());

  const lostNothing = { missing: 0, overlapping: 0 };

  test('whose postmaster is killed gets the standby as its primary; the old one, started by mistake, takes no writes, and comes back as the standby', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.signal(from, 'SIGKILL', 'postmaster');
    expect(await failover(pair.cluster, wish(), quietTask())).toMatchObject({
      outcome: 'failed over',
      primary: to,
      lossless: true,
      resumed: false,
      fence: `no process of PostgreSQL is left on the host of ${from}`,
    });
    await trials.writes(ledger, to);
    expect(await trials.settle(ledger, to)).toMatchObject(lostNothing);
    expect((await failover(pair.cluster, wish(), quietTask())).outcome).toBe('nothing to do');
    // Somebody who knows nothing of all this starts the old primary: it takes no writes.
    await pair.startServer(from);
    expect(await pair.sql(from, 'select pg_is_in_recovery()')).toBe('t');
    expect(await trials.bringBack()).toMatchObject({ changed: true });
  }, 120_000);

  test('whose primary only this side cannot reach is left alone', async () => {
    const { pair, roles, wish } = trials;
    const { from } = roles();
    await pair.network.separate('orchestrator', from);
    await expect(failover(pair.cluster, wish({ commitFence: true }), quietTask())).rejects.toMatchObject({
      code: 'primary_seen_by_standby',
    });
    await pair.network.rejoin('orchestrator', from);
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary: from });
  }, 120_000);

  test('whose primary cannot be proven silent keeps it: refused, and all as it was once the cable is back', async () => {
    const { pair, roles, wish } = trials;
    const { from } = roles();
    const ledger = await trials.load();
    await pair.network.cut(from);
    const noPower = { name: 'power off', silence: () => Promise.reject(new Error('the provider does not answer')) };
    await expect(failover(pair.cluster, wish({ outside: [noPower] }), quietTask())).rejects.toMatchObject({
      code: 'fence_impossible',
      message: expect.stringContaining('power off: the provider does not answer'),
    });
    await pair.network.heal(from);
    await trials.writes(ledger, from);
    expect(await trials.settle(ledger, from)).toMatchObject(lostNothing);
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary: from });
  }, 120_000);

  test('whose frozen host wakes up later hears no commit acknowledged there (commit fence)', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.network.hosts[from].freeze();
    expect(await failover(pair.cluster, wish({ commitFence: true }), quietTask())).toMatchObject({
      outcome: 'failed over',
      lossless: true,
      fence: `commit fence: every commit of ${from} waits for ${to}, which receives nothing any more`,
    });
    await trials.writes(ledger, to);
    pair.network.hosts[from].thaw();
    await trials.writes(ledger, to);
    expect(await trials.settle(ledger, to)).toMatchObject(lostNothing);
    expect(await trials.bringBack()).toMatchObject({ changed: true });
  }, 120_000);

  // Every other step is killed before, too, in bench/failover.
  test('whose orchestrator is killed after the promotion is brought to the end by the next', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.signal(from, 'SIGKILL', 'postmaster');
    const plan = { cluster: pair.cluster, from, to, commitFence: false, killAt: 'Verifying' };
    expect((await runOrchestrator(plan)).at(-1)).toBe('Verifying');
    expect(await failover(pair.cluster, wish(), quietTask())).toMatchObject({
      outcome: 'failed over',
      primary: to,
      resumed: true,
    });
    await trials.writes(ledger, to);
    expect(await trials.settle(ledger, to)).toMatchObject(lostNothing);
    await trials.bringBack();
  }, 120_000);

  test('changes its roles when it is asked to, and loses nothing', async () => {
    const { pair, roles } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    // Its repository hangs, and a clean stop would wait for that.
    const wish = { from: pair.member(from), to: pair.member(to), synchronous: true, archiveSeconds: 1 };
    await expect(switchover(pair.cluster, wish, quietTask())).rejects.toMatchObject({ code: 'switchover_refused' });
    const despite = { ...wish, despiteArchiver: true };
    expect(await switchover(pair.cluster, despite, quietTask())).toMatchObject({ changed: true, primary: to });
    await trials.writes(ledger, to);
    expect(await trials.settle(ledger, to)).toMatchObject(lostNothing);
    expect(await trials.bringBack()).toMatchObject({ changed: false, method: 'none' });
  }, 120_000);
});
