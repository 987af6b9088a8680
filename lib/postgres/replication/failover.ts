import { Failure, isFailure, messageOf } from '../../failure';
import type { Task } from '../../task';
import { refuseWhenHeld } from '../../host/hold';
import { checkCluster, describeMember, memberOf, type Cluster, type Member } from './cluster';
import { liftFirewall } from './firewall';
import { isOpen, isPastReturn } from './journal';
import { isDeafTo } from './knock';
import { withClusterLock } from './member-script';
import {
  abandonOnCandidate,
  claimPromotion,
  cutOff,
  noteSilence,
  promote,
  verifyPromotion,
  type Candidate,
  type Promotion,
} from './promotion';
import { patienceWith } from './patience';
import { stopwatch, type Stopwatch, type TimedStep } from './stopwatch';
import { answersFrom, countAhead, fenceByProcess, giveBack } from './silence';
import { connectionOf } from './standby-folder';
import { describeSight, readStatus, withinHost, type MemberStatus } from './status';

/** Silences a host from outside: its power, a firewall, a command of the user. It answers only when that is proven. */
export interface OutsideFence {
  /** `power off of server bruno`. */
  readonly name: string;
  /** Resolves with what proves it; rejects when it could not be proven. */
  readonly silence: (task: Task) => Promise<string>;
}

export interface FailoverWish {
  readonly from: Member;
  readonly to: Member;
  /** Tried in this order when the process of the old primary cannot be ended on its host. */
  readonly outside: readonly OutsideFence[];
  /**
   * Opt-in: without any other proof it is enough that the standby, for which every commit waits, hears nothing any more.
   * Reads from the old primary stay possible, and so does everything that does not wait for the standby.
   */
  readonly commitFence: boolean;
  /** How many committed transactions may be lost, where the standby is not known to have all. Default none. */
  readonly mostLost?: number;
  /** Also when nobody can tell how many. */
  readonly acceptUnknownLoss?: boolean;
  /** Whether nobody has asked for it in person: a hold on the candidate's host is obeyed. */
  readonly automatic: boolean;
  /** How long the host of the old primary may take to answer while it gives any sign of life. Default 2.5 s. */
  readonly hostMs?: number;
}

export interface FailoverResult {
  readonly outcome: 'failed over' | 'abandoned' | 'nothing to do';
  readonly changed: boolean;
  readonly primary: string;
  readonly epoch: number;
  readonly timeline: number | null;
  /** What proves that the old primary is silent. */
  readonly fence: string | null;
  readonly lsn: string | null;
  /** Committed on the old primary and never received; under synchronous replication none of it was acknowledged. */
  readonly ahead: number | null;
  /** No acknowledged commit can be missing. */
  readonly lossless: boolean;
  readonly resumed: boolean;
  readonly evidence: readonly string[];
  readonly steps: readonly TimedStep[];
}

const CUT_MS = 5_000;
const HOST_MS = 2_500;
/** Where nothing comes back from it, not even a refusal. */
const DEAF_MS = 500;
/** A server on a host that speaks, which answers no login for this long, is hung. */
const ANSWER_MS = 1_500;
/** How long ending the processes may take where nothing else would do. */
const FENCE_MS = 15_000;

/** Makes the standby the primary after the primary was lost. It can be run again after it was killed anywhere. */
export async function failover(cluster: Cluster, wish: FailoverWish, task: Task): Promise<FailoverResult> {
  checkCluster(cluster);
  const { from, to } = wish;
  if (cluster.members.length !== 2) {
    throw refused(
      cluster,
      to,
      'pair_only',
      'a failover is for two members, and this cluster has others',
      'Describe the pair as a cluster of its own.',
    );
  }
  memberOf(cluster, from.name);
  memberOf(cluster, to.name);
  if (wish.automatic) await refuseWhenHeld(to.host, task);
  return withClusterLock(cluster, to, { waitMs: 5_000 }, task, (lock, inner) =>
    underLock({ cluster, member: to, lock }, wish, inner),
  );
}

async function underLock(candidate: Candidate, wish: FailoverWish, task: Task): Promise<FailoverResult> {
  const { cluster } = candidate;
  const { from, to } = wish;
  const clock = stopwatch(task);
  const sight = await clock.step('Looking', () => look(cluster, wish, task));
  const { standby } = sight;
  const { journal } = standby;
  if (isOpen(journal) && journal.from !== from.name) {
    throw refused(
      cluster,
      to,
      'journal_open',
      `a ${journal.kind} from ${journal.from} is not finished`,
      'Finish or abandon that one first.',
    );
  }
  const system = systemOf(cluster, to, standby);
  if (isOpen(journal)) {
    const promotion = { ...journal, systemIdentifier: system };
    if (isPastReturn(journal))
      return finish(candidate, wish, promotion, sight, clock, task, journal.fence ?? 'known before');
    if (sight.primaryLives !== undefined) {
      // Whoever began a switchover may have been killed on its way to stop a primary that nobody else would start.
      const start = journal.kind === 'switchover' ? 'start' : 'leave';
      await clock.step('Abandoning', () => abandon(candidate, promotion, from, start, task));
      return result(wish, promotion, sight, clock, { outcome: 'abandoned', primary: from.name });
    }
    return silenceAndPromote(candidate, wish, promotion, sight, clock, task);
  }
  if (standby.server.kind === 'answers' && standby.server.role === 'primary') {
    if (standby.record?.primary === to.name) return nothingToDo(wish, standby, clock);
    throw refused(
      cluster,
      to,
      'not_standby',
      'it is a primary already, and no promotion of ours is known',
      'Look at both members: this may be a split brain.',
    );
  }
  if (sight.primaryLives !== undefined) {
    throw refused(cluster, to, sight.primaryLives.code, sight.primaryLives.why, sight.primaryLives.nextStep);
  }
  const epoch = Math.max(standby.record?.epoch ?? 0, journal?.epoch ?? 0) + 1;
  const promotion: Promotion = {
    kind: 'failover',
    epoch,
    run: `${new Date().toISOString()} ${task.owner}`,
    from: from.name,
    systemIdentifier: system,
  };
  refuseHopeless(cluster, wish, sight);
  await clock.step('Claiming', () => claimPromotion(candidate, promotion, task));
  return silenceAndPromote(candidate, wish, promotion, sight, clock, task);
}

/** Cut, fence, drain: then nobody but the candidate can acknowledge a commit, and it is promoted. */
async function silenceAndPromote(
  candidate: Candidate,
  wish: FailoverWish,
  promotion: Promotion,
  sight: Sight,
  clock: Stopwatch,
  task: Task,
): Promise<FailoverResult> {
  const { cluster } = candidate;
  let fence = '';
  let ahead: number | undefined;
  try {
    // At once, because neither needs the other; both must be true before anything goes on.
    const cut = clock.step('Cutting', () => cutOff(candidate, promotion, { patienceMs: CUT_MS }, task));
    const fenced = clock.step('Fencing', () => silence(cluster, wish, promotion, sight, cut, task));
    const both = await Promise.allSettled([cut, fenced]);
    if (both[1].status === 'fulfilled') fence = both[1].value;
    for (const one of both) if (one.status === 'rejected') throw one.reason;
    // Where every acknowledged commit is on the standby, nothing is left to decide.
    if (!isLossless(wish, sight)) {
      const lsn = await clock.step('Noting', () => noteSilence(candidate, promotion, fence, task));
      ahead = await countWhereReached(cluster, wish, sight, lsn, task);
      refuseLoss(cluster, wish, ahead);
    }
  } catch (error) {
    if (task.signal.aborted || isFailure(error, 'epoch_stale') || isFailure(error, 'journal_not_ours')) throw error;
    throw await givenUp(candidate, wish, promotion, fence, error, task);
  }
  return finish(candidate, wish, promotion, sight, clock, task, fence, ahead);
}

async function finish(
  candidate: Candidate,
  wish: FailoverWish,
  promotion: Promotion,
  sight: Sight,
  clock: Stopwatch,
  task: Task,
  fence: string,
  ahead?: number,
): Promise<FailoverResult> {
  await clock.step('Promoting', () => promote(candidate, promotion, fence, task));
  const timeline = await clock.step('Verifying', () => verifyPromotion(candidate, promotion, task));
  // There is no way back now, so should the old host hear of it yet, all the better. Nobody waits for that.
  if (!sight.primary.host.reached) {
    fenceByProcess(candidate.cluster, wish.from, promotion, wish.to.name, task).catch(() => undefined);
  }
  return result(wish, promotion, sight, clock, {
    outcome: 'failed over',
    primary: wish.to.name,
    timeline,
    fence,
    ahead: ahead ?? null,
  });
}

interface Sight {
  readonly standby: MemberStatus;
  readonly primary: MemberStatus;
  /** Why the primary cannot be called lost. */
  readonly primaryLives?: { readonly code: string; readonly why: string; readonly nextStep: string };
  readonly evidence: readonly string[];
}

/** Looks at both members from here, and at the primary from the standby as well. */
async function look(cluster: Cluster, wish: FailoverWish, task: Task): Promise<Sight> {
  const { from, to, hostMs = HOST_MS } = wish;
  const seconds = hostMs / 1000;
  const bounds = { leastMs: Math.min(DEAF_MS, hostMs), mostMs: hostMs };
  const patience = patienceWith(bounds, isDeafTo(to.host, from, task));
  const [primary, standby, seen] = await Promise.all([
    readStatus(cluster, from, { answerMs: ANSWER_MS, hostMs: patience }, task),
    readStatus(cluster, to, {}, task),
    // Only we may have lost it. What the standby hears decides.
    withinHost(patience, answersFrom(cluster, to, connectionOf(cluster, to, from), seconds, task)).catch(
      (error: unknown) => {
        if (task.signal.aborted) throw error;
        return false;
      },
    ),
  ]);
  if (!standby.host.reached) {
    throw refused(
      cluster,
      to,
      'candidate_unreachable',
      standby.host.why,
      'Without its host there is nobody to promote. Bring one of the two hosts back.',
    );
  }
  const evidence = [describeSight(primary)];
  const { server } = primary;
  if (server.kind === 'answers' && server.role === 'primary') {
    const why = `${from.name} is a primary that answers`;
    return {
      standby,
      primary,
      evidence,
      primaryLives: {
        code: 'primary_alive',
        why,
        nextStep: 'Use a switchover, which loses nothing and needs no fence.',
      },
    };
  }
  if (server.kind === 'answers') {
    const why = `${from.name} runs as a standby, so it is not the primary that was lost`;
    return {
      standby,
      primary,
      evidence,
      primaryLives: { code: 'primary_is_standby', why, nextStep: 'Read the topology and begin again.' },
    };
  }
  if (
    server.kind === 'refuses' &&
    !/starting up|recovery mode|shutting down|not yet accepting|No such file|Connection refused/i.test(server.why)
  ) {
    const why = `PostgreSQL of ${from.name} is there and refuses the login (${server.why})`;
    return {
      standby,
      primary,
      evidence,
      primaryLives: {
        code: 'primary_refuses_login',
        why,
        nextStep: 'Clear that up on its host; it is no reason to fail over.',
      },
    };
  }
  if (!primary.host.reached && seen) {
    const why = `${from.name} cannot be reached from here, but ${to.name} can log in to it`;
    return {
      standby,
      primary,
      evidence,
      primaryLives: {
        code: 'primary_seen_by_standby',
        why,
        nextStep: `Look at the network between this n8n and ${from.name}.`,
      },
    };
  }
  evidence.push(seen ? `${to.name} can still log in to it` : `${to.name} gets no answer to a login at ${from.name}`);
  return { standby, primary, evidence };
}

/** The smallest fence that is sufficient; answers what proves it. */
async function silence(
  cluster: Cluster,
  wish: FailoverWish,
  promotion: Promotion,
  sight: Sight,
  cut: Promise<void>,
  task: Task,
): Promise<string> {
  const { from, to } = wish;
  const failures: string[] = [];
  const commitFence = wish.commitFence && isLossless(wish, sight);
  // A host that was silent a moment ago is not waited for when something else will do.
  if (sight.primary.host.reached || !(commitFence || wish.outside.length > 0)) {
    try {
      await withinHost(FENCE_MS, fenceByProcess(cluster, from, promotion, to.name, task));
      return `no process of PostgreSQL is left on the host of ${from.name}`;
    } catch (error) {
      if (task.signal.aborted || isFailure(error, 'epoch_taken') || isFailure(error, 'other_system')) throw error;
      failures.push(`ending its processes: ${messageOf(error)}`);
    }
  } else {
    failures.push('its host does not answer');
  }
  if (commitFence) {
    await cut;
    return `commit fence: every commit of ${from.name} waits for ${to.name}, which receives nothing any more`;
  }
  for (const fence of wish.outside) {
    try {
      return `${fence.name}: ${await fence.silence(task)}`;
    } catch (error) {
      if (task.signal.aborted) throw error;
      failures.push(`${fence.name}: ${messageOf(error)}`);
    }
  }
  const weak = wish.commitFence ? ' The commit fence does not hold: the standby is not known to be synchronous.' : '';
  throw refused(
    cluster,
    from,
    'fence_impossible',
    `it could not be proven that it is silent (${failures.join('; ')}).${weak}`,
    `Switch its host off and run this again with that as a fence, or allow the commit fence where commits wait for ${to.name}.`,
  );
}

/** Every acknowledged commit is on the standby: its record says so, and says it of this primary. */
function isLossless({ from }: FailoverWish, { standby }: Sight): boolean {
  const { record, journal } = standby;
  if (isOpen(journal)) return journal.lossless;
  return record?.promotable === true && record.primary === from.name;
}

/** What is known to fail before anything is touched. */
function refuseHopeless(cluster: Cluster, wish: FailoverWish, { standby, primary }: Sight): void {
  const { server } = standby;
  if (server.kind !== 'answers') {
    throw refused(
      cluster,
      wish.to,
      'candidate_down',
      `its server does not answer (${server.kind})`,
      'Start it, so that it can be promoted.',
    );
  }
  const timeline = primary.folder?.timeline;
  if (timeline !== null && timeline !== undefined && timeline > server.timeline) {
    throw refused(
      cluster,
      wish.to,
      'timeline_behind',
      `it is on timeline ${server.timeline}, and ${wish.from.name} is on ${timeline}`,
      `Start ${wish.from.name} again; this standby has not followed it.`,
    );
  }
}

async function countWhereReached(
  cluster: Cluster,
  { from, hostMs = HOST_MS }: FailoverWish,
  { primary }: Sight,
  lsn: string,
  task: Task,
): Promise<number | undefined> {
  if (!primary.host.reached) return undefined;
  return withinHost(Math.max(hostMs, 20_000), countAhead(cluster, from, lsn, task)).catch((error: unknown) => {
    if (task.signal.aborted) throw error;
    return undefined;
  });
}

function refuseLoss(cluster: Cluster, wish: FailoverWish, ahead: number | undefined): void {
  if (ahead === undefined) {
    if (wish.acceptUnknownLoss === true) return;
    throw refused(
      cluster,
      wish.to,
      'loss_unknown',
      `nobody can tell what ${wish.from.name} has acknowledged that it never received`,
      'Bring the old host back, or accept an unknown loss.',
    );
  }
  if (ahead <= (wish.mostLost ?? 0)) return;
  throw refused(
    cluster,
    wish.to,
    'loss_too_great',
    `${ahead} committed transactions of ${wish.from.name} never reached it`,
    `Start ${wish.from.name} again, whose disk can be read, or accept that loss.`,
  );
}

/** Undoes what was begun, so that the pair is as it was; what could not be undone is told. */
async function givenUp(
  candidate: Candidate,
  { from, outside }: FailoverWish,
  promotion: Promotion,
  fence: string,
  error: unknown,
  task: Task,
): Promise<unknown> {
  try {
    await abandon(candidate, promotion, from, 'leave', task);
    if (fence === '' || !(error instanceof Failure)) return error;
    // A power that was cut, a switch that was thrown: whose it was knows how to undo it.
    const theirs = outside.some(({ name }) => fence.startsWith(name));
    return new Failure({
      code: error.code,
      subject: error.subject,
      message: `${error.message}. ${from.name} had been silenced already (${fence})`,
      nextStep: theirs ? `${error.nextStep} Undo the fence, unless it was the firewall.` : error.nextStep,
      details: error.details,
      cause: error,
    });
  } catch (trouble) {
    if (!(error instanceof Failure)) return error;
    return new Failure({
      code: error.code,
      subject: error.subject,
      message: `${error.message} What had been begun could not be undone whole: ${messageOf(trouble)}`,
      nextStep: `${error.nextStep} Then run the failover again, which resumes or abandons it.`,
      details: error.details,
      cause: error,
    });
  }
}

/** The candidate gives the promotion up for good first; only then may the old primary be one again. */
export async function abandon(
  candidate: Candidate,
  promotion: Promotion,
  from: Member,
  start: 'start' | 'leave',
  task: Task,
): Promise<void> {
  await abandonOnCandidate(candidate, promotion, task);
  await withinHost(
    start === 'start' ? 180_000 : 3_000,
    giveBack(candidate.cluster, from, promotion, start === 'start', task),
  ).catch((error: unknown) => {
    if (task.signal.aborted) throw error;
    task.progress({ message: `${from.name} could not be told that it is the primary still: ${messageOf(error)}` });
  });
  // Also where its record could not be written: closed for good it would be a primary for nobody.
  await withinHost(3_000, liftFirewall(candidate.cluster, from, task)).catch((error: unknown) => {
    if (task.signal.aborted) throw error;
    task.progress({ message: `The firewall of ${from.name} could not be opened: ${messageOf(error)}` });
  });
}

function systemOf(cluster: Cluster, member: Member, { folder }: MemberStatus): string {
  const identifier = folder?.systemIdentifier ?? null;
  if (identifier !== null) return identifier;
  throw refused(cluster, member, 'candidate_down', 'it has no data folder that can be read', 'Set the pair up first.');
}

function result(
  wish: FailoverWish,
  { epoch }: Promotion,
  sight: Sight,
  { steps }: Stopwatch,
  facts: Partial<FailoverResult> & Pick<FailoverResult, 'outcome' | 'primary'>,
): FailoverResult {
  return {
    changed: true,
    epoch,
    timeline: null,
    fence: null,
    lsn: sight.standby.server.kind === 'answers' ? sight.standby.server.lsn : null,
    ahead: null,
    lossless: isLossless(wish, sight),
    resumed: isOpen(sight.standby.journal),
    evidence: sight.evidence,
    steps,
    ...facts,
  };
}

function nothingToDo(
  { to }: FailoverWish,
  { record, server, journal }: MemberStatus,
  { steps }: Stopwatch,
): FailoverResult {
  return {
    outcome: 'nothing to do',
    changed: false,
    primary: to.name,
    epoch: record?.epoch ?? 0,
    timeline: server.kind === 'answers' ? server.timeline : null,
    fence: journal?.fence ?? null,
    lsn: journal?.lsn ?? null,
    ahead: null,
    lossless: journal?.lossless === true,
    resumed: false,
    evidence: [`${to.name} is the primary of epoch ${record?.epoch ?? 0} already`],
    steps,
  };
}

function refused(cluster: Cluster, member: Member, code: string, why: string, nextStep: string): Failure {
  const subject = describeMember(cluster, member);
  return new Failure({ code, subject, message: `${subject}: ${why}`, nextStep });
}
