import { Failure } from '../../failure';
import type { Task } from '../../task';
import { checkCluster, describeMember, type Cluster, type Member } from './cluster';
import { isOpen } from './journal';
import { runOnMember, withClusterLock } from './member-script';
import { applyPreparation, planPreparation, PRIMARY_NEEDS, type Preparation, type PrimaryNeeds } from './prepare';
import { awaitStreaming, createReplica, ensureSlot } from './replica';
import { readStatus, type MemberStatus } from './status';
import { disableSynchronous, enableSynchronous, namesOf, writeRecord } from './synchronous';

export interface SetUpWish {
  readonly primary: Member;
  readonly standby: Member;
  /** Commits wait for the standby, and a failover loses nothing. */
  readonly synchronous: boolean;
  readonly needs?: PrimaryNeeds;
  /** Settings that need it are refused without. */
  readonly allowRestart: boolean;
  /** What is in the standby's data folder may be thrown away. */
  readonly replace?: boolean;
  readonly copyTimeoutMs?: number;
  /** Sees under the lock what is about to be done, and throws where that is not what was agreed to. */
  readonly agree?: (lines: readonly string[]) => void;
}

export interface SetUpPlan {
  readonly lines: readonly string[];
  readonly preparation: Preparation;
  readonly copy: boolean;
  readonly start: boolean;
  readonly synchronous: 'keep' | 'enable' | 'disable';
  /** A restore_command on the standby, which would hold up its promotion. */
  readonly clearRestoreCommand: boolean;
  readonly autostart: readonly string[];
  readonly epoch: number;
  readonly systemIdentifier: string;
}

/** What is missing between this pair and what is wanted. Nothing is changed. */
export async function planSetUp(cluster: Cluster, wish: SetUpWish, task: Task): Promise<SetUpPlan> {
  checkCluster(cluster);
  const { primary, standby, synchronous } = wish;
  const [one, other] = await Promise.all([primary, standby].map((member) => readStatus(cluster, member, {}, task)));
  if (one === undefined || other === undefined) throw new Error('Two members were asked');
  const { server } = one;
  if (server.kind !== 'answers' || server.role !== 'primary') {
    throw unsuitable(
      cluster,
      primary,
      'it is no primary that answers',
      'Start it, or choose the member that is the primary.',
    );
  }
  for (const { journal } of [one, other]) {
    if (!isOpen(journal)) continue;
    throw unsuitable(
      cluster,
      standby,
      `a ${journal.kind} to ${journal.to} is not finished`,
      'Run the failover again, which resumes it, or abandon it.',
    );
  }
  refuseStrangers(cluster, wish, server.systemIdentifier, other);
  const preparation = await planPreparation(cluster, primary, wish.needs ?? PRIMARY_NEEDS, task);
  const standbyAnswers = other.server.kind === 'answers' && other.server.role === 'standby';
  const copy = !(other.folder?.exists === true && other.folder.standby);
  // Its own files, where they are not in the data folder (Debian), do not come with the copy.
  const own = standbyAnswers ? await planOwnFiles(cluster, wish, task) : undefined;
  const names = server.settings.synchronous_standby_names ?? '';
  const isSynchronous = names === namesOf(standby) && other.record?.promotable === true;
  const change = synchronous ? (isSynchronous ? 'keep' : 'enable') : names === '' ? 'keep' : 'disable';
  const autostart = [one, other].filter(({ folder }) => folder?.autostart === true).map(({ name }) => name);
  const restores = other.server.kind === 'answers' && other.server.settings.restore_command_set === 'true';
  const clearRestoreCommand = !copy && restores && other.server.version >= 140_000;
  const epoch = Math.max(one.record?.epoch ?? 0, other.record?.epoch ?? 0, 1);
  return {
    preparation,
    copy,
    start: !copy && !standbyAnswers,
    synchronous: change,
    clearRestoreCommand,
    autostart,
    epoch,
    systemIdentifier: server.systemIdentifier,
    lines: [
      ...preparation.lines,
      ...(copy ? [`copy of ${primary.name} to ${standby.name}, ${standby.dataFolder}`] : []),
      ...(!copy && !standbyAnswers ? [`start of ${standby.name}`] : []),
      ...(own?.lines ?? []),
      ...(change === 'enable' ? [`synchronous_standby_names: ${names || 'empty'} -> ${namesOf(standby)}`] : []),
      ...(change === 'disable' ? [`synchronous_standby_names: ${names} -> empty`] : []),
      ...(clearRestoreCommand ? [`restore_command of ${standby.name}: kept aside -> empty`] : []),
      ...autostart.map((name) => `${name}: PostgreSQL no longer starts by itself at boot`),
      ...(one.record === null ? [`record of epoch ${epoch} on the host of ${primary.name}`] : []),
      ...(other.record === null ? [`record of epoch ${epoch} on the host of ${standby.name}`] : []),
    ],
  };
}

/** What the standby needs for the day it is the primary. The login itself came with the copy. */
async function planOwnFiles(cluster: Cluster, { standby, needs }: SetUpWish, task: Task): Promise<Preparation> {
  const found = await planPreparation(cluster, standby, needs ?? PRIMARY_NEEDS, task);
  return { ...found, role: 'keep', lines: found.lines.filter((line) => !line.startsWith('role ')) };
}

function refuseStrangers(
  cluster: Cluster,
  { standby, replace }: SetUpWish,
  system: string,
  status: MemberStatus,
): void {
  if (!status.host.reached) throw unsuitable(cluster, standby, status.host.why, 'Bring its host back first.');
  const { folder, server } = status;
  if (server.kind === 'answers' && server.role === 'primary') {
    throw unsuitable(
      cluster,
      standby,
      'it runs as a primary',
      'Rejoin it if it was one of this cluster; otherwise stop it yourself.',
    );
  }
  if (folder?.exists !== true || replace === true) return;
  if (folder.systemIdentifier !== system) {
    throw unsuitable(
      cluster,
      standby,
      'its data folder holds another database system',
      'Choose an empty folder, or allow that it is replaced.',
    );
  }
  if (!folder.standby) {
    throw unsuitable(
      cluster,
      standby,
      'its data folder is that of a primary',
      'Rejoin it, which keeps what can be kept, or allow that it is replaced.',
    );
  }
}

function unsuitable(cluster: Cluster, member: Member, why: string, nextStep: string): Failure {
  const subject = describeMember(cluster, member);
  return new Failure({ code: 'set_up_refused', subject, message: `${subject} cannot be set up: ${why}`, nextStep });
}

// From PostgreSQL 14 on it is read again without a restart.
const CLEAR_RESTORE_COMMAND = `
prepare_member
echo 'show restore_command' | sql | put "$dir/restore_command"
sql <<'SQL'
alter system set restore_command = '';
select pg_reload_conf();
SQL
`;

const AUTOSTART_OFF = `
autostart_off
`;

/** Brings the pair to where it should be; run twice it changes nothing. */
export async function setUpReplication(
  cluster: Cluster,
  wish: SetUpWish,
  task: Task,
): Promise<{ readonly changed: boolean; readonly lines: readonly string[] }> {
  checkCluster(cluster);
  const { primary, standby } = wish;
  return withClusterLock(cluster, standby, { waitMs: 10_000 }, task, async (lock, inner) => {
    const plan = await planSetUp(cluster, wish, inner);
    wish.agree?.(plan.lines);
    if (plan.lines.length === 0) return { changed: false, lines: [] };
    const { epoch, systemIdentifier } = plan;
    await applyPreparation(cluster, primary, plan.preparation, wish, inner);
    const wishes = { epoch, primary: primary.name, promotable: false, systemIdentifier };
    await writeRecord(cluster, primary, wishes, inner);
    await ensureSlot(cluster, primary, standby, inner);
    if (plan.copy) {
      await writeRecord(cluster, standby, wishes, inner, lock);
      inner.progress({ message: `Copying ${primary.name} to ${standby.name}` });
      const timeoutMs = wish.copyTimeoutMs ?? 24 * 3_600_000;
      await createReplica(cluster, primary, standby, { replace: wish.replace === true, epoch, timeoutMs }, inner);
    } else if (plan.start) {
      await runOnMember(cluster, standby, { script: 'start_server\n', timeoutMs: 180_000 }, inner, lock);
    }
    if (plan.clearRestoreCommand) await runOnMember(cluster, standby, { script: CLEAR_RESTORE_COMMAND }, inner, lock);
    for (const name of plan.autostart) {
      const member = name === primary.name ? primary : standby;
      await runOnMember(cluster, member, { script: AUTOSTART_OFF }, inner);
    }
    await awaitStreaming(cluster, primary, standby, 60_000, inner);
    const own = await planOwnFiles(cluster, wish, inner);
    if (own.lines.length > 0) {
      // Nobody waits yet for a standby that was only just made.
      await applyPreparation(cluster, standby, own, { allowRestart: plan.copy || wish.allowRestart }, inner);
      await awaitStreaming(cluster, primary, standby, 60_000, inner);
    }
    const facts = { epoch, systemIdentifier };
    if (plan.synchronous === 'enable') await enableSynchronous(cluster, primary, standby, facts, inner, lock);
    if (plan.synchronous === 'disable') await disableSynchronous(cluster, primary, standby, facts, inner, lock);
    return { changed: true, lines: plan.lines };
  });
}
