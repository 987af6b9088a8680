import { setMaxListeners } from 'node:events';
import { messageOf } from '../failure';
import type { Task } from '../task';
import type { Finding, Sight } from './finding';
import { watchLag, type LagWatch } from './lag';
import { firstStanding, judge, type JudgingRules, type Standing, type Transition } from './standing';

/** One target, and how it is looked at from each vantage point. */
export interface Check {
  readonly id: string;
  readonly intervalMs: number;
  /** For one look. */
  readonly deadlineMs: number;
  readonly rules: JudgingRules;
  readonly looks: readonly { readonly vantage: string; readonly look: (task: Task) => Promise<Finding> }[];
}

export interface WatchSettings {
  /** How many checks are looked at at the same time. */
  readonly concurrency: number;
  readonly onTransition: (check: Check, transition: Transition) => void;
  /** What was believed before a restart, by id. */
  readonly remembered?: ReadonlyMap<string, Standing>;
  /** 0 to 1; where in its first interval each check begins. */
  readonly random?: () => number;
}

/** After a round that had to be thrown away it is looked again soon. */
const AGAIN_MS = 1_000;

/** Looks at everything, each at its own interval, until the task is stopped; says only what changes. */
export async function watchChecks(
  checks: readonly Check[],
  { concurrency, onTransition, remembered, random = Math.random }: WatchSettings,
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
    const sights = await lookAround(check, lag, task);
    if (task.signal.aborted) return;
    if (sights !== undefined) {
      const before = standings.get(check) ?? remembered?.get(check.id) ?? firstStanding(Date.now());
      const { standing, transition } = judge(before, sights, check.rules, Date.now());
      standings.set(check, standing);
      if (transition !== undefined) onTransition(check, transition);
    }
    const delay = sights === undefined ? Math.min(AGAIN_MS, check.intervalMs) : check.intervalMs;
    plan(check, Math.max(0, begun + delay - performance.now()));
  };

  for (const check of checks) plan(check, random() * check.intervalMs);
  await new Promise<void>((resolve) => task.signal.addEventListener('abort', () => resolve(), { once: true }));
  for (const timer of timers.values()) clearTimeout(timer);
  await Promise.all(running);
  lag.stop();
}

/** One round, or undefined when the event loop hung meanwhile: then nobody knows who was slow. */
async function lookAround(check: Check, lag: LagWatch, task: Task): Promise<readonly Sight[] | undefined> {
  const begun = performance.now();
  const sights = await Promise.all(
    check.looks.map(async ({ vantage, look }) => ({ vantage, finding: await within(check.deadlineMs, look, task) })),
  );
  return lag.laggedSince(begun) ? undefined : sights;
}

/** How long a look that was stopped may take to say what it has seen. */
const LAST_WORD_MS = 100;

/** Stops a look at its deadline; what that means is for the look to say. One that fails to look has seen nothing. */
export async function within(deadlineMs: number, look: (task: Task) => Promise<Finding>, task: Task): Promise<Finding> {
  const over = new AbortController();
  const stop = () => over.abort();
  task.signal.addEventListener('abort', stop, { once: true });
  const timers: NodeJS.Timeout[] = [];
  const silent = new Promise<Finding>((resolve) => {
    const giveUp = () => resolve({ outcome: 'unknown', says: `the look did not end within ${deadlineMs} ms` });
    timers.push(setTimeout(stop, deadlineMs), setTimeout(giveUp, deadlineMs + LAST_WORD_MS));
  });
  try {
    const looked = look({ ...task, signal: over.signal }).catch((error: unknown): Finding => ({
      outcome: 'unknown',
      says: messageOf(error),
    }));
    return await Promise.race([looked, silent]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    task.signal.removeEventListener('abort', stop);
  }
}
