import { Failure, messageOf } from '../failure';
import { cancelled, type Task } from '../task';
import type { Identity, PinnedHost } from './host';
import { runCommand } from './run';

/** One host of the credential, tried out. */
export type HostCheck = { readonly name: string; readonly address: string; readonly port: number } & (
  | { readonly answers: true; readonly durationMs: number }
  | { readonly answers: false; readonly code: string; readonly message: string; readonly nextStep: string }
);

export interface HostsCheck {
  readonly ok: boolean;
  readonly hosts: readonly HostCheck[];
  /** One sentence that names those which fail. */
  readonly summary: string;
}

const TIMEOUT_MS = 10_000;
const AT_ONCE = 8;

/** Logs in to each pinned host and runs `true` there, as the credential would run a command. */
export async function checkHosts(identity: Identity, task: Task): Promise<HostsCheck> {
  const waiting = identity.hosts.entries();
  const checks: HostCheck[] = [];
  const work = async () => {
    for (const [index, host] of waiting) checks[index] = await checkHost(identity, host, task);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { ok: checks.length > 0 && checks.every(({ answers }) => answers), hosts: checks, summary: summarise(checks) };
}

async function checkHost(identity: Identity, target: PinnedHost, task: Task): Promise<HostCheck> {
  const { name, address, port } = target;
  const started = performance.now();
  try {
    await runCommand({ identity, target }, { argv: ['true'] }, { timeoutMs: TIMEOUT_MS }, task);
    return { name, address, port, answers: true, durationMs: Math.round(performance.now() - started) };
  } catch (error) {
    if (task.signal.aborted) throw cancelled('the check of the pinned hosts');
    const { code, message, nextStep } = silentOr(error, target);
    return { name, address, port, answers: false, code, message, nextStep };
  }
}

function silentOr(error: unknown, { name, address, port }: PinnedHost) {
  const subject = `host ${name} (${address}:${port})`;
  if (error instanceof Failure && error.code !== 'command_timeout') return error;
  return {
    code: error instanceof Failure ? 'host_unreachable' : 'host_check_failed',
    message: error instanceof Failure ? `${subject} did not answer within ${TIMEOUT_MS / 1000} s` : messageOf(error),
    nextStep: 'Is it up, is the address right, and does a firewall let this machine in?',
  };
}

function summarise(checks: readonly HostCheck[]): string {
  if (checks.length === 0) return 'No host is pinned yet: add one line for each host to the host list.';
  const failing = checks.filter((check) => !check.answers);
  if (failing.length === 0)
    return checks.length === 1 ? 'The pinned host answers.' : `All ${checks.length} pinned hosts answer.`;
  const reasons = failing.map(({ name, message }) => `${name} (${message})`).join('; ');
  return `${checks.length - failing.length} of ${checks.length} pinned hosts answer; these do not: ${reasons}.`;
}
