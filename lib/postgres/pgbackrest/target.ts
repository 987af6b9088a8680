import { Failure } from '../../failure';
import { isInstant } from '../../instant';
import type { BackupSeen } from './info';
import { describeStanza, type Stanza } from './stanza';

/** Up to where the WAL is played back. */
export type RestoreTarget =
  /** As far as there is WAL. */
  | { readonly kind: 'newest' }
  /** Only until the backup is consistent. */
  | { readonly kind: 'immediate' }
  /** UTC, `2026-01-31T02:00:00.000Z`: the last state before the first commit after it. */
  | { readonly kind: 'time'; readonly time: string }
  | { readonly kind: 'lsn'; readonly lsn: string }
  | { readonly kind: 'xid'; readonly xid: string }
  /** Of pg_create_restore_point. */
  | { readonly kind: 'name'; readonly name: string };

export function checkTarget(stanza: Stanza, target: RestoreTarget): void {
  const problem = problemOf(target);
  if (problem === undefined) return;
  throw new Failure({
    code: 'target_unusable',
    subject: describeStanza(stanza),
    message: `The target cannot be used: ${problem}`,
    nextStep: 'Correct the target of the restore.',
  });
}

function problemOf(target: RestoreTarget): string | undefined {
  switch (target.kind) {
    case 'time':
      return isInstant(target.time) ? undefined : 'its time is not one in UTC like 2026-01-31T02:00:00.000Z';
    case 'lsn':
      return /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(target.lsn)
        ? undefined
        : `"${target.lsn}" is no LSN like 0/3000060`;
    case 'xid':
      // Those below 3 are PostgreSQL's own, and are never met.
      return /^\d{1,20}$/.test(target.xid) && BigInt(target.xid) > 2n
        ? undefined
        : `"${target.xid}" is no transaction number`;
    case 'name':
      return /^[\x20-\x7e]{1,63}$/.test(target.name) && !target.name.includes("'")
        ? undefined
        : 'the name of a restore point has 1 to 63 plain characters';
    default:
      return undefined;
  }
}

export function describeTarget(target: RestoreTarget): string {
  switch (target.kind) {
    case 'newest':
      return 'as far as there is WAL';
    case 'immediate':
      return 'the end of the backup';
    case 'time':
      return target.time;
    case 'lsn':
      return `LSN ${target.lsn}`;
    case 'xid':
      return `transaction ${target.xid}`;
    case 'name':
      return `restore point ${target.name}`;
  }
}

/** The options of pgBackRest for it. */
export function targetOptions(target: RestoreTarget): readonly string[] {
  const promote = '--target-action=promote';
  switch (target.kind) {
    case 'newest':
      return ['--type=default'];
    case 'immediate':
      return ['--type=immediate', promote];
    case 'time':
      return ['--type=time', `--target=${target.time.replace('T', ' ').replace('Z', '+00')}`, promote];
    case 'lsn':
      return ['--type=lsn', `--target=${target.lsn}`, promote];
    case 'xid':
      return ['--type=xid', `--target=${target.xid}`, promote];
    case 'name':
      return ['--type=name', `--target=${target.name}`, promote];
  }
}

/** How far the archive goes, as well as that can be told without playing back WAL. */
export interface Reach {
  /**
   * The latest moment that can be had, by the clock of the database's host: commits bear its time, and the target is
   * compared with them. Nobody else's clock is asked, least of all that of n8n.
   */
  readonly until: string;
  /** What that host's clock says. */
  readonly now: string;
  /** Where the newest WAL in the repository ends; null where there is none. */
  readonly endLsn: string | null;
  /** The first transaction that has not begun yet; null where the server that is there cannot tell. */
  readonly nextXid: string | null;
}

export interface Choice {
  readonly set?: string;
  readonly repository?: number;
}

/** Those that were chosen, the oldest first. */
export function candidatesOf(backups: readonly BackupSeen[], { set, repository }: Choice): readonly BackupSeen[] {
  return backups
    .filter((one) => (set === undefined || one.label === set) && (repository ?? one.repository) === one.repository)
    .toSorted((a, b) => a.stoppedAt.localeCompare(b.stoppedAt) || b.repository - a.repository);
}

/**
 * The newest backup from which the target can be reached: it must have ended before it. A transaction or a name does not
 * tell when it was, so there the newest is taken, unless another one is named.
 */
export function newestFor(chosen: readonly BackupSeen[], target: RestoreTarget): BackupSeen | undefined {
  return chosen.findLast((one) => endedBefore(one, target));
}

/** Whatever is asked for, there is no backup to begin with. */
export function noBackup(stanza: Stanza, { set, repository }: Choice): Failure {
  const what = set === undefined ? 'no backup to restore' : `no backup ${set} to restore`;
  const where = repository === undefined ? '' : ` in repository ${repository}`;
  return new Failure({
    code: 'backup_missing',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)} has ${what}${where}`,
    nextStep: 'Choose another backup or repository; Info lists what there is.',
  });
}

/**
 * Refuses what plainly cannot be had. It would end in a server that does not start, after hours of restoring and with
 * the standby let go. A name, and a transaction of before the oldest backup, cannot be told from those that can.
 */
export function refuseOutOfReach(
  stanza: Stanza,
  target: RestoreTarget,
  chosen: readonly BackupSeen[],
  reach: Reach,
): void {
  const [oldest] = chosen;
  if (oldest === undefined) return;
  const subject = describeStanza(stanza);
  const refusal = (code: string, why: string, more: string, { can, ...details }: Can) =>
    new Failure({
      code,
      subject,
      message: `${subject}: ${describeTarget(target)} cannot be had: ${why}`,
      nextStep: `${can} ${more}`,
      details,
    });
  const earlier = 'Choose a later one, or another backup or repository; Info lists what there is.';
  const before = 'Choose an earlier one, or as far as there is WAL (newest).';
  const archive = `${before} Where the primary still lives, Check first has it archive what it has.`;
  if (target.kind === 'time') {
    const { until } = reach;
    const from = new Date(endOf(oldest)).toISOString();
    const none = 'No moment can be had yet: no WAL has come since the backup ended.';
    const can = { from, until, can: until < from ? none : `Can be had: from ${from} to ${until}.` };
    const at = Date.parse(target.time);
    if (at < endOf(oldest)) {
      throw refusal('backup_missing', `the oldest backup ended after it, at ${oldest.stoppedAt}`, earlier, can);
    }
    if (at > Date.parse(reach.now)) {
      const why = `it has not been yet; the clock of the database’s host says ${reach.now}`;
      throw refusal('target_not_archived', why, before, can);
    }
    if (at > Date.parse(until)) {
      throw refusal('target_not_archived', 'it lies after the newest WAL in the repository', archive, can);
    }
  }
  if (target.kind === 'lsn') {
    const [from, until] = [oldest.stopLsn, reach.endLsn];
    const can = { from, until, can: `Can be had: from LSN ${from} to ${until === null ? 'the newest WAL' : until}.` };
    if (lsnNumber(target.lsn) < lsnNumber(from)) {
      throw refusal('backup_missing', `the oldest backup ended after it, at LSN ${from}`, earlier, can);
    }
    // At the very end the record that it names is still to come.
    if (until !== null && lsnNumber(target.lsn) >= lsnNumber(until)) {
      throw refusal('target_not_archived', 'it lies after the newest WAL in the repository', archive, can);
    }
  }
  if (target.kind === 'xid' && reach.nextXid !== null && BigInt(target.xid) >= BigInt(reach.nextXid)) {
    throw refusal(
      'target_not_archived',
      'the server that is there has not come to it yet',
      'Choose an earlier one. For a transaction of another history name its timeline.',
      { until: reach.nextXid, can: `Can be had: what is before transaction ${reach.nextXid}.` },
    );
  }
}

interface Can {
  readonly from?: string;
  readonly until: string | null;
  /** The same as a sentence. */
  readonly can: string;
}

/** Of its second, which is all that is known: within it the copy may not be whole yet. */
function endOf({ stoppedAt }: BackupSeen): number {
  return Date.parse(stoppedAt) + 1_000;
}

function endedBefore(backup: BackupSeen, target: RestoreTarget): boolean {
  if (target.kind === 'time') return endOf(backup) <= Date.parse(target.time);
  if (target.kind === 'lsn') return lsnNumber(backup.stopLsn) <= lsnNumber(target.lsn);
  return true;
}

export function lsnNumber(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
