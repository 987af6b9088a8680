import { setMaxListeners } from 'node:events';
import type { Task } from '../../lib/task';

/** A task that nobody listens to, and that only its signal stops. */
export function quietTask(signal: AbortSignal = new AbortController().signal, owner = 'test'): Task {
  setMaxListeners(0, signal);
  return { signal, progress: () => undefined, owner };
}
