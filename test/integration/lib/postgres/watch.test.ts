import { setTimeout as sleep } from 'node:timers/promises';
import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { until } from '../../../../lab/hosts/waiting';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../../lab/postgres-pair';
import { databaseAt } from '../../../../lib/postgres/replication/access';
import { failover } from '../../../../lib/postgres/replication/failover';
import { rejoin } from '../../../../lib/postgres/replication/rejoin';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import type { WatchEvent } from '../../../../lib/postgres/replication/watch/event';
import { keyOf, watchCluster } from '../../../../lib/postgres/replication/watch/watch';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

describeAsRoot('the watch over a pair', () => {
  let pair: PostgresPair;
  const store = memoryState(makeMemory(), quietTask());
  const events: WatchEvent[] = [];
  const troubles: string[] = [];
  const ended = new AbortController();
  let outcome: 'ended well' | 'failed' = 'ended well';
  let watching: Promise<void>;

  beforeAll(async () => {
    pair = await startPostgresPair();
    const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
    await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, quietTask());
    const replication = pair.cluster.replication;
    const credential = { ...pair.app, reach: { kind: 'tunnel' }, test: { host: '', port: 5432 }, replication } as const;
    watching = watchCluster(
      {
        cluster: pair.cluster,
        databaseOf: (member) => databaseAt(pair.cluster, member, credential),
        witnesses: [],
        store,
        limits: { lagBytes: 64 * 1024 ** 2, slotBytes: 4 * 1024 ** 3, synchronous: true },
        everyMs: 500,
        heartbeatMs: 500,
        retryMs: 300,
        workflowId: '',
        deliver: (event) => {
          events.push(event);
          return Promise.resolve(outcome);
        },
        onTrouble: (error) => {
          if (error !== undefined) troubles.push(error.message);
        },
      },
      quietTask(ended.signal),
    );
    await until('the watch knows its primary', 20_000, async () =>
      (await store.read(keyOf(pair.cluster))) === undefined ? undefined : true,
    );
  }, 120_000);
  afterAll(async () => {
    ended.abort();
    await watching;
    await pair.stop();
  });

  const told = (name: string, times = 1) =>
    until(`${name} is told`, 30_000, () => {
      const found = events.filter(({ event }) => event === name);
      return found.length >= times ? found[times - 1] : undefined;
    });
  const known = async () => (await store.read(keyOf(pair.cluster)))?.value;
  const quietNow = () =>
    until('everything is well again', 30_000, async () => {
      const value = (await known()) as { incidents: unknown[]; untold: unknown[] } | undefined;
      return value?.incidents.length === 0 && value.untold.length === 0 ? true : undefined;
    });

  test('remembers who is who, and writes its heartbeat', async () => {
    expect(await known()).toMatchObject({ epoch: 1, primary: 'bruno', syncset: ['eva'], promotable: true });
    await until('two beats', 20_000, async () =>
      Number(await pair.sql('bruno', 'select max(beats) from selfhost.heartbeat').catch(() => '0')) >= 2
        ? true
        : undefined,
    );
  });

  test('says nothing of a blip, and nothing when only we are cut off', async () => {
    pair.signal('bruno', 'SIGSTOP', 'all');
    await sleep(700);
    pair.signal('bruno', 'SIGCONT', 'all');
    await pair.network.separate('orchestrator', 'bruno');
    const seen = troubles.length;
    await until('it is seen that only we cannot reach it', 30_000, () =>
      troubles.slice(seen).some((text) => text.includes('eva can log in to bruno')) ? true : undefined,
    );
    await pair.network.rejoin('orchestrator', 'bruno');
    expect(events.filter(({ event }) => /^primary|split/.test(event))).toEqual([]);
  }, 120_000);

  test('tells once that the standby is gone and commits wait for nobody who is there, and once that it is back', async () => {
    await quietNow();
    events.length = 0;
    pair.signal('eva', 'SIGKILL', 'postmaster');
    expect(await told('replicaLost')).toMatchObject({ member: 'eva', primary: 'bruno', cluster: 'immich', attempt: 1 });
    expect((await told('syncDegraded')).text).toBe('commits of bruno wait for a standby that is not there');
    await pair.startServer('eva');
    await told('recovered', 2);
    expect(events.map(({ event, of }) => of ?? event).sort()).toEqual([
      'replicaLost',
      'replicaLost',
      'syncDegraded',
      'syncDegraded',
    ]);
  }, 120_000);

  test('tells of a lost primary with evidence, again while what it started fails, and of the new one once', async () => {
    await quietNow();
    events.length = 0;
    outcome = 'failed';
    pair.signal('bruno', 'SIGKILL', 'postmaster');
    const lost = await told('primaryLost');
    expect(lost).toMatchObject({ member: 'bruno', address: pair.member('bruno').address, epoch: 1, promotable: true });
    expect(lost.evidence.join('\n')).toContain('eva gets no answer from bruno');
    const again = await told('primaryLost', 2);
    expect([again.id, again.attempt]).toEqual([lost.id, 2]);
    outcome = 'ended well';
    const wish = { from: pair.member('bruno'), to: pair.member('eva'), outside: [], commitFence: false };
    await failover(pair.cluster, { ...wish, automatic: true }, quietTask());
    expect(await told('recovered')).toMatchObject({ of: 'primaryLost', primary: 'eva', epoch: 2 });
    expect(await known()).toMatchObject({ epoch: 2, primary: 'eva', promotable: false });
    await told('replicaLost');
    const back = { primary: pair.member('eva'), standby: pair.member('bruno') };
    await rejoin(pair.cluster, { ...back, synchronous: true, allowCopy: false }, quietTask());
    await quietNow();
    expect(events.filter(({ event, of }) => event === 'recovered' && of === 'primaryLost')).toHaveLength(1);
  }, 120_000);

  test('tells a hung primary from a lost one', async () => {
    events.length = 0;
    const primary: PairName = 'eva';
    pair.signal(primary, 'SIGSTOP', 'postmaster');
    expect(await told('primaryHung')).toMatchObject({
      member: 'eva',
      text: 'eva hangs: it runs and lets nobody log in',
    });
    pair.signal(primary, 'SIGCONT', 'postmaster');
    expect(await told('recovered')).toMatchObject({ of: 'primaryHung', primary: 'eva' });
    await quietNow();
    expect(events.filter(({ event }) => event.startsWith('primary'))).toHaveLength(1);
  }, 120_000);
});
