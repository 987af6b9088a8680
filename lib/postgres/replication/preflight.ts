import type { Task } from '../../task';
import { isOpen } from './journal';
import { checkCluster, type Cluster } from './cluster';
import type { FailoverWish } from './failover';
import { readStatus, type MemberStatus } from './status';

export interface Preflight {
  /** What a failover would do right now. */
  readonly now: 'would begin' | 'would refuse' | 'would resume' | 'nothing to do';
  /** Were the primary lost with its host, and nothing else had changed. */
  readonly ifHostLost: 'would succeed' | 'would refuse';
  /** Were only its server lost, with a host that answers. */
  readonly ifServerLost: 'would succeed' | 'would refuse';
  /** `none`: every acknowledged commit is on the standby. `unknown`: what was sent last may be missing. */
  readonly loss: 'none' | 'unknown';
  /** How far the standby is behind right now, where the primary can say it. */
  readonly lagBytes: number | null;
  readonly fences: readonly string[];
  readonly obstacles: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
}

/** Tells whether a failover would succeed, and what it would lose. Nothing is changed, nothing is claimed. */
export async function preflightFailover(cluster: Cluster, wish: FailoverWish, task: Task): Promise<Preflight> {
  checkCluster(cluster);
  const { from, to } = wish;
  const [primary, standby] = await Promise.all([
    readStatus(cluster, from, {}, task),
    readStatus(cluster, to, {}, task),
  ]);
  return judgePreflight(wish, primary, standby);
}

export function judgePreflight(wish: FailoverWish, primary: MemberStatus, standby: MemberStatus): Preflight {
  const { from, to } = wish;
  const { server, record, journal } = standby;
  const obstacles = obstaclesOf(wish, primary, standby);
  const promised = record?.promotable === true && record.primary === from.name;
  const lossless = isOpen(journal) ? journal.lossless : promised;
  const outside = wish.outside.map(({ name }) => name);
  const commitFence = wish.commitFence && lossless;
  const fences = [
    `the processes of PostgreSQL on the host of ${from.name}`,
    ...(commitFence ? [`the commit fence: every commit of ${from.name} waits for ${to.name}`] : []),
    ...outside,
  ];
  const accepted = lossless || wish.acceptUnknownLoss === true;
  const silenceable = commitFence || outside.length > 0;
  if (!silenceable) {
    obstacles.late.push(`if the host of ${from.name} does not answer nothing could prove that it is silent`);
  }
  if (!accepted) obstacles.late.push('nobody could tell what was lost if the old host does not answer');
  const alive = primary.server.kind === 'answers';
  const done =
    server.kind === 'answers' && server.role === 'primary' && record?.primary === to.name && !isOpen(journal);
  const ready = obstacles.early.length === 0;
  const seen =
    primary.server.kind === 'answers' ? primary.server.standbys.find(({ name }) => name === to.name) : undefined;
  return {
    now: done
      ? 'nothing to do'
      : isOpen(journal) && journal.from === from.name
        ? 'would resume'
        : alive || !ready || (!primary.host.reached && !(silenceable && accepted))
          ? 'would refuse'
          : 'would begin',
    ifHostLost: ready && silenceable && accepted ? 'would succeed' : 'would refuse',
    ifServerLost: ready ? 'would succeed' : 'would refuse',
    loss: lossless ? 'none' : 'unknown',
    lagBytes: seen?.lagBytes ?? null,
    fences,
    obstacles: [
      ...obstacles.early,
      ...obstacles.late,
      ...(alive && !done
        ? [`${from.name} answers, so a failover would be refused now; a switchover is what changes the roles`]
        : []),
    ],
    from: from.name,
    to: to.name,
    epoch: Math.max(record?.epoch ?? 0, journal?.epoch ?? 0) + 1,
  };
}

/** `early` stands in every way; `late` only when the old host is out of reach. */
function obstaclesOf({ from, to }: FailoverWish, primary: MemberStatus, standby: MemberStatus) {
  const early: string[] = [];
  const late: string[] = [];
  const { server, host, record, journal } = standby;
  if (!host.reached) early.push(`the host of ${to.name} does not answer: ${host.why}`);
  else if (server.kind !== 'answers') early.push(`the server of ${to.name} does not answer (${server.kind})`);
  else {
    if (server.role === 'primary' && record?.primary !== to.name) early.push(`${to.name} is a primary already`);
    if (server.replayPaused) early.push(`the replay of ${to.name} is paused, so a promotion would wait for ever`);
    const timeline = primary.server.kind === 'answers' ? primary.server.timeline : (primary.folder?.timeline ?? 0);
    if (server.role === 'standby' && timeline > server.timeline) {
      early.push(`${to.name} is on timeline ${server.timeline}, and ${from.name} is on ${timeline}`);
    }
    if (server.settings.restore_command_set === 'true') {
      late.push(`the restore_command of ${to.name} can hold up the promotion for as long as one call takes`);
    }
  }
  if (record !== null && record.primary !== '' && record.primary !== from.name && record.primary !== to.name) {
    early.push(`the record of ${to.name} names ${record.primary} as the primary`);
  }
  if (isOpen(journal) && journal.from !== from.name) {
    early.push(`a ${journal.kind} from ${journal.from} is not finished`);
  }
  return { early, late };
}
