import { clock } from '../../lab/commit-ledger';
import type { PairName } from '../../lab/postgres-pair';
import { closeSessions } from '../../lib/host/sessions';
import {
  alarm,
  freezeHost,
  hangPostmaster,
  killPostmaster,
  loseHost,
  plainFault,
  powerOffFault,
  refusal,
  reviveOld,
  sleep,
  STEPS,
  switchoverFault,
  troubleFault,
} from './faults';
import { startOurs, type Orchestrator, type Ours } from './ours';
import { startPatroni, type Rival } from './rivals/patroni';
import { startRepmgr } from './rivals/repmgr';
import type { Site } from './site';
import { runTrial, type Bench, type Fault } from './trial';

type Section = (bench: Bench) => Promise<void>;

/** A trial that broke may have left anything: then everything is made anew. */
async function withOurs(
  bench: Bench,
  kind: 'plain' | 'docker',
  prepare: (ours: Ours) => Promise<void>,
  trials: readonly ((ours: Ours) => Promise<Fault>)[],
): Promise<void> {
  let ours: Ours | undefined;
  let broken = 0;
  try {
    for (const trial of trials) {
      if (ours === undefined) {
        ours = await startOurs(kind, bench.say);
        await prepare(ours);
      }
      try {
        await runTrial(bench, ours, await trial(ours));
      } catch (error) {
        broken += 1;
        bench.say(`Made anew after: ${String(error).slice(0, 300)}`);
        await ours.stop();
        ours = undefined;
        if (broken > 5) throw new Error('Too many trials are broken', { cause: error });
      }
    }
  } finally {
    await ours?.stop();
    await closeSessions();
  }
}

const times = <T>(count: number, one: T): T[] => Array.from({ length: Math.ceil(count) }, () => one);
const noPreparation = () => Promise.resolve();

type Watching = Readonly<{ commitFence?: boolean; powerOff?: boolean }>;

/** One orchestrator for many trials, as n8n runs on; two at once would be two n8n that watch one pair. */
function keeper() {
  let kept: { readonly ours: Ours; readonly key: string; readonly orchestrator: Orchestrator } | undefined;
  const stop = async () => {
    await kept?.orchestrator.stop();
    kept = undefined;
  };
  return {
    stop,
    for: async (ours: Ours, options: Watching): Promise<() => Orchestrator> => {
      const key = JSON.stringify(options);
      if (kept?.ours !== ours || kept.key !== key || !kept.orchestrator.program.isRunning()) {
        await stop();
        kept = { ours, key, orchestrator: await ours.orchestrate(options) };
      }
      const { orchestrator } = kept;
      return () => orchestrator;
    },
  };
}

const thaw: NonNullable<Fault['after']> = async (site) => {
  site.network.hosts[site.roles().from].thaw();
};
const heal: NonNullable<Fault['after']> = async (site) => {
  await site.network.heal(site.roles().from);
};
const fenced = { commitFence: true };

/** The faults of the table, each so many times. */
function tableOfFaults(counts: {
  readonly kill: number;
  readonly revive: number;
  readonly hung: number;
  readonly lost: number;
  readonly frozen: number;
  readonly powerOff: number;
  readonly switchover: number;
  readonly archiverFails: boolean;
}): readonly ((ours: Ours) => Promise<Fault>)[] {
  const keep = keeper();
  type Make = (ours: Ours) => Promise<Fault>;
  const plain = (name: string, options: Watching, strike: Fault['strike'], after?: Fault['after']): Make => {
    return async (ours) => plainFault(ours, await keep.for(ours, options), name, strike, after);
  };
  const revived: Make = async (ours) =>
    plainFault(
      ours,
      await keep.for(ours, {}),
      'kill -9, the old primary started again',
      killPostmaster,
      reviveOld(ours),
    );
  const powerOff: Make = async (ours) => powerOffFault(ours, await keep.for(ours, { powerOff: true }));
  const planned: Make = async (ours) => {
    await keep.stop();
    return switchoverFault(ours, counts.archiverFails);
  };
  return [
    ...times(counts.kill, plain('kill -9 of the postmaster', {}, killPostmaster)),
    ...times(counts.revive, revived),
    ...times(counts.hung, plain('hung postmaster', {}, hangPostmaster)),
    ...times(counts.lost, plain('host loss, commit fence', fenced, loseHost, heal)),
    ...times(counts.frozen, plain('frozen host, thawed later', fenced, freezeHost, thaw)),
    ...times(counts.powerOff, powerOff),
    ...times(counts.switchover, planned),
  ];
}

const faults: Section = (bench) => {
  const many = (count: number) => count * bench.rounds;
  const counts = { kill: many(25), revive: many(6), hung: many(12), lost: many(15), frozen: many(12) };
  const rest = { powerOff: many(5), switchover: many(15), archiverFails: true };
  return withOurs(bench, 'plain', noPreparation, tableOfFaults({ ...counts, ...rest }));
};

/** A quarter of a tenth of a second on each cable, each way: 100 ms there and back between the two. */
const slow: Section = (bench) => {
  const many = (count: number) => count * bench.rounds;
  const counts = { kill: many(5), revive: 0, hung: many(4), lost: many(5), frozen: many(4), powerOff: many(2) };
  const prepare = async (ours: Ours) => {
    for (const name of ['bruno', 'eva'] as const) await ours.network.delay(name, 25);
  };
  return withOurs(bench, 'plain', prepare, tableOfFaults({ ...counts, switchover: many(4), archiverFails: true }));
};

const containers: Section = (bench) => {
  const many = (count: number) => count * bench.rounds;
  const counts = { kill: many(4), revive: many(1), hung: many(3), lost: many(3), frozen: 0, powerOff: many(1) };
  return withOurs(
    bench,
    'docker',
    noPreparation,
    tableOfFaults({ ...counts, switchover: many(3), archiverFails: false }),
  );
};

const troubles: Section = (bench) => {
  const kinds = ['killed', 'cut off', 'frozen'] as const;
  const all = kinds.flatMap((kind) =>
    STEPS.map(
      (at) =>
        async (ours: Ours): Promise<Fault> =>
          troubleFault(ours, kind, at),
    ),
  );
  return withOurs(
    bench,
    'plain',
    noPreparation,
    times(bench.rounds, all).flatMap((one) => one),
  );
};

const alarms: Section = (bench) => {
  const keep = keeper();
  const on = (name: string, disturb: (ours: Ours, from: 'bruno' | 'eva') => Promise<void>) => async (ours: Ours) =>
    alarm(await keep.for(ours, fenced), name, disturb, ours);
  const blips = on('a cable out for 1 s, ten times', async ({ network }, from) => {
    for (let count = 0; count < 10; count++) {
      await network.cut(from);
      await sleep(1_000);
      await network.heal(from);
      await sleep(1_500);
    }
  });
  const slowly = on('200 ms of latency, 20 s', async ({ network }, from) => {
    await network.delay(from, 100);
    await sleep(20_000);
    await network.delay(from, 0);
  });
  const lossy = on('5 % of packets lost, 20 s', async ({ network }, from) => {
    await network.delay(from, 0, 5);
    await sleep(20_000);
    await network.delay(from, 0);
  });
  const both = on('200 ms of latency and 5 % of packets lost, 20 s', async ({ network }, from) => {
    await network.delay(from, 100, 5);
    await sleep(20_000);
    await network.delay(from, 0);
  });
  const alone = on('only the orchestrator cut off from the primary, 15 s', async ({ network }, from) => {
    await network.separate('orchestrator', from);
    await sleep(15_000);
    await network.rejoin('orchestrator', from);
  });
  const whole = on('the orchestrator cut off from both, 15 s', async ({ network }) => {
    for (const name of ['bruno', 'eva'] as const) await network.separate('orchestrator', name);
    await sleep(15_000);
    for (const name of ['bruno', 'eva'] as const) await network.rejoin('orchestrator', name);
  });
  const all = times(bench.rounds, [blips, slowly, lossy, both, alone, whole]).flatMap((one) => one);
  return withOurs(bench, 'plain', noPreparation, all);
};

const refusals: Section = (bench) => {
  const ways = ['no fence', 'the fence fails'] as const;
  const all = ways.flatMap((way) => times(5 * bench.rounds, async (ours: Ours) => refusal(ours, way)));
  return withOurs(bench, 'plain', noPreparation, all);
};

/** The same faults under the same load, against somebody else's failover. */
const rival =
  (start: (note: Bench['say']) => Promise<Rival>): Section =>
  async (bench) => {
    const trials: readonly (() => Omit<Fault, 'recover'>)[] = [
      ...times(4 * bench.rounds, () => ({
        name: 'kill -9 of the postmaster',
        strike: killPostmaster,
        survivor: 'either' as const,
      })),
      ...times(3 * bench.rounds, () => ({ name: 'host loss', strike: loseHost, after: heal })),
      ...times(3 * bench.rounds, () => ({ name: 'frozen host, thawed later', strike: freezeHost, after: thaw })),
      ...times(2 * bench.rounds, hungForRival),
    ];
    let one: Rival | undefined;
    try {
      for (const trial of trials) {
        one ??= await start(bench.say);
        const { site, bringBack } = one;
        const recover = async () => {
          const begin = clock();
          return { method: await bringBack(), ms: Math.round(clock() - begin) };
        };
        try {
          await runTrial(bench, site, { deadlineMs: 90_000, ...trial(), recover });
        } catch {
          await one.stop();
          one = undefined;
        }
      }
    } finally {
      await one?.stop();
      await closeSessions();
    }
  };

/** It may never fail over: then the postmaster goes on after 45 s, and that is the result. */
function hungForRival(): Omit<Fault, 'recover'> {
  const goOn = ({ signal }: Site, from: PairName) => {
    signal(from, 'SIGCONT', 'postmaster');
  };
  let over = false;
  return {
    name: 'hung postmaster',
    survivor: 'either',
    strike: async (site, { from, to }) => {
      const struck = await hangPostmaster(site, { from, to });
      const end = clock() + 45_000;
      over = false;
      while (!over && clock() < end) {
        await sleep(500);
        over = (await site.sql(to, 'select pg_is_in_recovery()').catch(() => 't')) === 'f';
      }
      if (!over) goOn(site, from);
      return struck;
    },
    after: (site) => {
      if (over) goOn(site, site.roles().from);
      return Promise.resolve();
    },
  };
}

export const SECTIONS: Readonly<Record<string, Section>> = {
  ...{ faults, troubles, alarms, refusals, slow, containers },
  ...{ patroni: rival(startPatroni), repmgr: rival(startRepmgr) },
};
