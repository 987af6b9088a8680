import { awaitJob } from '../../host/jobs/await';
import { startJob } from '../../host/jobs/start';
import type { Task } from '../../task';
import { Failure } from '../../failure';
import { describeDocker, type DockerAccess } from '../engine/access';
import { history } from './history';
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
  const now = (await history(access, stack, task)).find((one) => one.release === release);
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
