import { Failure } from '../../failure';
import type { Task } from '../../task';
import { checkCluster, describeMember, slotOf, type Cluster, type Member } from './cluster';
import { isOpen } from './journal';
import { runOnMember, withClusterLock } from './member-script';
import { readStatus, type MemberStatus, type ServerView } from './status';
import { disableSynchronous, namesOf } from './synchronous';

export interface RemovalPlan {
  readonly lines: readonly string[];
  readonly synchronous: boolean;
  readonly stop: boolean;
  readonly dropSlot: boolean;
  readonly autostart: boolean;
  readonly epoch: number;
  readonly systemIdentifier: string;
}

export interface RemovalWish {
  readonly primary: Member;
  readonly standby: Member;
  /** Sees under the lock what is about to be done, and throws where that is not what was agreed to. */
  readonly agree?: (lines: readonly string[]) => void;
}

/** What would be done to take a standby out. Its data folder stays where it is. */
export async function planRemoval(cluster: Cluster, wish: RemovalWish, task: Task): Promise<RemovalPlan> {
  checkCluster(cluster);
  const { primary, standby } = wish;
  const [one, other] = await Promise.all([
    readStatus(cluster, primary, {}, task),
    readStatus(cluster, standby, {}, task),
  ]);
  const view = primaryOf(cluster, primary, one);
  if (!other.host.reached)
    throw refused(cluster, standby, 'host_unreachable', other.host.why, 'Bring its host back first.');
  if (other.server.kind === 'answers' && other.server.role === 'primary') {
    throw refused(
      cluster,
      standby,
      'not_standby',
      'it takes writes',
      'Read the topology; only a standby can be taken out.',
    );
  }
  for (const { journal } of [one, other]) {
    if (!isOpen(journal)) continue;
    throw refused(
      cluster,
      standby,
      'journal_open',
      `a ${journal.kind} to ${journal.to} is not finished`,
      'Run the failover again, which resumes it, or abandon it.',
    );
  }
  const synchronous = view.settings.synchronous_standby_names === namesOf(standby) || other.record?.promotable === true;
  const stop = other.server.kind !== 'down';
  const dropSlot = view.slots.some(({ name }) => name === slotOf(standby));
  const autostart = other.folder?.autostart === true;
  return {
    synchronous,
    stop,
    dropSlot,
    autostart,
    epoch: Math.max(one.record?.epoch ?? 0, other.record?.epoch ?? 0, 1),
    systemIdentifier: view.systemIdentifier,
    lines: [
      ...(synchronous ? [`synchronous_standby_names of ${primary.name}: ${namesOf(standby)} -> empty`] : []),
      ...(autostart ? [`${standby.name}: PostgreSQL no longer starts by itself at boot`] : []),
      ...(stop ? [`stop of PostgreSQL on ${standby.name}; its data folder stays`] : []),
      ...(dropSlot ? [`slot ${slotOf(standby)} on ${primary.name}: dropped`] : []),
    ],
  };
}

const STOP = `
autostart_off
stop_server_cleanly 120 || end_server || stop_with server_not_stopped "PostgreSQL of $self cannot be stopped"
`;

// A walsender that has just lost its standby may hold the slot for a moment more.
const DROP_SLOT = `
for ((tries = 0; tries < 200; tries++)); do
  left=$(sql -v slot="$1" <<'SQL'
select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = :'slot' and not active \\g /dev/null
select count(*) from pg_replication_slots where slot_name = :'slot';
SQL
)
  [ "$left" != 0 ] || exit 0
  sleep 0.1
done
stop_with slot_in_use "slot $1 is still in use after 20 s"
`;

/** First commits wait for it no more, then it is stopped, then nothing is kept for it any longer. */
export async function removeReplica(
  cluster: Cluster,
  wish: RemovalWish,
  task: Task,
): Promise<{ readonly changed: boolean; readonly lines: readonly string[] }> {
  checkCluster(cluster);
  const { primary, standby } = wish;
  return withClusterLock(cluster, standby, { waitMs: 10_000 }, task, async (lock, inner) => {
    const plan = await planRemoval(cluster, wish, inner);
    wish.agree?.(plan.lines);
    if (plan.lines.length === 0) return { changed: false, lines: [] };
    if (plan.synchronous) await disableSynchronous(cluster, primary, standby, plan, inner, lock);
    if (plan.stop || plan.autostart) {
      await runOnMember(cluster, standby, { script: STOP, timeoutMs: 180_000 }, inner, lock);
    }
    if (plan.dropSlot) await dropSlot(cluster, primary, standby, inner);
    return { changed: true, lines: plan.lines };
  });
}

export async function dropSlot(cluster: Cluster, primary: Member, standby: Member, task: Task): Promise<void> {
  await runOnMember(cluster, primary, { script: DROP_SLOT, arguments: [slotOf(standby)], timeoutMs: 60_000 }, task);
}

export function primaryOf(cluster: Cluster, primary: Member, { host, server, record }: MemberStatus): ServerView {
  if (!host.reached) throw refused(cluster, primary, 'host_unreachable', host.why, 'Bring its host back first.');
  if (server.kind !== 'answers' || server.role !== 'primary' || (record !== null && record.primary !== primary.name)) {
    throw refused(
      cluster,
      primary,
      'not_primary',
      'it is no primary that answers',
      'Read the topology and choose the member that is.',
    );
  }
  return server;
}

function refused(cluster: Cluster, member: Member, code: string, why: string, nextStep: string): Failure {
  const subject = describeMember(cluster, member);
  return new Failure({ code, subject, message: `${subject}: ${why}; nothing was changed`, nextStep });
}
