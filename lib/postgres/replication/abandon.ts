import { Failure } from '../../failure';
import type { Task } from '../../task';
import { checkCluster, describeMember, memberOf, type Cluster, type Member } from './cluster';
import { abandon } from './failover';
import { isOpen, isPastReturn } from './journal';
import { withClusterLock } from './member-script';
import { readStatus } from './status';

export interface Abandoned {
  readonly changed: boolean;
  /** Who is the primary after it. */
  readonly primary: string | null;
  readonly epoch: number | null;
  readonly step: string | null;
}

/** Gives up a promotion that was interrupted before its point of no return, and lets the old primary be one again. */
export async function abandonPromotion(
  cluster: Cluster,
  { to, start }: { readonly to: Member; readonly start: boolean },
  { dryRun }: { readonly dryRun: boolean },
  task: Task,
): Promise<Abandoned> {
  checkCluster(cluster);
  return withClusterLock(cluster, to, { waitMs: 5_000 }, task, async (lock, inner) => {
    const { journal, folder, record } = await readStatus(cluster, to, {}, inner);
    if (!isOpen(journal)) {
      return {
        changed: false,
        primary: record?.primary ?? null,
        epoch: record?.epoch ?? null,
        step: journal?.step ?? null,
      };
    }
    const subject = describeMember(cluster, to);
    if (isPastReturn(journal)) {
      throw new Failure({
        code: 'past_return',
        subject,
        message: `${subject}: its promotion of epoch ${journal.epoch} has begun (${journal.step}) and can only go on`,
        nextStep: 'Run the failover again, which finishes it.',
      });
    }
    const system = folder?.systemIdentifier;
    if (system === null || system === undefined) {
      throw new Failure({
        code: 'candidate_down',
        subject,
        message: `${subject}: its data folder cannot be read`,
        nextStep: 'Look at its host.',
      });
    }
    const promotion = { ...journal, systemIdentifier: system };
    const done = { primary: journal.from, epoch: journal.epoch, step: journal.step };
    if (dryRun) return { changed: true, ...done };
    const from = memberOf(cluster, journal.from);
    await abandon({ cluster, member: to, lock }, promotion, from, start ? 'start' : 'leave', inner);
    return { changed: true, ...done, step: 'abandoned' };
  });
}
