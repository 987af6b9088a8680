import { Failure } from '../../failure';
import type { Task } from '../../task';
import { memberOf, type Cluster, type Member } from './cluster';
import { isOpen } from './journal';
import { readStatus, type MemberStatus } from './status';

export interface Roles {
  readonly primary: Member;
  readonly standby: Member;
}

/** The other member of a pair. */
export function otherOf(cluster: Cluster, member: Member): Member {
  const others = cluster.members.filter(({ name }) => name !== member.name);
  if (others.length === 1 && others[0] !== undefined) return others[0];
  throw new Failure({
    code: 'pair_only',
    subject: `cluster ${cluster.name}`,
    message: `Cluster ${cluster.name} has ${cluster.members.length} members, and this is for two`,
    nextStep: 'Describe the pair as a cluster of its own.',
  });
}

/** Who is the primary: who is named, or else whom the hosts know as that. */
export function rolesOf(cluster: Cluster, named: string, task: Task): Promise<Roles> {
  return rolesBy(nameOfPrimary, cluster, named, task);
}

/**
 * Who has lost the role, or is losing it. A promotion that is not finished says so better than any record: the host of a
 * primary that was stopped for it names the other one already.
 */
export function rolesInLoss(cluster: Cluster, named: string, task: Task): Promise<Roles> {
  return rolesBy(nameOfLost, cluster, named, task);
}

async function rolesBy(nameIn: typeof nameOfPrimary, cluster: Cluster, named: string, task: Task): Promise<Roles> {
  const seen = () => Promise.all(cluster.members.map((member) => readStatus(cluster, member, {}, task)));
  const primary = memberOf(cluster, named === '' ? nameIn(cluster, await seen()) : named);
  return { primary, standby: otherOf(cluster, primary) };
}

export function nameOfLost(cluster: Cluster, seen: readonly MemberStatus[]): string {
  const open = seen.flatMap(({ journal }) => (isOpen(journal) ? [journal] : []));
  const newest = open.sort((one, other) => other.epoch - one.epoch)[0];
  return newest?.from ?? nameOfPrimary(cluster, seen);
}

/**
 * Whom the newest record on the hosts names, or else who takes writes, or else over whose server a restore was cut off:
 * that leaves nobody who takes writes.
 */
export function knownPrimary(seen: readonly MemberStatus[]): string | undefined {
  const [newest] = namedPrimaries(seen);
  if (newest !== undefined) return newest;
  const writing = writingOf(seen);
  if (writing.length > 0) return writing.length === 1 ? writing[0]?.name : undefined;
  const restored = seen.filter(({ restore }) => restore !== null);
  return restored.length === 1 ? restored[0]?.name : undefined;
}

/** Whom the records on the hosts name, the newest record first. */
export function namedPrimaries(seen: readonly MemberStatus[]): readonly string[] {
  const records = seen.flatMap(({ record }) => (record === null || record.primary === '' ? [] : [record]));
  return records.sort((one, other) => other.epoch - one.epoch).map(({ primary }) => primary);
}

function writingOf(seen: readonly MemberStatus[]): readonly MemberStatus[] {
  return seen.filter(({ server }) => server.kind === 'answers' && server.role === 'primary');
}

export function nameOfPrimary(cluster: Cluster, seen: readonly MemberStatus[]): string {
  const known = knownPrimary(seen);
  if (known !== undefined) return known;
  throw new Failure({
    code: 'primary_unknown',
    subject: `cluster ${cluster.name}`,
    message: `Nobody can tell which member of cluster ${cluster.name} is the primary: no record names one, and ${writingOf(seen).length} take writes`,
    nextStep: 'Name it yourself, after a look at the topology.',
  });
}
