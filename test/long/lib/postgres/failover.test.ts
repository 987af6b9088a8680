import { messageOf } from '../../../../lib/failure';
import { closeSessions } from '../../../../lib/host/sessions';
import type { Database } from '../../../../lib/postgres/connection';
import { awaitLoss, USUAL_WATCH } from '../../../../lib/postgres/replication/detect';
import { failover } from '../../../../lib/postgres/replication/failover';
import { switchover } from '../../../../lib/postgres/replication/switchover';
import { pause } from '../../../../lib/task';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { quietTask } from '../../../shared/task';
import { runOrchestrator } from '../../../chaos/lib/postgres/orchestrator';
import { archiveToNowhere } from '../../../../lab/archive-nowhere';
import { startTrials, type Account, type Trials } from '../../../chaos/lib/postgres/trial';

const ROUNDS = Number(process.env.SELFHOST_FAILOVER_ROUNDS ?? 10);

interface Row extends Account {
  readonly fault: string;
}

// Longer than CI allows: every fault several times, with the time from the first failed login, and the sum of it all.
describeAsRoot('failovers, many times', () => {
  let trials: Trials;
  const rows: Row[] = [];
  beforeAll(async () => {
    // A restore_command that hangs for a while and then fails, as with a repository that is out of reach.
    trials = await startTrials({ restore_command: 'sleep 3; exit 1' });
    await archiveToNowhere(trials.pair);
  }, 120_000);
  afterAll(async () => {
    await trials.stop();
    console.log(report(rows));
  });

  const databaseOf = (address: string): Database => ({
    name: 'the primary',
    ...trials.pair.app,
    at: { host: address, port: 5432 },
  });

  const runTrial = async (
    fault: string,
    strike: () => Promise<void> | void,
    commitFence: boolean,
    after: () => Promise<void> | void,
  ) => {
    const { pair, roles, wish } = trials;
    const { from, to } = roles();
    const ledger = await trials.load();
    await strike();
    await awaitLoss(databaseOf(pair.member(from).address), USUAL_WATCH, quietTask());
    const outcome = await failover(pair.cluster, wish({ commitFence, hostMs: 1_000 }), quietTask());
    await trials.writes(ledger, to);
    await after();
    await trials.writes(ledger, to);
    const account = await trials.settle(ledger, to);
    rows.push({ fault, ...account });
    expect({ outcome: outcome.outcome, ...account }).toMatchObject({
      outcome: 'failed over',
      missing: 0,
      overlapping: 0,
    });
    await trials.bringBack();
  };
  const nothing = () => undefined;
  const times = Array.from({ length: ROUNDS }, (_, index) => index + 1);

  test.each(times)(
    'kill -9 of the postmaster, %d',
    async () => {
      const { from } = trials.roles();
      await runTrial(
        'kill -9 of the postmaster',
        () => trials.pair.signal(from, 'SIGKILL', 'postmaster'),
        false,
        nothing,
      );
    },
    180_000,
  );

  test.each(times)(
    'hung postmaster, %d',
    async () => {
      const { from } = trials.roles();
      await runTrial('hung postmaster', () => trials.pair.signal(from, 'SIGSTOP', 'postmaster'), false, nothing);
    },
    180_000,
  );

  test.each(times)(
    'frozen host with the commit fence, thawed after the promotion, %d',
    async () => {
      const host = trials.pair.network.hosts[trials.roles().from];
      await runTrial('frozen host, commit fence', host.freeze, true, host.thaw);
    },
    180_000,
  );

  test.each(times)(
    'lost host with the commit fence, back after the promotion, %d',
    async () => {
      const { from } = trials.roles();
      const { network } = trials.pair;
      await runTrial(
        'lost host, commit fence',
        () => network.cut(from),
        true,
        () => network.heal(from),
      );
    },
    180_000,
  );

  test('a cable that is out for a second, again and again, is no loss', async () => {
    const { pair, roles } = trials;
    const { from } = roles();
    const ledger = await trials.load();
    const stop = new AbortController();
    const watching = awaitLoss(databaseOf(pair.member(from).address), USUAL_WATCH, quietTask(stop.signal));
    const ended = watching.then(
      ({ evidence }) => evidence.join('; '),
      (error: unknown) => messageOf(error),
    );
    for (let count = 0; count < 10; count++) {
      await pair.network.cut(from);
      await pause(1_000, stop.signal, 'the blip');
      await pair.network.heal(from);
      await pause(1_500, stop.signal, 'the time between');
    }
    stop.abort();
    expect(await ended).toMatch(/^Stopped: /);
    await trials.writes(ledger, from);
    expect(await trials.settle(ledger, from)).toMatchObject({ missing: 0, overlapping: 0 });
  }, 180_000);

  test.each(['Claiming', 'Cutting', 'Fencing', 'Promoting', 'Verifying'])(
    'orchestrator killed before %s',
    async (killAt) => {
      const { pair, roles } = trials;
      const { from, to } = roles();
      await runTrial(
        'orchestrator killed',
        async () => {
          pair.signal(from, 'SIGKILL', 'postmaster');
          await runOrchestrator({ cluster: pair.cluster, from, to, commitFence: false, killAt });
        },
        false,
        nothing,
      );
    },
    180_000,
  );

  test.each(times)(
    'switchover, %d',
    async () => {
      const { pair, roles } = trials;
      const { from, to } = roles();
      const ledger = await trials.load();
      const wish = { from: pair.member(from), to: pair.member(to), synchronous: true, despiteArchiver: true };
      await switchover(pair.cluster, wish, quietTask());
      await trials.writes(ledger, to);
      const account = await trials.settle(ledger, to);
      rows.push({ fault: 'switchover', ...account });
      expect(account).toMatchObject({ missing: 0, overlapping: 0 });
      await trials.bringBack();
      await closeSessions();
    },
    180_000,
  );
});

function report(rows: readonly Row[]): string {
  const faults = [...new Set(rows.map(({ fault }) => fault))];
  const lines = faults.map((fault) => {
    const of = rows.filter((row) => row.fault === fault);
    const gaps = of.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
    const at = (share: number) => gaps[Math.min(gaps.length - 1, Math.ceil(share * gaps.length) - 1)] ?? 0;
    const sum = (pick: (row: Row) => number) => of.reduce((total, row) => total + pick(row), 0);
    return `| ${fault} | ${of.length} | ${at(0.5)} | ${at(0.95)} | ${gaps.at(-1) ?? 0} | ${sum((row) => row.acknowledged)} | ${sum((row) => row.missing)} | ${sum((row) => row.overlapping)} |`;
  });
  return [
    '| fault | trials | outage p50 ms | p95 ms | most ms | acknowledged | missing | overlapping |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
