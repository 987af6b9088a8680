import type { Task } from '../../lib/task';

/** A task that nobody stops and nobody watches. */
export function quietTask(signal: AbortSignal = new AbortController().signal): Task {
  return { signal, progress: () => undefined, owner: 'test' };
}
