import type { Host } from '../../../host/host';
import { runCommand } from '../../../host/run';
import type { Task } from '../../../task';
import type { Cluster, Member } from '../cluster';
import { isOpen } from '../journal';
import { isDeafTo } from '../knock';
import { patienceWith, type Bounds } from '../patience';
import { answersFrom } from '../silence';
import { connectionOf } from '../standby-folder';
import { readStatus, withinHost } from '../status';

export type Confirmed =
  | {
      readonly kind: 'lost' | 'hung';
      readonly evidence: readonly string[];
      /** Its own host says that no process of it is left. Silence is weaker: whoever is slow is silent, too. */
      readonly byItsHost: boolean;
    }
  /** Somebody changes the roles right now, or has done so. */
  | { readonly kind: 'changing'; readonly why: string }
  | { readonly kind: 'alive'; readonly why: string }
  /** Nobody else could be asked, so it may be us who are cut off. */
  | { readonly kind: 'alone'; readonly why: string };

const ANSWER_MS = 1_500;
/** A host from which nothing comes back is waited for the least; one that gives any sign of life, the most. */
const SILENCE: Bounds = { leastMs: 1_500, mostMs: 3_000 };
/** For starting psql there, and for the way. */
const REMOTE_MS = 1_000;
const SECONDS = 1.5;

// What a server says to whoever asks whether it speaks TLS, before any login: a postmaster that hangs says nothing,
// although its kernel takes the connection.
const KNOCK = `
exec 3<> "/dev/tcp/$1/$2"
printf '\\0\\0\\0\\10\\4\\322\\26\\57' >&3
IFS= read -r -t "$3" -N 1 answer <&3
case $answer in S|N) echo answers ;; esac
`;

/** Whether a server answers at all as seen from another host; undefined where that host cannot be asked. */
export async function respondsFrom(
  host: Host,
  { address, port }: Pick<Member, 'address' | 'port'>,
  task: Task,
): Promise<boolean | undefined> {
  try {
    const ask = {
      argv: ['timeout', '2', 'bash', '-c', KNOCK, 'knock', address, String(port), String(SECONDS)] as const,
    };
    const look = runCommand(host, { argv: [...ask.argv] }, { acceptExitCodes: ANY_EXIT, timeoutMs: 5_000 }, task);
    return (await withinHost(SILENCE.leastMs + 2_000, look)).stdout.startsWith('answers');
  } catch (error) {
    if (task.signal.aborted) throw error;
    return undefined;
  }
}

const ANY_EXIT = [0, 1, 2, 124, 137];

/** Looks from here, from the standby's host and from the witnesses whether the primary is lost for everybody. */
export async function confirmLoss(
  cluster: Cluster,
  {
    primary,
    standby,
    witnesses,
  }: { readonly primary: Member; readonly standby: Member; readonly witnesses: readonly Host[] },
  task: Task,
): Promise<Confirmed> {
  const patience = patienceWith(SILENCE, isDeafTo(standby.host, primary, task));
  const seconds = SILENCE.mostMs / 1000;
  const loginOfStandby = answersFrom(cluster, standby, connectionOf(cluster, standby, primary), seconds, task);
  const [own, other, login, knocks] = await Promise.all([
    readStatus(cluster, primary, { answerMs: ANSWER_MS, hostMs: patience }, task),
    readStatus(cluster, standby, { answerMs: ANSWER_MS, hostMs: SILENCE.mostMs }, task),
    withinHost(
      SILENCE.mostMs + REMOTE_MS,
      Promise.race([loginOfStandby, patience.over.then((why) => (why === 'deaf' ? false : loginOfStandby))]),
    ).catch((error: unknown) => {
      if (task.signal.aborted) throw error;
      return undefined;
    }),
    Promise.all(witnesses.map((host) => respondsFrom(host, primary, task))),
  ]);
  const { record, journal } = other;
  if (isOpen(journal)) return { kind: 'changing', why: `a ${journal.kind} to ${journal.to} is under way` };
  if (record !== null && record.primary !== '' && record.primary !== primary.name) {
    return { kind: 'changing', why: `in epoch ${record.epoch} ${record.primary} is the primary` };
  }
  if (own.server.kind === 'answers') return { kind: 'alive', why: `${primary.name} answers on its host` };
  if (login === true) return { kind: 'alive', why: `${standby.name} can log in to ${primary.name}` };
  const seenBy = witnesses.find((_, index) => knocks[index] === true);
  // A hung server answers nobody new; one that only we cannot reach answers them.
  if (seenBy !== undefined) return { kind: 'alive', why: `${primary.name} answers to ${seenBy.target.name}` };
  const asked = [
    ...(login === undefined ? [] : [standby.name]),
    ...witnesses.filter((_, index) => knocks[index] !== undefined).map(({ target }) => target.name),
  ];
  if (asked.length === 0) {
    return { kind: 'alone', why: `neither ${primary.name} nor any other host can be reached from here` };
  }
  const state = own.host.reached
    ? `its host answers, and its server ${own.server.kind === 'hung' ? 'runs and answers no login' : `is ${own.server.kind}`}`
    : `its host does not answer: ${own.host.why}`;
  return {
    kind: own.host.reached && own.server.kind === 'hung' ? 'hung' : 'lost',
    byItsHost: own.host.reached && own.server.kind === 'down',
    evidence: [state, ...asked.map((name) => `${name} gets no answer from ${primary.name}`)],
  };
}
