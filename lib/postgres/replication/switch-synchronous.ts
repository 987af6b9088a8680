import type { Task } from '../../task';
import { checkCluster, type Cluster } from './cluster';
import { withClusterLock } from './member-script';
import { primaryOf, type RemovalWish } from './remove';
import { readStatus } from './status';
import { disableSynchronous, enableSynchronous, namesOf } from './synchronous';

export interface SynchronousWish extends RemovalWish {
  readonly on: boolean;
}

export async function planSynchronous(
  cluster: Cluster,
  wish: Omit<SynchronousWish, 'agree'>,
  task: Task,
): Promise<readonly string[]> {
  checkCluster(cluster);
  return (await look(cluster, wish, task)).lines;
}

/** Nothing else of the pair is touched. Run twice it changes nothing. */
export async function switchSynchronous(
  cluster: Cluster,
  wish: SynchronousWish,
  task: Task,
): Promise<readonly string[]> {
  checkCluster(cluster);
  const { primary, standby, on } = wish;
  return withClusterLock(cluster, standby, { waitMs: 10_000 }, task, async (lock, inner) => {
    const { lines, facts } = await look(cluster, wish, inner);
    wish.agree?.(lines);
    if (lines.length === 0) return lines;
    if (on) await enableSynchronous(cluster, primary, standby, facts, inner, lock);
    else await disableSynchronous(cluster, primary, standby, facts, inner, lock);
    return lines;
  });
}

async function look(cluster: Cluster, { primary, standby, on }: Omit<SynchronousWish, 'agree'>, task: Task) {
  const [one, other] = await Promise.all([
    readStatus(cluster, primary, {}, task),
    readStatus(cluster, standby, {}, task),
  ]);
  const { settings, systemIdentifier } = primaryOf(cluster, primary, one);
  const names = settings.synchronous_standby_names ?? '';
  const promised = other.record?.promotable === true && other.record.primary === primary.name;
  const wanted = on ? namesOf(standby) : '';
  const right = names === wanted && promised === on;
  const facts = { epoch: Math.max(one.record?.epoch ?? 0, other.record?.epoch ?? 0, 1), systemIdentifier };
  return {
    facts,
    lines: right ? [] : [`synchronous_standby_names of ${primary.name}: ${names || 'empty'} -> ${wanted || 'empty'}`],
  };
}
