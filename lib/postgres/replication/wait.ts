import { Failure } from '../../failure';
import { pause, type Task } from '../../task';
import type { Database } from '../connection';
import { describeMember, type Cluster, type Member } from './cluster';
import { probeWrite } from './probe';
import { readStatus } from './status';

export type Awaited =
  /** A member acknowledges commits; undefined: any of them. */
  | { readonly kind: 'writable'; readonly member?: Member }
  /** A standby is at most so many bytes behind what its primary has flushed. */
  | { readonly kind: 'lag'; readonly member: Member; readonly mostBytes: number }
  /** A standby has replayed up to here, so a query on it sees what was committed by then. */
  | { readonly kind: 'lsn'; readonly member: Member; readonly lsn: string };

export interface Waited {
  readonly member: string;
  readonly lsn: string | null;
  readonly lagBytes: number | null;
  readonly milliseconds: number;
}

const PROBE_MS = 5_000;

/** Waits until it is so; what was seen last is told when time is up. */
export async function waitFor(
  cluster: Cluster,
  wish: Awaited,
  databaseOf: (member: Member) => Database,
  timeoutMs: number,
  task: Task,
): Promise<Waited> {
  const begin = performance.now();
  for (let wait = 50; ; wait = Math.min(wait * 1.5, 1_000)) {
    const look =
      wish.kind === 'writable' ? lookForWrites(cluster, wish, databaseOf, task) : lookAt(cluster, wish, task);
    const seen = await look;
    const milliseconds = Math.round(performance.now() - begin);
    if (seen.there) return { member: seen.member, lsn: seen.lsn, lagBytes: seen.lagBytes, milliseconds };
    if (milliseconds > timeoutMs) {
      throw new Failure({
        code: 'not_in_time',
        subject: `cluster ${cluster.name}`,
        message: `After ${timeoutMs / 1000} s ${seen.why}`,
        nextStep: 'Read the topology, which says what is wrong.',
      });
    }
    task.progress({ message: seen.why });
    await pause(wait, task.signal, `the waiting for cluster ${cluster.name}`);
  }
}

type Seen =
  | { readonly there: true; readonly member: string; readonly lsn: string | null; readonly lagBytes: number | null }
  | { readonly there: false; readonly why: string };

async function lookForWrites(
  cluster: Cluster,
  { member }: Awaited & { kind: 'writable' },
  databaseOf: (member: Member) => Database,
  task: Task,
): Promise<Seen> {
  const asked = member === undefined ? cluster.members : [member];
  const probes = await Promise.all(
    asked.map(async (one) => ({ one, probe: await probeWrite(databaseOf(one), PROBE_MS, task) })),
  );
  const found = probes.find(({ probe }) => probe.writable);
  if (found !== undefined) return { there: true, member: found.one.name, lsn: null, lagBytes: null };
  return {
    there: false,
    why: probes.map(({ one, probe }) => `${one.name} takes no writes (${probe.why ?? 'unknown'})`).join('; '),
  };
}

async function lookAt(cluster: Cluster, wish: Exclude<Awaited, { kind: 'writable' }>, task: Task): Promise<Seen> {
  const { member } = wish;
  const who = describeMember(cluster, member);
  if (wish.kind === 'lsn') {
    const { server } = await readStatus(cluster, member, {}, task);
    const lsn = server.kind !== 'answers' ? null : server.role === 'primary' ? server.lsn : server.replayLsn;
    if (lsn !== null && compareLsn(lsn, wish.lsn) >= 0)
      return { there: true, member: member.name, lsn, lagBytes: null };
    return { there: false, why: `${who} is at ${lsn ?? 'an unknown LSN'}, and not at ${wish.lsn} yet` };
  }
  const others = cluster.members.filter(({ name }) => name !== member.name);
  const seen = await Promise.all(others.map((one) => readStatus(cluster, one, {}, task)));
  const standby = seen
    .flatMap(({ server }) => (server.kind === 'answers' && server.role === 'primary' ? server.standbys : []))
    .find(({ name }) => name === member.name);
  const lagBytes = standby?.state === 'streaming' ? standby.lagBytes : null;
  if (standby !== undefined && lagBytes !== null && lagBytes <= wish.mostBytes) {
    return { there: true, member: member.name, lsn: standby.flushLsn, lagBytes };
  }
  const why = lagBytes === null ? 'does not stream from a primary' : `is ${lagBytes} bytes behind`;
  return { there: false, why: `${who} ${why}` };
}

/** LSNs are two hexadecimal halves of a number of 64 bits. */
export function compareLsn(one: string, other: string): number {
  const value = (lsn: string) => {
    const [high = '', low = ''] = lsn.split('/');
    return (BigInt(`0x${high || '0'}`) << 32n) + BigInt(`0x${low || '0'}`);
  };
  const difference = value(one) - value(other);
  return difference === 0n ? 0 : difference > 0n ? 1 : -1;
}
