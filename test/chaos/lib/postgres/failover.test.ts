import { until } from '../../../../lab/hosts/waiting';
import { failover } from '../../../../lib/postgres/replication/failover';
import { switchover } from '../../../../lib/postgres/replication/switchover';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { quietTask } from '../../../shared/task';
import { startTrials, type Trials } from './trial';

describeAsRoot('a pair that loses its primary under load', () => {
  let trials: Trials;
  beforeAll(async () => {
    trials = await startTrials();
  }, 120_000);
  afterAll(() => trials.stop());

  const lostNothing = { missing: 0, overlapping: 0 };

  test('a postmaster that is killed: the standby takes over, nothing acknowledged is lost, and the old primary comes back', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.signal(from, 'SIGKILL', 'postmaster');
    const outcome = await failover(pair.cluster, wish(), quietTask());
    expect(outcome).toMatchObject({
      outcome: 'failed over',
      primary: to,
      lossless: true,
      fence: `no process of PostgreSQL is left on the host of ${from}`,
    });
    await trials.writes(ledger, to);
    const account = await trials.settle(ledger, to);
    console.log(account, outcome.steps, await trials.bringBack());
    expect(account).toMatchObject(lostNothing);
  });

  test('a hung postmaster', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.signal(from, 'SIGSTOP', 'postmaster');
    const outcome = await failover(pair.cluster, wish(), quietTask());
    await trials.writes(ledger, to);
    const account = await trials.settle(ledger, to);
    console.log(account, outcome, await trials.bringBack());
    expect(account).toMatchObject(lostNothing);
  });

  test('a frozen host', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.network.hosts[from].freeze();
    const outcome = await failover(pair.cluster, wish({ commitFence: true }), quietTask());
    await trials.writes(ledger, to);
    pair.network.hosts[from].thaw();
    await trials.writes(ledger, to);
    const account = await trials.settle(ledger, to);
    console.log(account, outcome, await trials.bringBack());
    expect(account).toMatchObject(lostNothing);
  });

  test('switchover', async () => {
    const { pair, roles } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    const outcome = await switchover(pair.cluster, { from: pair.member(from), to: pair.member(to), synchronous: true }, quietTask());
    await trials.writes(ledger, to);
    const account = await trials.settle(ledger, to);
    console.log(account, outcome, await trials.bringBack());
    expect(account).toMatchObject(lostNothing);
  });
  void until;
  void readTopology;
});
