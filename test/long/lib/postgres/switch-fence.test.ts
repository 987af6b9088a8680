import { hostOf } from '../../../../lab/hosts/as-host';
import { manageSwitch } from '../../../../lab/hosts/managed-switch';
import type { SshHost } from '../../../../lab/hosts/ssh-host';
import { until } from '../../../../lab/hosts/waiting';
import type { PairName } from '../../../../lab/postgres-pair';
import { failover } from '../../../../lib/postgres/replication/failover';
import { commandFence } from '../../../../lib/postgres/replication/fences';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { startTrials, type Trials } from '../../../chaos/lib/postgres/trial';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { quietTask } from '../../../shared/task';

// Somebody's own fence: it closes the port of the switch that the old primary hangs on, and looks whether it is closed.
const CLOSE_PORT = `
ip link set "to-$1" nomaster
! ip -o link show master switch | grep -q " to-$1[@:]"
if timeout 2 bash -c 'exec 3<> "/dev/tcp/$1/$2"' bash "$2" "$3" 2> /dev/null; then exit 1; fi
echo "port to-$1 of the switch is closed"
`;

describeAsRoot('a pair whose old primary answers nobody, and a fence of one’s own on a third machine', () => {
  let trials: Trials;
  let wire: SshHost;
  beforeAll(async () => {
    trials = await startTrials();
    wire = await manageSwitch(trials.pair.network);
  }, 120_000);
  afterAll(async () => {
    await wire.stop();
    await trials.stop();
  }, 60_000);

  const lostNothing = { missing: 0, overlapping: 0 };
  const healthy = async (primary: PairName) => {
    expect(await readTopology(trials.pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary });
  };

  test('a command of one’s own that cannot prove it is no fence, and the primary goes on', async () => {
    const { pair, roles, wish } = trials;
    const { from } = roles();
    const ledger = await trials.load();
    pair.network.hosts[from].freeze();
    const fence = commandFence(hostOf(wire), CLOSE_PORT.replaceAll('to-$1', 'to-nobody'), pair.member(from));
    await expect(failover(pair.cluster, wish({ outside: [fence] }), quietTask())).rejects.toMatchObject({
      code: 'fence_impossible',
      message: expect.stringContaining('own command on host switch'),
    });
    pair.network.hosts[from].thaw();
    await trials.writes(ledger, from);
    expect(await trials.settle(ledger, from)).toMatchObject(lostNothing);
    await until('the standby is back', 30_000, async () =>
      (await readTopology(pair.cluster, {}, quietTask())).verdict === 'healthy' ? true : undefined,
    );
  }, 120_000);

  test('a command of one’s own on a third machine silences a host that answers nobody', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.network.hosts[from].freeze();
    const fence = commandFence(hostOf(wire), CLOSE_PORT, pair.member(from));
    expect(await failover(pair.cluster, wish({ outside: [fence] }), quietTask())).toMatchObject({
      ...{ outcome: 'failed over', primary: to, lossless: true },
      fence: expect.stringMatching(/^own command on .*switch.*: port to-\w+ of the switch is closed$/),
    });
    await trials.writes(ledger, to);
    // It wakes up behind the closed port, and believes that it is the primary.
    pair.network.hosts[from].thaw();
    await until('the old primary runs', 10_000, async () =>
      (await pair.sql(from, 'select pg_is_in_recovery()')) === 'f' ? true : undefined,
    );
    await trials.writes(ledger, to);
    // Whoever closed the port opens it again; until the rejoin nothing waits for this server's commits but it for theirs.
    await pair.network.heal(from);
    await trials.writes(ledger, to);
    expect(await trials.settle(ledger, to)).toMatchObject(lostNothing);
    expect(await trials.bringBack()).toMatchObject({ changed: true, method: 'rewound' });
    await healthy(to);
  }, 120_000);
});
