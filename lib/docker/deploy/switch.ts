import { Failure, isFailure } from '../../failure';
import { awaitJob } from '../../host/jobs/await';
import { startJob } from '../../host/jobs/start';
import type { HeldLock } from '../../host/locks/lock';
import { fileNameFor } from '../../host/state-folder';
import { pause, type Task } from '../../task';
import { describeDocker, type DockerAccess } from '../engine/access';
import { history, type Release } from './history';
import { SWITCH } from './scripts';

export interface SwitchWish {
  readonly stack: string;
  readonly base: string;
  readonly directory: string;
  readonly release: number;
  readonly previous: number | null;
  readonly healthSeconds: number;
  readonly graceSeconds: number;
  readonly rollBack: boolean;
  readonly lock: Pick<HeldLock, 'name' | 'epoch'>;
}

/** What was tried, and what runs now. */
export interface Switched {
  readonly succeeded: boolean;
  readonly tried: number | null;
  /** The release whose files and containers are there now. */
  readonly live: number | null;
  /** Null where nothing was switched, so nothing was watched. */
  readonly liveIsWell: boolean | null;
  readonly rolledBack: boolean;
  readonly reason: string | null;
  /** The last lines of the container that was not well. */
  readonly log: string | null;
}

/**
 * Starts the switch and waits for what becomes of it. The task hears Stop, and not that the lock of the stack is lost:
 * when the connection is cut, and the lock with it, the host keeps everybody else out by itself, refuses a switch that
 * somebody else has overtaken, and the report still tells what the host did.
 */
export async function switchTo(access: DockerAccess, wish: SwitchWish, task: Task): Promise<Switched> {
  const { stack, release, previous, healthSeconds, graceSeconds } = wish;
  task.progress({ message: `Switching ${stack} to release ${release}` });
  const job = await startJob(
    access.host,
    {
      name: `Deploy ${stack}`,
      intent: `release ${release} instead of ${previous ?? 'none'} at ${Date.now()}`,
      owner: task.owner,
      command: {
        script: SWITCH,
        arguments: [
          ...[wish.base, wish.directory, access.socketPath, String(release), previous === null ? '' : String(previous)],
          ...[String(healthSeconds), String(graceSeconds), wish.rollBack ? 'yes' : 'no'],
          ...[fileNameFor(wish.lock.name), String(wish.lock.epoch)],
        ],
        strict: false,
      },
    },
    task,
  );
  // Forth and back, each with its bringing up, its waiting and its watching.
  const timeoutMs = (healthSeconds * 4 + graceSeconds * 2 + 120) * 1000;
  const { state } = await awaitJob(access.host, job.id, { run: job.run, timeoutMs, longestPauseMs: 1_000 }, task);
  const code = state.kind === 'finished' && 'exitCode' in state.exit ? state.exit.exitCode : undefined;
  if (code === 76) {
    throw new Failure({
      code: 'directory_moved',
      subject: `stack ${stack}, ${describeDocker(access)}`,
      message: `Stack ${stack} lives in another directory than ${wish.directory}; nothing was changed`,
      nextStep: `Give the directory it was first deployed to; the log of job ${job.id} names it.`,
    });
  }
  if (code === 78) {
    throw new Failure({
      code: 'service_away',
      subject: `stack ${stack}, ${describeDocker(access)}`,
      message: `Stack ${stack} runs on its other host now, so it was not deployed here; nothing was changed`,
      nextStep: 'Deploy it there, or bring the service back first (flow Service failback).',
    });
  }
  if (code === 77 || code === 75) {
    throw new Failure({
      code: 'deploy_overtaken',
      subject: `stack ${stack}, ${describeDocker(access)}`,
      message: `Another deploy of stack ${stack} began before release ${release} was switched to; this one changed nothing`,
      nextStep: 'Look at the history what is live now, and deploy again if it is not what you want.',
    });
  }
  const now = (await surelyRead(access, stack, task)).find((one) => one.release === release);
  if (code === undefined || ![0, 10, 11, 12].includes(code) || now === undefined || now.outcome.kind === 'unknown') {
    throw new Failure({
      code: 'deploy_outcome_unknown',
      subject: `stack ${stack}, ${describeDocker(access)}`,
      message: `The switch of stack ${stack} to release ${release} broke off on the host (${state.kind}${code === undefined ? '' : `, exit code ${code}`})`,
      nextStep: `Look at job ${job.id} and at what runs; then deploy again, or roll back to a release of the history.`,
      details: { job: job.id, run: job.run },
    });
  }
  const { outcome } = now;
  return {
    succeeded: outcome.kind === 'ok',
    tried: release,
    live: outcome.live,
    liveIsWell: outcome.well,
    rolledBack: code === 10,
    reason: outcome.reason,
    log: outcome.kind === 'ok' ? null : now.log,
  };
}

const PASSING = ['connection_lost', 'host_unreachable', 'exit_status_missing', 'channel_refused'];
const ATTEMPTS = 10;

/** The switch is over; a connection that breaks just now must not make its outcome unknown. */
async function surelyRead(access: DockerAccess, stack: string, task: Task): Promise<readonly Release[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await history(access, stack, task);
    } catch (error) {
      if (attempt >= ATTEMPTS || !PASSING.some((code) => isFailure(error, code))) throw error;
      await pause(500 * attempt, task.signal, `reading what became of the deploy of ${stack}`);
    }
  }
}
