import { messageOf } from '../failure';
import { hold, letGo } from '../secrets/held';
import type { Task } from '../task';
import type { InfisicalApi } from './api';
import { createLease, type LeasePlace, type NewLease, renewLease, revokeSurely } from './leases';

export interface KeptLeaseWish {
  readonly dynamicSecret: string;
  /** How long the login outlives this process, when that is killed: it is never leased for longer. */
  readonly ttlSeconds: number;
  /** After this it is ended, whatever goes on. */
  readonly longestSeconds: number;
}

export interface KeptLease {
  readonly lease: NewLease;
  /** Ends it: once, however often it is called. */
  readonly end: () => Promise<void>;
}

/**
 * A login that lives as long as somebody keeps it: leased for a short time, and renewed while this process lives. So
 * whoever ends it in time has it revoked at once; and where nobody can, because the process was killed, it ends by
 * itself.
 */
export async function keepLease(
  api: InfisicalApi,
  place: LeasePlace,
  { dynamicSecret, ttlSeconds, longestSeconds }: KeptLeaseWish,
  task: Task,
): Promise<KeptLease> {
  const began = performance.now();
  const lease = await createLease(api, place, dynamicSecret, `${ttlSeconds}s`, task);
  const stop = new AbortController();
  const keeping: Task = { ...task, signal: stop.signal };
  const halfMs = (ttlSeconds * 1000) / 2;
  let endsAt = began + ttlSeconds * 1000;
  let timer: NodeJS.Timeout | undefined;
  let latest = lease.expiresAt;
  let ended: Promise<void> | undefined;

  const end = () => {
    ended ??= (async () => {
      stop.abort();
      clearTimeout(timer);
      letGo(lease.id);
      await revokeSurely(api, place, dynamicSecret, { ...lease, expiresAt: latest }, task);
    })();
    return ended;
  };
  hold(lease.id, { values: lease.credentials, owner: task.owner, end });
  const next = (afterMs: number) => {
    timer = setTimeout(() => void renew(), Math.max(afterMs, 0));
    timer.unref();
  };
  /** Renewing adds to what is left, so half of the time is added when half of it is left. */
  const renew = async () => {
    if (performance.now() - began > longestSeconds * 1000) {
      await end().catch((error: unknown) => task.progress({ message: messageOf(error) }));
      return;
    }
    try {
      latest = (await renewLease(api, place, lease.id, `${Math.ceil(ttlSeconds / 2)}s`, keeping)).expiresAt;
      endsAt += halfMs;
      next(endsAt - halfMs - performance.now());
    } catch (error) {
      if (stop.signal.aborted || performance.now() > endsAt) return;
      task.progress({ message: `Lease ${lease.id} could not be renewed: ${messageOf(error)}` });
      next(halfMs / 8);
    }
  };
  next(halfMs);
  return { lease, end };
}
