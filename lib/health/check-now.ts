import { setMaxListeners } from 'node:events';
import type { Task } from '../task';
import { checksOf, type Surroundings } from './check';
import { newsOf, type News } from './news';
import { verdict } from './standing';
import type { Target } from './target';
import { lookAround } from './watch';

/** Looks once at everything, so many at a time. */
export async function checkNow(
  targets: readonly Target[],
  surroundings: Surroundings,
  concurrency: number,
  task: Task,
): Promise<readonly News[]> {
  // Every look listens to it.
  setMaxListeners(0, task.signal);
  const checks = await checksOf(targets, surroundings, task);
  const found: News[] = [];
  let next = 0;
  const worker = async () => {
    while (next < targets.length && !task.signal.aborted) {
      const index = next;
      next += 1;
      const [target, check] = [targets[index], checks[index]];
      if (target === undefined || check === undefined) return;
      const sights = await lookAround(check, task);
      const to = verdict(sights, check.rules) ?? 'unknown';
      found[index] = newsOf(target, { from: undefined, to, sights, at: Date.now() });
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, targets.length) }, worker));
  return found;
}
