import type { Duplex } from 'node:stream';
import { isObject } from '../../json';
import type { Task } from '../../task';
import type { Finding } from '../finding';
import { NotReached, type Address, type Vantage } from '../vantage';

/** One kind of probe: how it talks over a stream that has been opened, and what it makes of the answer. */
export interface StreamProbe<Target extends Address> {
  readonly kind: string;
  /** Throws `Wrong` with what is wrong; whatever else it throws is the target's doing too, the line is open by then. */
  readonly talk: (stream: Duplex, target: Target, signal: AbortSignal) => Promise<string>;
}

/** What a probe found to be wrong, in words. */
export class Wrong extends Error {}

const LATE = 'it does not answer in time';

/** Looks once. That the way to the vantage point is broken says nothing about the target. */
export async function look<Target extends Address>(
  probe: StreamProbe<Target>,
  target: Target,
  vantage: Vantage,
  task: Task,
): Promise<Finding> {
  const begun = performance.now();
  let stream: Duplex;
  try {
    stream = await vantage.open(target, task);
  } catch (error) {
    if (error instanceof NotReached) return { outcome: 'wrong', says: error.message };
    if (task.signal.aborted && vantage.direct) return { outcome: 'wrong', says: LATE };
    return { outcome: 'unknown', says: `not looked at from ${vantage.name}: ${wordsOf(error)}` };
  }
  const stop = () => stream.destroy();
  task.signal.addEventListener('abort', stop, { once: true });
  // Whoever talks hears of errors by their own means; a late one must not end the process.
  stream.on('error', () => undefined);
  try {
    const says = await probe.talk(stream, target, task.signal);
    return { outcome: 'ok', says, latencyMs: performance.now() - begun };
  } catch (error) {
    return { outcome: 'wrong', says: task.signal.aborted ? LATE : wordsOf(error) };
  } finally {
    task.signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

function wordsOf(error: unknown): string {
  return isObject(error) && typeof error['message'] === 'string' ? error['message'] : String(error);
}
