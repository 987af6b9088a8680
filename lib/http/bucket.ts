import { createHash } from 'node:crypto';

import { cancelled } from '../task';
import { type Budget, type BudgetReport, mayGoAt, type Refill, takeLoss, takeReport } from './budget';
import type { Headers, Surroundings } from './settings';
import { createFairLine } from './turns';

/** The budget of one credential at one address, shared by every client in this process. */
export interface Bucket {
  /** Waits for a place in the budget. Refuses at once when that cannot be before `latestAt`. */
  readonly enter: (visit: Visit) => Promise<Pass>;
  readonly idle: () => boolean;
}

export interface Visit {
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly subject: string;
  readonly latestAt: number;
  /** Told when the wait is for the budget to come back, with the time when it does. */
  readonly onWait: (until: number) => void;
  readonly tooLate: (until: number) => Error;
}

export interface Pass {
  /** The request is over; every pass must be given back, and only once counts. */
  readonly done: (news: { report?: BudgetReport; answered: boolean; pauseMs?: number }) => void;
}

const buckets = new Map<string, Bucket>();
const keptBuckets = 256;

export function bucketFor(baseUrl: string, credentials: Headers, refill: Refill, surroundings: Surroundings): Bucket {
  const key = createHash('sha256')
    .update(JSON.stringify([baseUrl, refill, Object.entries(credentials).sort()]))
    .digest('hex');
  const known = buckets.get(key);
  if (known) return known;
  const bucket = createBucket(refill, surroundings);
  for (const [old, { idle }] of buckets) {
    if (buckets.size < keptBuckets) break;
    if (idle()) buckets.delete(old);
  }
  buckets.set(key, bucket);
  return bucket;
}

interface Waiter {
  readonly visit: Visit;
  readonly letIn: (pass: Pass) => void;
  readonly refuse: (error: Error) => void;
}

export function createBucket(refill: Refill, { now, wait, random }: Surroundings): Bucket {
  const line = createFairLine<Waiter>();
  let budget: Budget = { kind: 'unknown' };
  let underWay = 0;
  let lastWentAt = 0;
  let pausedUntil = 0;
  let passes = 0;
  let alarm: { readonly at: number; readonly off: AbortController } | undefined;

  const createPass = (): Pass => {
    underWay += 1;
    passes += 1;
    lastWentAt = now();
    const request = passes;
    let over = false;
    return {
      done({ report, answered, pauseMs }) {
        if (over) return;
        over = true;
        underWay -= 1;
        if (report) budget = takeReport(budget, { ...report, request }, passes, now(), refill);
        else if (!answered) budget = takeLoss(budget);
        // Nothing is said about limits, or no longer.
        if (
          !report &&
          (budget.kind === 'unknown' || (answered && budget.kind === 'known' && now() >= budget.resetAt))
        ) {
          budget = { kind: 'unlimited' };
        }
        if (pauseMs !== undefined) pausedUntil = Math.max(pausedUntil, now() + pauseMs);
        serve();
      },
    };
  };

  const serve = () => {
    for (;;) {
      const waiting = line.items();
      if (waiting.length === 0) {
        alarm?.off.abort();
        alarm = undefined;
        return;
      }
      const time = now();
      const until = Math.max(pausedUntil, mayGoAt(budget, underWay, lastWentAt, time));
      if (until > time) {
        // While others are under way their answers may free the line sooner; without them this is certain.
        if (underWay === 0 || pausedUntil > time) refuseLate(waiting, until);
        for (const { visit } of line.items()) visit.onWait(until);
        setAlarm(until);
        return;
      }
      line.take()?.letIn(createPass());
    }
  };

  const refuseLate = (waiting: readonly Waiter[], until: number) => {
    for (const { visit, refuse } of waiting) if (visit.latestAt < until) refuse(visit.tooLate(until));
  };

  const setAlarm = (at: number) => {
    if (alarm?.at === at || line.items().length === 0) return;
    alarm?.off.abort();
    const off = new AbortController();
    alarm = { at, off };
    // Other processes wait for the same moment: come a little apart.
    const delay = at - now();
    wait(delay + random() * Math.min(500, delay / 10), off.signal, 'rate budget').then(
      () => {
        if (alarm?.off === off) alarm = undefined;
        serve();
      },
      () => undefined,
    );
  };

  const enter = (visit: Visit): Promise<Pass> =>
    new Promise((resolve, reject) => {
      const { owner, signal, subject } = visit;
      if (signal.aborted) {
        reject(cancelled(subject));
        return;
      }
      const leave = () => {
        line.remove(owner, waiter);
        signal.removeEventListener('abort', stop);
      };
      const stop = () => {
        leave();
        reject(cancelled(subject));
        serve();
      };
      const waiter: Waiter = {
        visit,
        letIn(pass) {
          leave();
          resolve(pass);
        },
        refuse(error) {
          leave();
          reject(error);
        },
      };
      signal.addEventListener('abort', stop, { once: true });
      line.add(owner, waiter);
      serve();
    });

  return { enter, idle: () => underWay === 0 && line.items().length === 0 && pausedUntil <= now() };
}
