import { Failure, isFailure } from '../failure';
import type { Path } from '../http/path';
import type { Method } from '../http/request';
import type { JsonObject } from '../json';
import type { Task } from '../task';
import type { HetznerApi, Side } from './api';
import { isPassing } from './passing';

export interface Write {
  readonly side: Side;
  readonly method: Exclude<Method, 'GET' | 'HEAD' | 'PATCH'>;
  readonly path: Path;
  readonly body?: JsonObject;
  /** How long to wait while another action has it locked. */
  readonly lockedMs?: number;
  /**
   * Asked when nobody can say whether it was done: the answer that was lost, or undefined when it was not done.
   * `since` is when it was sent, by Hetzner's clock.
   */
  readonly lookUp?: (since: () => number) => Promise<unknown>;
}

const conflictMs = 60_000;
const firstDelayMs = 1_000;
const longestDelayMs = 8_000;
const mostSendings = 3;
/** Their times come in whole seconds. */
const granularityMs = 1_500;

/** Sends a write until it is certain that it was done once, or why it was not. */
export async function write(api: HetznerApi, wanted: Write, task: Task): Promise<unknown> {
  const { now, wait, random } = api.surroundings;
  const began = now();
  const subject = `Hetzner: ${wanted.method} ${wanted.path}`;
  const body = wanted.body === undefined ? {} : { body: { json: wanted.body } };
  let delayMs = firstDelayMs;
  for (let sendings = 1; ;) {
    const sentAt = now();
    try {
      const answer = await api.request(wanted.side, { method: wanted.method, path: wanted.path, ...body }, task);
      return answer.body;
    } catch (error) {
      if (isFailure(error, 'outcome_unknown') && wanted.lookUp !== undefined && sendings < mostSendings) {
        task.progress({ message: `No answer to ${wanted.method} ${wanted.path}: looking whether it was done` });
        // A gateway that gave up may still have the request on its way.
        await wait(firstDelayMs, task.signal, subject);
        const found = await lookedUp(
          error,
          wanted.lookUp(() => api.theirTime(sentAt) - granularityMs),
        );
        if (found !== undefined) return found;
        sendings += 1;
        continue;
      }
      const patienceMs = isFailure(error, 'conflict')
        ? conflictMs
        : isFailure(error, 'locked')
          ? (wanted.lockedMs ?? 0)
          : 0;
      if (now() - began + delayMs > patienceMs) throw error;
      task.progress({ message: `${messageFor(error)}; trying again` });
      await wait(delayMs * (0.5 + random() / 2), task.signal, subject);
      delayMs = Math.min(longestDelayMs, delayMs * 2);
    }
  }
}

/** Where looking fails as well, what counts is still that nobody knows whether it was done. */
async function lookedUp(unknown: Failure, looking: Promise<unknown>): Promise<unknown> {
  try {
    return await looking;
  } catch (error) {
    if (!isPassing(error)) throw error;
    const { code, subject, message, nextStep, details } = unknown;
    const why = `${message}; and it could not be looked up: ${error.message}`;
    throw new Failure({ code, subject, message: why, nextStep, details, cause: error });
  }
}

/** A DELETE that had to be repeated may find its thing gone: then the first one did it. */
export async function remove(
  api: HetznerApi,
  wanted: Omit<Write, 'method' | 'lookUp' | 'body'>,
  task: Task,
): Promise<unknown> {
  try {
    return await write(api, { ...wanted, method: 'DELETE' }, task);
  } catch (error) {
    if (isFailure(error, 'not_found') && Number(error.details['attempts']) > 1) return null;
    throw error;
  }
}

function messageFor(error: unknown): string {
  return error instanceof Failure && error.code === 'locked' ? 'Another action has it locked' : 'It was just changed';
}
