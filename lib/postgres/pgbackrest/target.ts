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
      return /^\d{1,20}$/.test(target.xid) ? undefined : `"${target.xid}" is no transaction number`;
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

/**
 * The newest backup from which the target can be reached: it must have ended before it. A transaction or a name does not
 * tell when it was, so there the newest is taken, unless another one is named.
 */
export function chooseBackup(
  stanza: Stanza,
  backups: readonly BackupSeen[],
  target: RestoreTarget,
  { set, repository }: { readonly set?: string; readonly repository?: number },
): BackupSeen {
  const usable = backups
    .filter((one) => (set === undefined || one.label === set) && (repository ?? one.repository) === one.repository)
    .filter((one) => endedBefore(one, target))
    .toSorted((a, b) => a.stoppedAt.localeCompare(b.stoppedAt) || b.repository - a.repository);
  const newest = usable.at(-1);
  if (newest !== undefined) return newest;
  const oldest = backups.toSorted((a, b) => a.stoppedAt.localeCompare(b.stoppedAt))[0];
  throw new Failure({
    code: 'backup_missing',
    subject: describeStanza(stanza),
    message:
      oldest === undefined
        ? `${describeStanza(stanza)} has no backup to restore`
        : `${describeStanza(stanza)} has no backup${set === undefined ? '' : ` ${set}`} that had ended before ${describeTarget(target)}; the oldest ended at ${oldest.stoppedAt} (LSN ${oldest.stopLsn})`,
    nextStep: 'Choose a later target, or another backup or repository; Info lists what there is.',
  });
}

function endedBefore(backup: BackupSeen, target: RestoreTarget): boolean {
  if (target.kind === 'time') return Date.parse(backup.stoppedAt) <= Date.parse(target.time);
  if (target.kind === 'lsn') return lsnNumber(backup.stopLsn) <= lsnNumber(target.lsn);
  return true;
}

export function lsnNumber(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** A time that no archived WAL reaches yet would end in a server that refuses to start, after hours of restoring. */
export function refuseBeyond(stanza: Stanza, target: RestoreTarget, newestAt: string | null): void {
  if (target.kind !== 'time' || newestAt === null) return;
  if (Date.parse(target.time) <= Date.parse(newestAt) + 1_000) return;
  throw new Failure({
    code: 'target_not_archived',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: the target ${target.time} lies after the newest WAL in the repository, which came at ${newestAt}`,
    nextStep:
      'Take a time before that, or restore as far as there is WAL (newest). Where the primary still lives, Check first has it archive what it has.',
    details: { newestAt },
  });
}
