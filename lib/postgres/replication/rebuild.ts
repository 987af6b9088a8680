import { Failure } from '../../failure';
import type { Task } from '../../task';
import { checkCluster, describeMember, slotOf, type Cluster } from './cluster';
import { liftFirewall } from './firewall';
import { runOnMember, withClusterLock } from './member-script';
import { planRemoval, dropSlot, type RemovalPlan, type RemovalWish } from './remove';
import { awaitStreaming, createReplica } from './replica';
import { readStatus } from './status';
import { stopwatch, type TimedStep } from './stopwatch';
import { disableSynchronous, enableSynchronous, writeRecord } from './synchronous';

export interface RebuildWish extends RemovalWish {
  /** Commits wait for it again afterwards. */
  readonly synchronous: boolean;
  readonly timeoutMs: number;
}

export interface Rebuilt {
  readonly changed: true;
  readonly lines: readonly string[];
  readonly steps: readonly TimedStep[];
}

const STOP = `
stop_server_cleanly 120 || end_server || stop_with server_not_stopped "PostgreSQL of $self cannot be stopped"
`;

export async function planRebuild(cluster: Cluster, wish: RebuildWish, task: Task): Promise<readonly string[]> {
  return linesOf(wish, await planRemoval(cluster, wish, task));
}

function linesOf({ primary, standby, synchronous }: RebuildWish, plan: RemovalPlan): string[] {
  return [
    ...plan.lines.filter((line) => !line.startsWith('slot ')),
    `data folder ${standby.dataFolder} of ${standby.name}: replaced by a copy of ${primary.name}`,
    ...(synchronous ? [`commits of ${primary.name} wait for ${standby.name} from then on`] : []),
  ];
}

/** Throws a standby's data away and copies the primary again; commits wait for nobody meanwhile. */
export async function rebuildReplica(cluster: Cluster, wish: RebuildWish, task: Task): Promise<Rebuilt> {
  checkCluster(cluster);
  const { primary, standby, synchronous, timeoutMs } = wish;
  const clock = stopwatch(task);
  return withClusterLock(cluster, standby, { waitMs: 10_000 }, task, async (lock, inner) => {
    const plan = await clock.step('Looking', () => planRemoval(cluster, wish, inner));
    wish.agree?.(linesOf(wish, plan));
    const { epoch, systemIdentifier } = plan;
    const { folder } = await readStatus(cluster, standby, {}, inner);
    const found = folder?.systemIdentifier ?? systemIdentifier;
    if (found !== systemIdentifier) {
      const subject = describeMember(cluster, standby);
      throw new Failure({
        code: 'other_system',
        subject,
        message: `${subject}: its data folder holds another database system (${found}); nothing was changed`,
        nextStep: 'Move that folder away yourself if it may go, and set the pair up.',
      });
    }
    if (plan.synchronous) {
      await clock.step('Commits', () => disableSynchronous(cluster, primary, standby, plan, inner, lock));
    }
    // Also where nothing waited for it: what it believed is over.
    await writeRecord(
      cluster,
      standby,
      { epoch, systemIdentifier, primary: primary.name, promotable: false },
      inner,
      lock,
    );
    if (plan.stop) {
      await clock.step('Stopping', () =>
        runOnMember(cluster, standby, { script: STOP, timeoutMs: 180_000 }, inner, lock),
      );
    }
    // One that has lost its WAL is of no use, and one that has not keeps more than the copy needs.
    if (plan.dropSlot) await clock.step(`Slot ${slotOf(standby)}`, () => dropSlot(cluster, primary, standby, inner));
    await clock.step('Copying', () =>
      createReplica(cluster, primary, standby, { replace: true, epoch, timeoutMs }, inner),
    );
    await clock.step('Streaming', () => awaitStreaming(cluster, primary, standby, 60_000, inner));
    if (synchronous) {
      await clock.step('Synchronous', () => enableSynchronous(cluster, primary, standby, plan, inner, lock));
    }
    await liftFirewall(cluster, standby, inner);
    return { changed: true, lines: linesOf(wish, plan), steps: clock.steps };
  });
}
