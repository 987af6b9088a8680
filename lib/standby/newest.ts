import type { Left } from './look';

/** Which data a service is to start with on its standby, when its home is gone. */
export type Choice =
  | { readonly choice: 'restore'; readonly since: Date }
  /** What lies there is newer than any backup: it was on its way home, or home had it for a short time only. */
  | { readonly choice: 'keep'; readonly since: Date }
  /** A person has to say. */
  | { readonly choice: 'ask'; readonly since: Date; readonly why: string }
  /** Neither has anything. */
  | { readonly choice: 'nothing' };

/**
 * The newest data that are known to be good: the backups of all its pieces, or what the standby itself has left. `none`
 * of a piece that has no good backup. A backup that was made while the data were on their way home is of what home had
 * before, however new it looks.
 */
export function chooseData(left: Left | null, backups: readonly (Date | null)[]): Choice {
  const made = backups.flatMap((one) => one ?? []).sort((one, other) => one.getTime() - other.getTime());
  const [oldest] = made;
  const whole = made.length === backups.length;
  if (left === null)
    return whole && oldest !== undefined ? { choice: 'restore', since: oldest } : { choice: 'nothing' };
  const newer = made.filter((one) => isNewer(one, left));
  if (newer.length === 0) return { choice: 'keep', since: left.until };
  const ask = (why: string) => ({ choice: 'ask', since: left.until, why }) as const;
  if (newer.length < backups.length) return ask('of some of its data there is no backup that is newer');
  if (left.over === null) return ask('nobody has noted whether its home had gone on with them when they were made');
  return { choice: 'restore', since: oldest ?? left.until };
}

/** Names of backups know no parts of a second. */
function isNewer(made: Date, { until, over }: Left): boolean {
  return over === null ? made > until : Math.floor(made.getTime() / 1000) >= Math.floor(over.getTime() / 1000);
}

/** What a script is told of the backup that it is to put in place: when it was made, in milliseconds. */
export function madeWord(from: BackupOf | undefined): string {
  if (from === undefined) return '';
  return from === 'whatever is there' ? 'any' : String(from.getTime());
}

/** When the backup was made; or that it was brought from the other host, or that a person has chosen it. */
export type BackupOf = Date | 'whatever is there';
