import { Failure, isFailure } from '../../failure';
import type { Task } from '../../task';
import { checkCluster, describeMember, type Cluster, type Member } from './cluster';
import { abandon } from './failover';
import { isOpen } from './journal';
import { withClusterLock } from './member-script';
import { claimPromotion, cutOff, promote, verifyPromotion, type Candidate, type Promotion } from './promotion';
import { rejoin, type RejoinResult } from './rejoin';
import { stopForSwitchover } from './silence';
import { readStatus, type MemberStatus } from './status';
import { stopwatch, type TimedStep } from './stopwatch';

export interface SwitchoverWish {
  readonly from: Member;
  readonly to: Member;
  /** The former primary becomes the standby for which commits wait. */
  readonly synchronous: boolean;
  /** How far the standby may be behind before clients are cut off. Default 16 MiB. */
  readonly mostLagBytes?: number;
  readonly stopSeconds?: number;
  /** Also while archiving fails, which a clean stop waits for: clients may be cut off for many seconds. */
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
        stopForSwitchover(
          cluster,
          from,
          promotion,
          to.name,
          { seconds, despiteArchiver: wish.despiteArchiver === true },
          inner,
        ),
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

/** Refuses what a switchover would refuse, and says which epoch it would be. Nothing is changed. */
export async function planSwitchover(cluster: Cluster, wish: SwitchoverWish, task: Task): Promise<number> {
  checkCluster(cluster);
  const [one, other] = await Promise.all([
    readStatus(cluster, wish.from, {}, task),
    readStatus(cluster, wish.to, {}, task),
  ]);
  refuseUnfit(cluster, wish, one, other);
  return nextEpoch(one, other);
}

function nextEpoch(one: MemberStatus, other: MemberStatus): number {
  return Math.max(other.record?.epoch ?? 0, other.journal?.epoch ?? 0, one.record?.epoch ?? 0) + 1;
}

/** Nothing is stopped for a switchover that would not come to its end. */
function refuseUnfit(
  cluster: Cluster,
  { from, to, mostLagBytes = 16 * 1024 ** 2, despiteArchiver = false }: SwitchoverWish,
  one: MemberStatus,
  other: MemberStatus,
): string {
  const refuse = (member: Member, why: string, nextStep: string) => {
    const subject = describeMember(cluster, member);
    return new Failure({
      code: 'switchover_refused',
      subject,
      message: `${subject}: ${why}; nothing was changed`,
      nextStep,
    });
  };
  if (one.server.kind !== 'answers' || one.server.role !== 'primary')
    throw refuse(from, 'it is no primary that answers', 'Use a failover when the primary is lost.');
  if (other.server.kind !== 'answers' || other.server.role !== 'standby')
    throw refuse(to, 'it is no standby that answers', 'Start it, or rejoin it.');
  if (one.server.archiver.failing && !despiteArchiver) {
    throw refuse(
      from,
      'its archiver fails or hangs, and a clean stop waits for it while clients are cut off',
      'Repair the archiving first (log of PostgreSQL, pg_stat_archiver), or accept that some WAL stays out of the archive: a full backup is needed afterwards.',
    );
  }
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
