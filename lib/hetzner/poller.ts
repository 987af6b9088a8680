import { cancelled, type Task } from '../task';
import { type Action, failed, subjectOfAction, tooSlow, vanished } from './action';
import { isPassing } from './passing';

export interface PollerSettings {
  /** Asks for up to `batch` actions; those that are gone are missing in the answer. */
  readonly fetch: (ids: readonly number[], task: Task) => Promise<readonly Action[]>;
  readonly wait: (milliseconds: number, signal: AbortSignal, subject: string) => Promise<void>;
  readonly now: () => number;
}

export interface Poller {
  /** Until the action has succeeded. Failed, vanished and late ones are Failures. */
  readonly follow: (action: Action, timeoutMs: number, task: Task) => Promise<Action>;
}

const batch = 25;
const firstDelayMs = 500;
const longestDelayMs = 3_000;

interface Waiting {
  action: Action;
  /** Answers in a row in which it was missing; once may be a replica that lags behind. */
  missing: number;
  readonly timeoutMs: number;
  readonly endsAt: number;
  readonly task: Task;
  readonly finish: (action: Action) => void;
  readonly fail: (error: unknown) => void;
}

/** Follows any number of actions with one question for every 25 of them, whoever waits for them. */
export function createPoller({ fetch, wait, now }: PollerSettings): Poller {
  const waiting = new Set<Waiting>();
  let delayMs = firstDelayMs;
  let running: AbortController | undefined;

  const settle = (one: Waiting, seen: Action | undefined): void => {
    if (seen === undefined) {
      one.missing += 1;
      if (one.missing >= 2) one.fail(vanished(one.action));
    } else {
      one.missing = 0;
      if (seen.progress !== one.action.progress) report(one.task, seen);
      one.action = seen;
      if (seen.status === 'success') one.finish(seen);
      else if (seen.status === 'error') one.fail(failed(seen));
    }
    if (waiting.has(one) && now() >= one.endsAt) one.fail(tooSlow(one.action, Math.round(one.timeoutMs / 1000)));
  };

  const askAbout = async (some: readonly Waiting[], signal: AbortSignal): Promise<void> => {
    const task = { signal, progress: () => undefined, owner: 'Hetzner actions' };
    try {
      const ids = [...new Set(some.map(({ action }) => action.id))];
      const found = new Map((await fetch(ids, task)).map((action) => [action.id, action]));
      for (const one of some) if (waiting.has(one)) settle(one, found.get(one.action.id));
    } catch (error) {
      // What was thrown because nobody waits any more reaches nobody.
      const stillWaiting = some.filter((one) => waiting.has(one));
      for (const one of stillWaiting) {
        // The action goes on at Hetzner while nobody can ask about it.
        if (!isPassing(error) || now() >= one.endsAt) one.fail(error);
        else one.task.progress({ message: `Waiting for ${one.action.command}; asking again, as ${error.message}` });
      }
    }
  };

  const run = async (controller: AbortController): Promise<void> => {
    const { signal } = controller;
    try {
      while (waiting.size > 0) {
        await wait(delayMs, signal, 'Hetzner actions');
        delayMs = Math.min(longestDelayMs, delayMs * 1.5);
        const all = [...waiting];
        for (let start = 0; start < all.length; start += batch) {
          await askAbout(all.slice(start, start + batch), signal);
        }
      }
    } catch (error) {
      if (!signal.aborted) for (const one of [...waiting]) one.fail(error);
    } finally {
      if (running === controller) running = undefined;
    }
  };

  const start = (): void => {
    delayMs = firstDelayMs;
    if (running !== undefined) return;
    running = new AbortController();
    void run(running);
  };

  return {
    follow: (action, timeoutMs, task) =>
      new Promise<Action>((resolve, reject) => {
        if (task.signal.aborted) {
          reject(cancelled(subjectOfAction(action)));
          return;
        }
        if (action.status !== 'running') {
          if (action.status === 'success') resolve(action);
          else reject(failed(action));
          return;
        }
        const stop = () => one.fail(cancelled(subjectOfAction(action)));
        const leave = () => {
          waiting.delete(one);
          task.signal.removeEventListener('abort', stop);
          if (waiting.size > 0) return;
          running?.abort();
          running = undefined;
        };
        const one: Waiting = {
          action,
          missing: 0,
          timeoutMs,
          endsAt: now() + timeoutMs,
          task,
          finish: (done) => {
            leave();
            resolve(done);
          },
          fail: (error) => {
            leave();
            reject(error instanceof Error ? error : new Error(String(error)));
          },
        };
        task.signal.addEventListener('abort', stop, { once: true });
        waiting.add(one);
        report(task, action);
        start();
      }),
  };
}

function report(task: Task, { command, progress }: Action): void {
  task.progress({ message: `Waiting for ${command}: ${progress} %`, fraction: progress / 100 });
}
