import { Failure } from '../failure';
import { pause, type Task } from '../task';
import { askServers, sameList, type AskedType, type DnsServer, type ServerAnswer } from './lookup';

export interface WaitRequest {
  readonly name: string;
  readonly type: AskedType;
  /** In zone-file form and sorted, as expectedValues gives them; empty: until the records are gone. */
  readonly expected: readonly string[];
  readonly servers: readonly DnsServer[];
  /** How many of the servers have to answer so; all of them when it is left out. */
  readonly quorum?: number;
  readonly deadlineMs: number;
  /** How long one round of questions may take. */
  readonly roundMs?: number;
  /** Between the first two rounds; it doubles up to ten times that. */
  readonly firstPauseMs?: number;
}

export interface Waited {
  readonly rounds: number;
  readonly waitedMs: number;
  readonly agreeing: number;
  readonly answers: readonly ServerAnswer[];
}

/** The last round gets at least this, so that its answers say what is, and not that the time was up. */
const SHORTEST_ROUND_MS = 500;

/** Asks until enough servers answer as expected. */
export async function waitUntilAnswered(request: WaitRequest, task: Task): Promise<Waited> {
  const { name, type, expected, servers, deadlineMs, roundMs = 5_000, firstPauseMs = 1_000 } = request;
  const quorum = request.quorum ?? servers.length;
  if (servers.length === 0 || quorum < 1 || quorum > servers.length) {
    throw new Failure({
      code: 'dns_quorum_invalid',
      subject: `lookup of ${name} ${type}`,
      message: `${quorum} of ${servers.length} servers can never agree`,
      nextStep: 'Give at least one server, and a quorum of at most their number.',
    });
  }
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  let delay = firstPauseMs;
  for (let rounds = 1; ; rounds++) {
    const left = Math.max(SHORTEST_ROUND_MS, deadlineMs - elapsed());
    const answers = await askServers(name, type, servers, task, { deadlineMs: Math.min(roundMs, left) });
    const agreeing = answers.filter((answer) => agrees(answer, expected)).length;
    task.progress({ message: `${agreeing} of ${quorum} servers answer ${name} ${type} as expected` });
    if (agreeing >= quorum) return { rounds, waitedMs: Math.round(elapsed()), agreeing, answers };
    if (elapsed() + delay >= deadlineMs) throw notAnswered(request, quorum, agreeing, answers);
    await pause(delay, task.signal, `wait for ${name} ${type}`);
    delay = Math.min(delay * 2, firstPauseMs * 10);
  }
}

function agrees({ answer }: ServerAnswer, expected: readonly string[]): boolean {
  if (answer.outcome === 'failed') return false;
  return sameList(answer.outcome === 'answered' ? answer.values : [], expected);
}

function notAnswered(
  { name, type, expected, deadlineMs }: WaitRequest,
  quorum: number,
  agreeing: number,
  answers: readonly ServerAnswer[],
): Failure {
  return new Failure({
    code: 'dns_not_answered',
    subject: `lookup of ${name} ${type}`,
    message: `After ${Math.round(deadlineMs / 1000)} s ${agreeing} of ${quorum} needed servers answer ${name} ${type} as expected`,
    nextStep: 'Look at the answers in the details: an old one lasts as long as the TTL that the record had before.',
    details: {
      expected: [...expected],
      answers: answers.map(({ server, answer }) => ({
        server: server.name ?? server.address,
        outcome: answer.outcome,
        ...(answer.outcome === 'answered' ? { values: [...answer.values] } : {}),
        ...(answer.outcome === 'failed' ? { reason: answer.reason } : {}),
      })),
    },
  });
}
