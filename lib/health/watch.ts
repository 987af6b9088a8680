import { setMaxListeners } from 'node:events';
import { messageOf } from '../failure';
import type { Task } from '../task';
import type { Finding, Sight } from './finding';
import { watchLag } from './lag';
import { inMaintenance, type Window } from './maintenance';
import { firstStanding, judge, verdict, type JudgingRules, type Standing, type Transition } from './standing';

/** One target, and how it is looked at from each vantage point. */
export interface Check {
  readonly id: string;
  readonly intervalMs: number;
  /** For one look. */
  readonly deadlineMs: number;
  readonly rules: JudgingRules;
  /** Bad rounds in these times do not count. */
  readonly maintenance?: readonly Window[];
  readonly looks: readonly { readonly vantage: string; readonly look: (task: Task) => Promise<Finding> }[];
}

export interface WatchSettings {
  /** How many checks are looked at at the same time. */
  readonly concurrency: number;
  readonly onTransition: (check: Check, transition: Transition) => void;
  /** After every round that counted. */
  readonly onRound?: (check: Check, standing: Standing, sights: readonly Sight[]) => void;
  /** What was believed before a restart, by id. */
  readonly remembered?: ReadonlyMap<string, Standing>;
  /** 0 to 1; where in its first interval each check begins. */
  readonly random?: () => number;
}

/** After a round that had to be thrown away it is looked again soon. */
const AGAIN_MS = 1_000;

/**
 * Looks at everything, each at its own interval, until the task is stopped; says only what changes. While the newest
 * round and what is believed differ, rounds follow each other a little faster, so that also those that hang until their
 * deadline are told within the interval times their number.
 */
export async function watchChecks(
  checks: readonly Check[],
  { concurrency, onTransition, onRound, remembered, random = Math.random }: WatchSettings,
  task: Task,
): Promise<void> {
  if (task.signal.aborted) return;
  // Every look listens to it, and more than ten at a time are meant.
  setMaxListeners(0, task.signal);
  const lag = watchLag();
  const timers = new Map<Check, NodeJS.Timeout>();
  const standings = new Map<Check, Standing>();
  const waiting: Check[] = [];
  const running = new Set<Promise<void>>();

  const plan = (check: Check, delay: number) => {
    if (task.signal.aborted) return;
    timers.set(
      check,
      setTimeout(() => {
        waiting.push(check);
        begin();
      }, delay),
    );
  };
  const begin = () => {
    while (running.size < concurrency && !task.signal.aborted) {
      const check = waiting.shift();
      if (check === undefined) return;
      const round = work(check).finally(() => {
        running.delete(round);
        begin();
      });
      running.add(round);
    }
  };
  const work = async (check: Check) => {
    const begun = performance.now();
    const seen = await lookAround(check, task);
    if (task.signal.aborted) return;
    // When the event loop hung meanwhile, nobody knows who was slow.
    const sights = lag.laggedSince(begun) ? undefined : seen;
    const wait = sights === undefined ? Math.min(AGAIN_MS, check.intervalMs) : consider(check, sights);
    plan(check, Math.max(0, begun + wait - performance.now()));
  };
  /** Judges a round, and says how long after its beginning the next one begins. */
  const consider = (check: Check, sights: readonly Sight[]): number => {
    const now = Date.now();
    const round = verdict(sights, check.rules);
    if (round === undefined || (round !== 'ok' && inMaintenance(check.maintenance ?? [], now))) return check.intervalMs;
    const before = standings.get(check) ?? remembered?.get(check.id) ?? firstStanding(now);
    const { standing, transition } = judge(before, sights, check.rules, now);
    standings.set(check, standing);
    onRound?.(check, standing, sights);
    if (transition !== undefined) onTransition(check, transition);
    return standing.status === round ? check.intervalMs : sooner(check);
  };

  for (const check of checks) plan(check, random() * check.intervalMs);
  await new Promise<void>((resolve) => task.signal.addEventListener('abort', () => resolve(), { once: true }));
  for (const timer of timers.values()) clearTimeout(timer);
  await Promise.all(running);
  lag.stop();
}

function sooner({ intervalMs, deadlineMs, rules }: Check): number {
  return Math.max(Math.min(deadlineMs, intervalMs), intervalMs - deadlineMs / Math.max(1, rules.wrong - 1));
}

/** One round of looks from everywhere. */
export async function lookAround(check: Check, task: Task): Promise<readonly Sight[]> {
  return Promise.all(
    check.looks.map(async ({ vantage, look }) => ({ vantage, finding: await within(check.deadlineMs, look, task) })),
  );
}

/** How long a look that was stopped may take to say what it has seen. */
const LAST_WORD_MS = 100;

/** Stops a look at its deadline; what that means is for the look to say. One that fails to look has seen nothing. */
export async function within(deadlineMs: number, look: (task: Task) => Promise<Finding>, task: Task): Promise<Finding> {
  const over = new AbortController();
  const stop = () => over.abort();
  task.signal.addEventListener('abort', stop, { once: true });
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<Finding>((resolve) => {
    const giveUp = () => resolve({ outcome: 'unknown', says: `the look did not end within ${deadlineMs} ms` });
    timer = setTimeout(() => {
      stop();
      timer = setTimeout(giveUp, LAST_WORD_MS);
    }, deadlineMs);
  });
  try {
    const looked = look({ ...task, signal: over.signal }).catch((error: unknown): Finding => ({
      outcome: 'unknown',
      says: messageOf(error),
    }));
    return await Promise.race([looked, silent]);
  } finally {
    clearTimeout(timer);
    task.signal.removeEventListener('abort', stop);
  }
}
