import { Failure, isFailure } from '../../failure';
import type { Task } from '../../task';
import { tryArchive } from './archiving';
import { checkCluster, describeMember, type Cluster, type Member } from './cluster';
import { abandon } from './failover';
import { isOpen, type JournalShown } from './journal';
import { withClusterLock } from './member-script';
import { claimPromotion, cutOff, promote, verifyPromotion, type Candidate, type Promotion } from './promotion';
import { rejoin, type RejoinResult } from './rejoin';
import { stopForSwitchover } from './silence';
import { describeSight, readStatus, type MemberStatus } from './status';
import { stopwatch, type TimedStep } from './stopwatch';

export interface SwitchoverWish {
  readonly from: Member;
  readonly to: Member;
  /** The former primary becomes the standby for which commits wait. */
  readonly synchronous: boolean;
  /** How far the standby may be behind before clients are cut off. Default 16 MiB. */
  readonly mostLagBytes?: number;
  readonly stopSeconds?: number;
  /** How long the archive may take for a segment before anything is stopped. Default 10 s. */
  readonly archiveSeconds?: number;
  /** Also while archiving fails or hangs: then some WAL stays out of the archive. */
  readonly despiteArchiver?: boolean;
}

export interface SwitchoverResult {
  readonly changed: true;
  readonly primary: string;
  readonly epoch: number;
  readonly timeline: number;
  readonly steps: readonly TimedStep[];
  readonly rejoined: RejoinResult;
}

/** Changes the roles of a healthy pair: nothing is lost, nothing is rewound. */
export async function switchover(cluster: Cluster, wish: SwitchoverWish, task: Task): Promise<SwitchoverResult> {
  checkCluster(cluster);
  const { from, to, synchronous } = wish;
  const clock = stopwatch(task);
  const done = await withClusterLock(cluster, to, { waitMs: 10_000 }, task, async (lock, inner) => {
    const [one, other] = await clock.step('Looking', () =>
      Promise.all([readStatus(cluster, from, {}, inner), readStatus(cluster, to, {}, inner)]),
    );
    const systemIdentifier = refuseUnfit(cluster, wish, one, other);
    const archiveMs = (wish.archiveSeconds ?? 10) * 1000;
    const fails = one.server.kind === 'answers' && one.server.archiver.failing;
    // While clients can still write, so that none of them waits for an archive that hangs.
    const stuck =
      fails || (await clock.step('Archiving', () => tryArchive(cluster, from, archiveMs, inner))) === 'stuck';
    if (stuck && wish.despiteArchiver !== true) throw archiverStuck(cluster, from);
    const despiteArchiver = wish.despiteArchiver !== true ? 'no' : stuck ? 'known' : 'yes';
    const candidate: Candidate = { cluster, member: to, lock };
    const promotion: Promotion = {
      kind: 'switchover',
      epoch: nextEpoch(one, other),
      run: `${new Date().toISOString()} ${inner.owner}`,
      from: from.name,
      systemIdentifier,
    };
    await clock.step('Claiming', () => claimPromotion(candidate, promotion, inner));
    let proof: string;
    try {
      const seconds = wish.stopSeconds ?? 60;
      const lsn = await clock.step('Stopping', () =>
        stopForSwitchover(cluster, from, promotion, to.name, { seconds, despiteArchiver }, inner),
      );
      await clock.step('Cutting', () => cutOff(candidate, promotion, { patienceMs: 10_000, received: lsn }, inner));
      proof = `clean stop of ${from.name}, whose last checkpoint (${lsn}) was received`;
    } catch (error) {
      if (inner.signal.aborted || isFailure(error, 'epoch_stale') || isFailure(error, 'journal_not_ours')) throw error;
      await clock.step('Abandoning', () => abandon(candidate, promotion, from, 'start', inner));
      throw error;
    }
    await clock.step('Promoting', () => promote(candidate, promotion, proof, inner));
    const timeline = await clock.step('Verifying', () => verifyPromotion(candidate, promotion, inner));
    return { epoch: promotion.epoch, timeline };
  });
  const rejoined = await clock.step('Rejoining', () =>
    rejoin(cluster, { primary: to, standby: from, synchronous, allowCopy: false }, task),
  );
  return { changed: true, primary: to.name, ...done, steps: clock.steps, rejoined };
}

export interface SwitchoverPlan {
  readonly epoch: number;
  /** The newest promotion that came to its end, for whoever asks without knowing that somebody else has done it. */
  readonly lastChange: LastChange | null;
}

export type LastChange = Pick<JournalShown, 'kind' | 'from' | 'to' | 'claimedAt'>;

/** Refuses what a switchover would refuse, and says which epoch it would be. Nothing is changed. */
export async function planSwitchover(cluster: Cluster, wish: SwitchoverWish, task: Task): Promise<SwitchoverPlan> {
  checkCluster(cluster);
  const [one, other] = await Promise.all([
    readStatus(cluster, wish.from, {}, task),
    readStatus(cluster, wish.to, {}, task),
  ]);
  refuseUnfit(cluster, wish, one, other);
  return { epoch: nextEpoch(one, other), lastChange: lastChangeOf([one, other]) };
}

function lastChangeOf(seen: readonly MemberStatus[]): LastChange | null {
  const done = seen.flatMap(({ journal }) => (journal?.step === 'done' ? [journal] : []));
  const newest = done.sort((one, other) => other.epoch - one.epoch)[0];
  if (newest === undefined) return null;
  const { kind, from, to, claimedAt } = newest;
  return { kind, from, to, claimedAt };
}

function nextEpoch(one: MemberStatus, other: MemberStatus): number {
  return Math.max(other.record?.epoch ?? 0, other.journal?.epoch ?? 0, one.record?.epoch ?? 0) + 1;
}

function refused(cluster: Cluster, member: Member, why: string, nextStep: string): Failure {
  const subject = describeMember(cluster, member);
  const message = `${subject}: ${why}; nothing was changed`;
  return new Failure({ code: 'switchover_refused', subject, message, nextStep });
}

function archiverStuck(cluster: Cluster, member: Member): Failure {
  return refused(
    cluster,
    member,
    'its archiver fails, hangs or is far behind, and a clean stop waits for it while clients are cut off',
    'Repair the archiving first (log of PostgreSQL, pg_stat_archiver), or accept that some WAL stays out of the archive: a full backup is needed afterwards.',
  );
}

/** Nothing is stopped for a switchover that would not come to its end. */
function refuseUnfit(
  cluster: Cluster,
  { from, to, mostLagBytes = 16 * 1024 ** 2, despiteArchiver = false }: SwitchoverWish,
  one: MemberStatus,
  other: MemberStatus,
): string {
  const refuse = (member: Member, why: string, nextStep: string) => refused(cluster, member, why, nextStep);
  if (one.server.kind !== 'answers' || one.server.role !== 'primary')
    throw refuse(
      from,
      `it is no primary that answers (${describeSight(one)})`,
      'Use a failover when the primary is lost.',
    );
  if (other.server.kind !== 'answers' || other.server.role !== 'standby')
    throw refuse(to, `it is no standby that answers (${describeSight(other)})`, 'Start it, or rejoin it.');
  if (one.server.archiver.failing && !despiteArchiver) throw archiverStuck(cluster, from);
  for (const { journal } of [one, other]) {
    if (isOpen(journal))
      throw refuse(
        to,
        `a ${journal.kind} to ${journal.to} is not finished (${journal.step})`,
        'Run the failover again, which resumes or abandons it.',
      );
  }
  const seen = one.server.standbys.find(({ name }) => name === to.name);
  if (seen?.state !== 'streaming') throw refuse(to, `${from.name} does not see it streaming`, 'Let it catch up first.');
  if ((seen.lagBytes ?? Infinity) > mostLagBytes)
    throw refuse(
      to,
      `it is ${seen.lagBytes ?? 'an unknown number of'} bytes behind`,
      'Let it catch up first, so that clients wait for less.',
    );
  if (other.server.replayPaused) throw refuse(to, 'its replay is paused', 'Resume it (select pg_wal_replay_resume()).');
  return one.server.systemIdentifier;
}
