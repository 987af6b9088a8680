import { Failure, isFailure, messageOf } from '../failure';
import { isObject } from '../json';
import { pause, type Task } from '../task';
import type { StateStore } from './store';

export interface LeaseSettings {
  /** What it is for, as people know it: `zone kua.cl at Cloudflare`. */
  readonly subject: string;
  /** After this long without a sign of life others may take it. */
  readonly ttlMs?: number;
  /** How long to wait while another holds it. */
  readonly waitMs?: number;
}

export interface Lease {
  /** Throws when the lease may be over, by a clock that only goes on. Called right before what others must not do as well. */
  readonly mustHold: () => void;
}

const TTL_MS = 60_000;
const WAIT_MS = 120_000;
const LOOK_EVERY_MS = 500;
/** What is sent in the last moments of a lease might arrive after it. */
const MARGIN = 0.25;

/**
 * Does work that only one may do at a time, in whatever process. The lease is kept up while the work runs; when it
 * cannot be, the work hears it as Stop. Whoever dies with it keeps others out for no longer than its time to live.
 */
export async function withLease<Result>(
  store: StateStore,
  key: string,
  { subject, ttlMs = TTL_MS, waitMs = WAIT_MS }: LeaseSettings,
  task: Task,
  work: (task: Task, lease: Lease) => Promise<Result>,
): Promise<Result> {
  const takenAt = () => performance.now();
  const value = { holder: task.owner, since: new Date().toISOString() };
  let heldFrom = 0;
  const acquire = async () => {
    const giveUpAt = takenAt() + waitMs;
    for (let told = false; ;) {
      heldFrom = takenAt();
      try {
        return await store.create(key, value, { ttlMs });
      } catch (error) {
        if (!isFailure(error, 'state_exists')) throw error;
        if (takenAt() >= giveUpAt) throw await busy(store, key, subject, waitMs, error);
        if (!told) task.progress({ message: `Waiting for the ${subject}: another execution works on it` });
        told = true;
        await pause(LOOK_EVERY_MS * (0.5 + Math.random() / 2), task.signal, subject);
      }
    }
  };

  let version = await acquire();
  const lost = new AbortController();
  const usableMs = ttlMs * (1 - MARGIN);
  const isOver = () => lost.signal.aborted || takenAt() - heldFrom > usableMs;
  let renewal: Promise<void> = Promise.resolve();
  const renew = async () => {
    const from = takenAt();
    try {
      version = await store.replace(key, value, version, { ttlMs });
      heldFrom = from;
    } catch (error) {
      // A place that does not answer for a moment is asked again until the lease is over.
      if (isFailure(error, 'state_conflict') || isOver()) lost.abort();
    }
  };
  const timer = setInterval(() => {
    renewal = renewal.then(() => (lost.signal.aborted ? undefined : renew()));
    if (isOver()) lost.abort();
  }, ttlMs / 6);

  try {
    return await work(
      { ...task, signal: AbortSignal.any([task.signal, lost.signal]) },
      {
        mustHold: () => {
          if (!isOver()) return;
          lost.abort();
          throw lostLease(subject);
        },
      },
    );
  } catch (error) {
    throw lost.signal.aborted && !task.signal.aborted && isFailure(error, 'cancelled') ? lostLease(subject) : error;
  } finally {
    clearInterval(timer);
    await renewal;
    // Left behind it ends by itself, and what was done is done.
    await store.remove(key, version).catch((error: unknown) => {
      task.progress({
        message: `The lock of the ${subject} could not be given back, and ends by itself: ${messageOf(error)}`,
      });
    });
  }
}

async function busy(store: StateStore, key: string, subject: string, waitMs: number, cause: unknown): Promise<Failure> {
  const held = (await store.read(key))?.value;
  const { holder, since } = isObject(held) ? held : {};
  return new Failure({
    code: 'lease_busy',
    subject,
    message: `Another execution has been working on the ${subject} for all of ${Math.round(waitMs / 1000)} s, so nothing was done`,
    nextStep: 'Run it again when that one has ended.',
    details: {
      key,
      holder: typeof holder === 'string' ? holder : null,
      since: typeof since === 'string' ? since : null,
    },
    cause,
  });
}

function lostLease(subject: string): Failure {
  return new Failure({
    code: 'lease_lost',
    subject,
    message: `The lock of the ${subject} could not be kept up, so another execution may work on it by now; this one stopped`,
    nextStep: 'Check that the state can be reached, and run it again.',
  });
}
