import { Failure, isFailure, messageOf } from '../../failure';
import { pause, type Task } from '../../task';
import { watchLag, type LagWatch } from '../../health/lag';
import { connectPostgres, type Database } from '../connection';

export interface Watch {
  /** A new login this often. */
  readonly everyMs: number;
  /** How long a login and one question may take. */
  readonly answerMs: number;
  /** So many failures in a row are a loss. */
  readonly failures: number;
}

export interface Loss {
  readonly firstFailureAt: Date;
  readonly evidence: readonly string[];
}

/**
 * Resolves when a primary has failed several new logins in a row. Old connections prove nothing: a hung postmaster still
 * serves them. A blip shorter than that says nothing.
 */
export async function awaitLoss(primary: Database, watch: Watch, task: Task): Promise<Loss> {
  const lag = watchLag();
  try {
    return await watchLogins(primary, watch, lag, task);
  } finally {
    lag.stop();
  }
}

async function watchLogins(primary: Database, watch: Watch, lag: LagWatch, task: Task): Promise<Loss> {
  let evidence: string[] = [];
  let firstFailureAt = new Date();
  for (;;) {
    const begin = performance.now();
    const trouble = await tryLogin(primary, watch.answerMs, task);
    const took = performance.now() - begin;
    if (trouble === undefined) evidence = [];
    // What was seen while this process itself was late is no evidence against anybody.
    else if (!lag.laggedSince(begin)) {
      if (evidence.length === 0) firstFailureAt = new Date(Date.now() - took);
      evidence.push(trouble);
      if (evidence.length >= watch.failures) return { firstFailureAt, evidence };
    }
    await pause(Math.max(0, watch.everyMs - took), task.signal, `the watch over ${primary.name}`);
  }
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
