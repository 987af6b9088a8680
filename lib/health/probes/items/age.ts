import { duration } from '../../../alert/message';
import { Wrong } from '../probe';

const HOUR = 3_600_000;

/** Says how old the newest of something is, or that it is too old. */
export function judgeAge(what: string, newest: number | undefined, maxAgeHours: number, now = Date.now()): string {
  if (newest === undefined) throw new Wrong(`there is no ${what}`);
  const age = now - newest;
  // A clock that is ahead makes a backup of the future, which proves nothing.
  if (age < -HOUR) throw new Wrong(`its newest ${what} is from the future (${new Date(newest).toISOString()})`);
  if (age > maxAgeHours * HOUR) throw new Wrong(`its newest ${what} is ${duration(age)} old`);
  return `its newest ${what} is ${duration(age)} old`;
}
