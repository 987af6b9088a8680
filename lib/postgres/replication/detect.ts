import { Failure, isFailure, messageOf } from '../../failure';
import { pause, type Task } from '../../task';
import { watchLag, type LagWatch } from '../../health/lag';
import { connectPostgres, type Database } from '../connection';
import { usualPatience, type Bounds } from './patience';

export interface Watch {
  /** A new login at least this often, also while the one before waits for its answer. */
  readonly everyMs: number;
  /** How soon after a login that failed at once the next is tried. */
  readonly againMs: number;
  /** How long a login and one question may take: at least this, and longer where they usually take long. */
  readonly answerMs: Bounds;
  /** So many failures in a row are a loss. */
  readonly failures: number;
}

/**
 * A silent host counts as lost after 2.1 s (2.5 s where logins take long), a server that refuses after 0.6 s. A cable
 * that is out for 1 s spoils at most four logins in a row: the one that was under way, and three that were begun meanwhile.
 */
export const USUAL_WATCH: Watch = {
  everyMs: 300,
  againMs: 150,
  answerMs: { leastMs: 600, mostMs: 1_000 },
  failures: 5,
};

/** By so many logins that worked it is known how long one takes. */
const KNOWN_BY = 10;

/** What is looked into meanwhile. */
export interface Doubt {
  /** The first login of a row has failed. */
  readonly begins: () => void;
  /** One has worked again. */
  readonly ends: () => void;
}

export interface Loss {
  readonly firstFailureAt: Date;
  readonly evidence: readonly string[];
}

/**
 * Resolves when a primary has failed several new logins in a row. Old connections prove nothing: a hung postmaster still
 * serves them. A blip shorter than that says nothing.
 */
export async function awaitLoss(primary: Database, watch: Watch, task: Task, doubt?: Doubt): Promise<Loss> {
  const lag = watchLag();
  try {
    return await watchLogins(primary, watch, lag, task, doubt);
  } finally {
    lag.stop();
  }
}

function watchLogins(primary: Database, watch: Watch, lag: LagWatch, task: Task, doubt?: Doubt): Promise<Loss> {
  const over = new AbortController();
  const within = { ...task, signal: AbortSignal.any([task.signal, over.signal]) };
  const failed = new Map<number, { readonly at: Date; readonly why: string }>();
  const took: number[] = [];
  return new Promise<Loss>((resolve, reject) => {
    const attempt = async (number: number): Promise<void> => {
      const begin = performance.now();
      const at = new Date();
      const known = took.length === KNOWN_BY;
      const answerMs = known ? usualPatience(watch.answerMs, Math.max(...took)) : watch.answerMs.mostMs;
      const trouble = await tryLogin(primary, answerMs, within);
      if (trouble === undefined) took.splice(0, took.length < KNOWN_BY ? 0 : 1, performance.now() - begin);
      // A login that worked clears all that were begun before it, whenever their answers came.
      if (trouble === undefined) {
        const had = failed.size > 0;
        for (const one of failed.keys()) if (one < number) failed.delete(one);
        if (had && failed.size === 0) doubt?.ends();
      }
      // What was seen while this process itself was late is no evidence against anybody.
      if (trouble === undefined || lag.laggedSince(begin)) return;
      failed.set(number, { at, why: trouble });
      if (failed.size === 1) doubt?.begins();
      if (failed.size < watch.failures) return;
      const all = [...failed.entries()].sort(([a], [b]) => a - b).map(([, one]) => one);
      resolve({ firstFailureAt: all[0]?.at ?? at, evidence: all.map(({ why }) => why) });
    };
    const goOn = async () => {
      for (let number = 0; ; number++) {
        const done = attempt(number);
        done.catch(reject);
        const failedSoon = done.then(() =>
          pause(failed.has(number) ? watch.againMs : watch.everyMs, within.signal, primary.name),
        );
        await Promise.race([failedSoon, pause(watch.everyMs, within.signal, `the watch over ${primary.name}`)]);
      }
    };
    goOn().catch(reject);
  }).finally(() => {
    over.abort();
  });
}

/** Why a new login does not work, or nothing. A refusal by a server that lives is no loss. */
async function tryLogin(primary: Database, answerMs: number, task: Task): Promise<string | undefined> {
  const limit = AbortSignal.timeout(answerMs);
  const within = { ...task, signal: AbortSignal.any([task.signal, limit]) };
  try {
    const connection = await connectPostgres(primary, within);
    const asked = connection.query('select pg_is_in_recovery()');
    const stop = new Promise<never>((_, reject) => {
      within.signal.addEventListener('abort', () => {
        reject(new Error(`no answer within ${answerMs} ms`));
      });
    });
    try {
      await Promise.race([asked, stop]);
    } finally {
      asked.catch(() => undefined);
      stop.catch(() => undefined);
      void connection.close();
    }
    return undefined;
  } catch (error) {
    if (task.signal.aborted) throw error;
    if (isFailure(error, 'database_refused') || isFailure(error, 'database_error')) return undefined;
    return limit.aborted
      ? `no answer within ${answerMs} ms`
      : messageOf(error instanceof Failure ? (error.cause ?? error) : error);
  }
}
