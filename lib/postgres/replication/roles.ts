import { Failure } from '../../failure';
import type { Task } from '../../task';
import { memberOf, type Cluster, type Member } from './cluster';
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

/** Who is the primary: who is named, or else who the newest record on the hosts names, or else who takes writes. */
export async function rolesOf(cluster: Cluster, named: string, task: Task): Promise<Roles> {
  if (named !== '') {
    const primary = memberOf(cluster, named);
    return { primary, standby: otherOf(cluster, primary) };
  }
  const seen = await Promise.all(cluster.members.map((member) => readStatus(cluster, member, {}, task)));
  const primary = memberOf(cluster, nameOfPrimary(cluster, seen));
  return { primary, standby: otherOf(cluster, primary) };
}

export function nameOfPrimary(cluster: Cluster, seen: readonly MemberStatus[]): string {
  const records = seen.flatMap(({ record }) => (record === null || record.primary === '' ? [] : [record]));
  const newest = records.sort((one, other) => other.epoch - one.epoch)[0];
  if (newest !== undefined) return newest.primary;
  const writing = seen.filter(({ server }) => server.kind === 'answers' && server.role === 'primary');
  if (writing.length === 1 && writing[0] !== undefined) return writing[0].name;
  throw new Failure({
    code: 'primary_unknown',
    subject: `cluster ${cluster.name}`,
    message: `Nobody can tell which member of cluster ${cluster.name} is the primary: no record names one, and ${writing.length} take writes`,
    nextStep: 'Name it yourself, after a look at the topology.',
  });
}
