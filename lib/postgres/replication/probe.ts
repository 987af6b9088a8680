import { isFailure, messageOf } from '../../failure';
import type { Task } from '../../task';
import { connectPostgres, type Database } from '../connection';

export interface WriteProbe {
  readonly writable: boolean;
  /** From the first packet of the login to the acknowledgement of the commit. */
  readonly milliseconds: number;
  /** Why not, or what is wrong although it was. */
  readonly why: string | null;
}

/**
 * A real commit, which waits for the standby as every other does and leaves nothing behind: a message in the WAL that
 * nobody reads. So it needs no table and no right.
 */
export async function probeWrite(database: Database, timeoutMs: number, task: Task): Promise<WriteProbe> {
  const begin = performance.now();
  const done = (why: string | null): WriteProbe => ({
    writable: why === null,
    milliseconds: Math.round(performance.now() - begin),
    why,
  });
  const limit = AbortSignal.timeout(timeoutMs);
  const within = { ...task, signal: AbortSignal.any([task.signal, limit]) };
  try {
    const connection = await connectPostgres(database, within, { statementMs: timeoutMs });
    try {
      const [state] = await connection.query(
        "select pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only",
      );
      if (state?.['standby'] === true) return done('it is a standby');
      if (state?.['read_only'] === 'on') return done('its transactions are read-only');
      await connection.query("select pg_logical_emit_message(true, 'selfhost', 'probe')");
      return done(null);
    } finally {
      // A commit that waits for a standby would hear nothing of a farewell.
      void connection.close();
    }
  } catch (error) {
    if (task.signal.aborted) throw error;
    if (limit.aborted || isFailure(error, 'database_lost')) {
      const late = limit.aborted || performance.now() - begin >= timeoutMs;
      if (late) return done(`no commit was acknowledged within ${timeoutMs / 1000} s`);
    }
    return done(messageOf(error));
  }
}
