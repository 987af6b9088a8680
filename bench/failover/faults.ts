import { randomInt } from 'node:crypto';
import { clock } from '../../lab/commit-ledger';
import { until } from '../../lab/hosts/waiting';
import { isObject } from '../../lib/json';
import { failover } from '../../lib/postgres/replication/failover';
import { switchover } from '../../lib/postgres/replication/switchover';
import { isFailure, messageOf } from '../../lib/failure';
import { awaitQuiet, type Orchestrator, type Ours } from './ours';
import type { PairName } from '../../lab/postgres-pair';
import type { Said } from './orchestrator-program';
import type { Trial } from './results';
import type { Fault } from './trial';

/** What each fault is measured by: the longest time without an acknowledged commit. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Strike = Fault['strike'];

export const killPostmaster: Strike = async (site, { from }) => {
  site.signal(from, 'SIGKILL', 'postmaster');
  return clock();
};

export const hangPostmaster: Strike = async (site, { from }) => {
  site.signal(from, 'SIGSTOP', 'postmaster');
  return clock();
};

export const loseHost: Strike = async (site, { from }) => {
  const struck = clock();
  await site.network.cut(from);
  return struck;
};

export const freezeHost: Strike = async (site, { from }) => {
  const struck = clock();
  site.network.hosts[from].freeze();
  return struck;
};

/** How one of our trials ends: the old primary rejoins by itself, and the watch is quiet again. */
const recoverOurs =
  (ours: Ours, orchestrator?: () => Orchestrator) => async (): Promise<NonNullable<Trial['rejoin']>> => {
    const begin = clock();
    const { method, steps } = await ours.bringBack();
    const ms = Math.round(clock() - begin);
    if (orchestrator !== undefined) await awaitQuiet(orchestrator(), ours.roles().from);
    return { method, ms, steps };
  };

const since = (orchestrator: Orchestrator) => {
  const begin = orchestrator.said().length;
  return () => orchestrator.said().slice(begin);
};

/** What the failover itself says, which comes a moment after the first commit. */
async function outcomeOf(heard: () => readonly Said[]): Promise<Partial<Trial>> {
  await until('the failover says how it ended', 15_000, () => heard().find(({ kind }) => kind === 'done')).catch(
    () => undefined,
  );
  const said = heard();
  const done = said.flatMap((one) => (one.kind === 'done' && isObject(one.result) ? [one.result] : []));
  const over = done.filter(({ outcome }) => outcome === 'failed over');
  const wrong = over.length === 1 ? [] : [`${over.length} failovers, and one was to come`];
  const unsafe = over.filter(({ lossless }) => lossless !== true).map(() => 'a failover that is not lossless');
  const steps = over[0]?.steps;
  return { wrong: [...wrong, ...unsafe], ...(Array.isArray(steps) && { steps: steps as NonNullable<Trial['steps']> }) };
}

/** The usual fault, which the watch notices and a failover ends. */
export function plainFault(
  ours: Ours,
  orchestrator: () => Orchestrator,
  name: string,
  strike: Strike,
  after?: Fault['after'],
): Fault {
  let heard: () => readonly Said[] = () => [];
  return {
    name,
    strike: (site, roles) => {
      heard = since(orchestrator());
      return strike(site, roles);
    },
    ...(after && { after }),
    facts: () => outcomeOf(heard),
    recover: recoverOurs(ours, orchestrator),
  };
}

/** Somebody who knows nothing of failovers starts the old primary, as a boot or a deploy would. */
export function reviveOld(ours: Ours): NonNullable<Fault['after']> {
  return async () => {
    const { from } = ours.roles();
    await ours.pair.startServer(from);
    const standby = await ours.sql(from, 'select pg_is_in_recovery()');
    if (standby !== 't') throw new Error(`${from} was started again and takes writes`);
  };
}

/** Nothing but the power proves that a silent host is silent; it takes 5 to 20 s until it is off. */
export function powerOffFault(ours: Ours, orchestrator: () => Orchestrator): Fault {
  const takes = randomInt(5_000, 20_000);
  let heard: () => readonly Said[] = () => [];
  let powerOffMs = 0;
  return {
    name: 'host loss, default: waits for a power-off of 5 to 20 s',
    deadlineMs: 90_000,
    strike: async (site, roles) => {
      const now = orchestrator();
      heard = since(now);
      const struck = await loseHost(site, roles);
      void until('the power is to be cut', 60_000, () => heard().find(({ kind }) => kind === 'power off wanted'))
        .then(async ({ at }) => {
          await sleep(takes);
          site.signal(roles.from, 'SIGKILL', 'all');
          powerOffMs = clock() - at;
          now.tell('off');
        })
        .catch(() => undefined);
      return struck;
    },
    // Its power is on again, and nobody has started its PostgreSQL.
    after: async (site) => {
      await site.network.heal(site.roles().from);
    },
    facts: async () => {
      const outcome = await outcomeOf(heard);
      const early = powerOffMs === 0 ? ['it did not wait for the power to be off'] : [];
      return { ...outcome, wrong: [...(outcome.wrong ?? []), ...early], powerOffMs: Math.round(powerOffMs) };
    },
    recover: recoverOurs(ours, orchestrator),
  };
}

export const STEPS = ['Claiming', 'Cutting', 'Fencing', 'Promoting', 'Verifying'] as const;

/** The orchestrator itself gets into trouble at a step; the next one, or itself, brings it to an end. */
export function troubleFault(ours: Ours, kind: 'killed' | 'frozen' | 'cut off', at: string): Fault {
  let now: Orchestrator;
  let next: Orchestrator | undefined;
  const { pair } = ours;
  return {
    name: `orchestrator ${kind} before a step, postmaster killed`,
    deadlineMs: 150_000,
    strike: async (site, roles) => {
      now = await ours.orchestrate({ trouble: { at, kind } });
      const struck = await killPostmaster(site, roles);
      await until(`the orchestrator begins ${at}`, 60_000, () => now.said().find((one) => one.kind === 'stopped here'));
      if (kind === 'cut off') {
        for (const name of ['bruno', 'eva'] as const) await pair.network.separate('orchestrator', name);
        now.tell('go');
        await sleep(4_000);
        for (const name of ['bruno', 'eva'] as const) await pair.network.rejoin('orchestrator', name);
      } else {
        if (kind === 'killed') await now.program.ended;
        next = await ours.orchestrate({}, now);
      }
      return struck;
    },
    after: async (site, load) => {
      const { from, to } = site.roles();
      // Whoever was stopped after the promotion has left it to the next: the flow Postgres care, every two minutes.
      await finishLeft(ours, from, to);
      // It thaws when another one has finished, and must find itself refused.
      if (kind !== 'frozen') return;
      now.program.child.kill('SIGCONT');
      await until('the thawed orchestrator has said how it ended', 60_000, () =>
        now.said().find((one) => one.kind === 'done' || one.kind === 'refused'),
      );
      await load.writes(to, 400);
    },
    facts: () => ({ steps: [{ name: at, milliseconds: 0 }] }),
    recover: async () => {
      const done = await recoverOurs(ours)();
      await now.stop();
      await next?.stop();
      return done;
    },
  };
}

/** Asks for the failover again until it says that all of it is done; the one before may hold its lock for a while. */
async function finishLeft({ pair, task }: Ours, from: PairName, to: PairName): Promise<void> {
  const wish = { from: pair.member(from), to: pair.member(to), automatic: true, outside: [], commitFence: false };
  await until('what was left in the middle is finished', 90_000, async () => {
    const told = await failover(pair.cluster, wish, task).catch((error: unknown) => {
      if (isFailure(error) && error.code === 'lock_busy') return undefined;
      throw error;
    });
    if (told === undefined) return undefined;
    if (told.primary !== to) throw new Error(`The failover that was left ended with ${told.outcome}: ${told.primary}`);
    return true;
  });
}

/** Planned: no orchestrator is needed. */
export function switchoverFault(ours: Ours, archiverFails: boolean): Fault {
  let steps: Trial['steps'];
  let method = '';
  let rejoinMs = 0;
  return {
    name: 'planned switchover',
    strike: async (_, { from, to }) => {
      const begin = clock();
      const wish = { from: ours.pair.member(from), to: ours.pair.member(to), synchronous: true };
      const done = await switchover(
        ours.pair.cluster,
        { ...wish, despiteArchiver: archiverFails, archiveSeconds: 3 },
        ours.task,
      );
      steps = done.steps;
      method = done.rejoined.method;
      rejoinMs = done.steps.find(({ name }) => name === 'Rejoining')?.milliseconds ?? 0;
      return begin;
    },
    facts: () => ({ steps }),
    recover: async () => {
      ours.changed();
      return { method, ms: rejoinMs };
    },
  };
}

/** Nothing can prove that it is silent: refused, each time, and all as it was once the cable is back. */
export function refusal(ours: Ours, way: 'no fence' | 'the fence fails'): Fault {
  let wrong: readonly string[] = [];
  const { pair, task } = ours;
  return {
    name: `fence impossible (${way})`,
    survivor: 'from',
    strike: async (site, roles) => {
      const struck = await loseHost(site, roles);
      const dead = { name: 'power off', silence: () => Promise.reject(new Error('the provider does not answer')) };
      const wish = { from: pair.member(roles.from), to: pair.member(roles.to), automatic: true, hostMs: 1_000 };
      const outside = way === 'the fence fails' ? [dead] : [];
      const told = await failover(pair.cluster, { ...wish, outside, commitFence: false }, task).then(
        ({ outcome }) => outcome,
        (error: unknown) => (isFailure(error) ? error.code : messageOf(error)),
      );
      wrong = told === 'fence_impossible' ? [] : [`not refused but: ${told}`];
      await site.network.heal(roles.from);
      return struck;
    },
    facts: () => ({ wrong }),
    recover: async () => {
      const healthy = await ours.healthy();
      if (healthy !== undefined) throw new Error(healthy);
      return undefined;
    },
  };
}

/** Something that is no loss. Any failover, and any event that would start one, is wrong. */
export function alarm(
  orchestrator: () => Orchestrator,
  name: string,
  disturb: (ours: Ours, from: 'bruno' | 'eva') => Promise<void>,
  ours: Ours,
): Fault {
  let heard: () => readonly Said[] = () => [];
  return {
    name,
    survivor: 'from',
    strike: async (_, { from }) => {
      heard = since(orchestrator());
      await disturb(ours, from);
      return undefined;
    },
    facts: () => {
      const said = heard();
      const events = said.flatMap((one) =>
        one.kind === 'event' && one.event.startsWith('primary') ? [one.event] : [],
      );
      const ended = said.filter(({ kind }) => kind === 'done').map(() => 'a failover ran');
      return { wrong: [...events, ...ended] };
    },
    recover: async () => {
      await awaitQuiet(orchestrator(), ours.roles().from);
      return undefined;
    },
  };
}
