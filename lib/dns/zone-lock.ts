import { Failure, messageOf } from '../failure';
import { createSlots, type Slots } from '../http/turns';
import { withLease } from '../state/lease';
import type { StateStore } from '../state/store';
import type { Task } from '../task';

/** Where the lock of a zone is kept beside this process, so that other workers and other n8n see it. */
export interface LockPlace {
  readonly store: StateStore;
  /** A failover goes on without the lock when the state is gone with the host that failed; nothing else does. */
  readonly whenUnreachable: 'refuse' | 'go on';
}

export interface Locked {
  readonly task: Task;
  /** Throws when the lock may be lost. */
  readonly mustHold: () => void;
  /** Why the lock counts for this process only, though it was to count for others too. */
  readonly warning?: string;
}

const WAIT_MS = 120_000;
const PROBE_MS = 10_000;

const known = new Map<string, { readonly slots: Slots; users: number }>();

/** Work on a zone, one after the other: in this process, and with a place for the lock in all that share it. */
export async function withZoneLock<Result>(
  { provider, zone, place }: { readonly provider: string; readonly zone: string; readonly place?: LockPlace },
  task: Task,
  work: (locked: Locked) => Promise<Result>,
): Promise<Result> {
  const subject = `zone ${zone} at ${provider}`;
  const leave = await enter(`${provider} ${zone}`, subject, task);
  try {
    if (place === undefined) return await work({ task, mustHold: () => undefined });
    const warning = place.whenUnreachable === 'go on' ? await unreachable(place.store, subject) : undefined;
    if (warning !== undefined) return await work({ task, mustHold: () => undefined, warning });
    const key = `lock/dns/${provider.toLowerCase()}/${zone}`;
    return await withLease(place.store, key, { subject, waitMs: WAIT_MS }, task, (leased, { mustHold }) =>
      work({ task: leased, mustHold }),
    );
  } finally {
    leave();
  }
}

async function enter(key: string, subject: string, task: Task): Promise<() => void> {
  const line = known.get(key) ?? { slots: createSlots(1), users: 0 };
  known.set(key, line);
  line.users += 1;
  const leave = () => {
    line.users -= 1;
    if (line.users === 0) known.delete(key);
  };
  const tooLong = AbortSignal.timeout(WAIT_MS);
  try {
    const free = await line.slots(task.owner, AbortSignal.any([task.signal, tooLong]), subject);
    return () => {
      free();
      leave();
    };
  } catch (error) {
    leave();
    if (!tooLong.aborted || task.signal.aborted) throw error;
    throw new Failure({
      code: 'lease_busy',
      subject,
      message: `Another execution in this n8n has been working on the ${subject} for all of ${WAIT_MS / 1000} s, so nothing was done`,
      nextStep: 'Run it again when that one has ended.',
      cause: error,
    });
  }
}

async function unreachable(store: StateStore, subject: string): Promise<string | undefined> {
  const late = AbortSignal.timeout(PROBE_MS);
  const why = await Promise.race([
    store.read('lock/probe').then(
      () => undefined,
      (error: unknown) => messageOf(error),
    ),
    new Promise<string>((resolve) => {
      late.addEventListener('abort', () => {
        resolve(`the ${store.place} did not answer in ${PROBE_MS / 1000} s`);
      });
    }),
  ]);
  return why === undefined ? undefined : `The ${subject} was not locked for other workers: ${why}`;
}
