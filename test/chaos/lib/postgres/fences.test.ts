import { Client } from 'pg';
import { until } from '../../../../lab/hosts/waiting';
import type { PairName } from '../../../../lab/postgres-pair';
import { runCommand } from '../../../../lib/host/run';
import { failover } from '../../../../lib/postgres/replication/failover';
import { firewallFence, liftFirewall } from '../../../../lib/postgres/replication/firewall';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { nodeOn } from '../../../shared/pair-node';
import { quietTask } from '../../../shared/task';
import { startTrials, type Trials } from './trial';

// Where the processes of the old primary cannot be ended: what is proven instead, what is not, and who undoes it.
describeAsRoot('a pair under load whose old primary can only be silenced from outside', () => {
  let trials: Trials;
  beforeAll(async () => {
    trials = await startTrials();
  }, 120_000);
  afterAll(() => trials.stop());

  const lostNothing = { missing: 0, overlapping: 0 };
  const on = async (name: PairName, script: string, ...list: readonly string[]) => {
    const { host } = trials.pair.member(name);
    return (await runCommand(host, { script, arguments: list }, {}, quietTask())).stdout;
  };
  const rulesOf = (name: PairName) =>
    on(name, '{ nft list tables; iptables-save; ip6tables-save; } 2>&1 | grep -E "fence" || :');
  /** Its disk is gone from where it was, while what runs on it runs on: nobody can tell any more what is the server's. */
  const hideFolder = (name: PairName) =>
    on(name, 'mkdir -p /root/nothing && mount --bind /root/nothing "$1"', trials.pair.member(name).dataFolder);
  const showFolder = (name: PairName) => on(name, 'umount "$1"', trials.pair.member(name).dataFolder);
  const healthy = async (primary: PairName) => {
    expect(await readTopology(trials.pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary });
  };

  test('the firewall of its host is proven from the standby before anybody is promoted, and opened again by the rejoin', async () => {
    const { pair, roles } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    // No new login is answered, and those who are in go on as before.
    pair.signal(from, 'SIGSTOP', 'postmaster');
    await hideFolder(from);
    expect(await nodeOn(pair)('primary failover', { options: { firewall: true } })).toMatchObject({
      ...{ outcome: 'failed over', primary: to, lossless: true },
      fence: `firewall on the host of ${from}: nothing goes in or out of port 5432 of ${from} any more, and ${to} gets no answer there`,
    });
    expect(pair.processes(from).length).toBeGreaterThan(1);
    await trials.writes(ledger, to);
    await showFolder(from);
    expect(await trials.settle(ledger, to)).toMatchObject(lostNothing);
    expect(await rulesOf(from)).toContain('selfhost_fence');
    expect(await trials.bringBack()).toMatchObject({ changed: true, method: 'rewound' });
    expect(await rulesOf(from)).toBe('');
    await healthy(to);
  }, 120_000);

  test('a rule that does not hold is no fence: refused, taken away again, and the primary goes on', async () => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    pair.signal(from, 'SIGSTOP', 'postmaster');
    await hideFolder(from);
    // It says that all is well and does nothing, as in a container that has a network of its own. No login would show
    // that: the server is hung. What shows it is that its kernel still takes connections.
    await on(
      from,
      "printf '#!/bin/sh\\ncat > /dev/null\\n' > /root/nft; chmod +x /root/nft; mount --bind /root/nft /usr/sbin/nft",
    );
    const fence = firewallFence(pair.cluster, pair.member(from), pair.member(to));
    const refused: unknown = await failover(pair.cluster, wish({ outside: [fence] }), quietTask()).catch(
      (error: unknown) => error,
    );
    await on(from, 'umount /usr/sbin/nft');
    await showFolder(from);
    pair.signal(from, 'SIGCONT', 'postmaster');
    expect(refused).toMatchObject({
      code: 'fence_impossible',
      message: expect.stringContaining(`${to} still gets through to ${pair.member(from).address}:5432, past the rule`),
    });
    await trials.writes(ledger, from);
    expect(await trials.settle(ledger, from)).toMatchObject(lostNothing);
    expect(await rulesOf(from)).toBe('');
    await healthy(from);
  }, 120_000);

  test('who waits for a commit behind the firewall is not told of it, also where there is iptables only', async () => {
    const { pair, roles } = trials;
    const { from, to } = roles();
    const { address } = pair.member(from);
    const clients = [new Client({ ...pair.app, host: address }), new Client({ ...pair.app, host: address })] as const;
    for (const client of clients) {
      client.on('error', () => undefined);
      await client.connect();
    }
    const [holder, waiter] = clients;
    await holder.query('select pg_advisory_lock(1)');
    let heard = false;
    const answer = waiter.query('select pg_advisory_lock(1)').then(() => (heard = true));
    const activity = (what: string) => () =>
      pair
        .sql(from, `select count(*) from pg_stat_activity where query like '%advisory_lock(1)%' and ${what}`)
        .then((found) => (found === '1' ? true : undefined));
    await until('it waits', 10_000, activity("wait_event = 'advisory'"));
    await on(from, 'mount --bind /dev/null /usr/sbin/nft');
    await firewallFence(pair.cluster, pair.member(from), pair.member(to)).silence(quietTask());
    expect(await rulesOf(from)).toContain('selfhost-fence');
    const end = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted";
    await pair.sql(from, end);
    await until('the server has answered', 10_000, activity("pid <> pg_backend_pid() and state = 'idle'"));
    expect(heard).toBe(false);
    await liftFirewall(pair.cluster, pair.member(from), quietTask());
    await on(from, 'umount /usr/sbin/nft');
    expect(await rulesOf(from)).toBe('');
    await answer;
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
    await until('the standby is back', 30_000, async () =>
      (await readTopology(pair.cluster, {}, quietTask())).verdict === 'healthy' ? true : undefined,
    );
  }, 120_000);
});
