import { Failure, isFailure } from '../../failure';
import { pause, type Task } from '../../task';
import { describeHost, type Host } from '../host';
import { jobLogs } from './logs';
import { readJob } from './read';
import type { Job } from './record';

export interface AwaitOptions {
  readonly run?: string;
  readonly timeoutMs: number;
  /** Looks soon at first and then ever more rarely, up to this. Default 2 s. */
  readonly longestPauseMs?: number;
}

const FIRST_PAUSE_MS = 100;
const PASSING = ['connection_lost', 'host_unreachable', 'exit_status_missing', 'channel_refused', 'command_timeout'];

/**
 * Waits until a run has ended and tells the last line of its output meanwhile. The job does not mind: Stop ends the
 * waiting only, and a connection that breaks is made again until the time is over.
 */
export async function awaitJob(host: Host, id: string, options: AwaitOptions, task: Task): Promise<Job> {
  const { timeoutMs, longestPauseMs = 2_000 } = options;
  const subject = `job ${id} on ${describeHost(host)}`;
  const end = performance.now() + timeoutMs;
  let wait = Math.min(FIRST_PAUSE_MS, longestPauseMs);
  let run = options.run;
  let heard = 0;
  let trouble: Failure | undefined;
  for (;;) {
    try {
      const job = await readJob(host, id, task, run);
      if (job.state.kind !== 'running') return job;
      trouble = undefined;
      // From now on this run, also when somebody starts the next one.
      run = job.run;
      const written = job.stdoutBytes + job.stderrBytes;
      if (written > heard) {
        heard = written;
        wait = Math.min(wait, 500);
        await tellLastLine(host, job, task);
      }
    } catch (error) {
      if (!(error instanceof Failure) || !PASSING.includes(error.code) || task.signal.aborted) throw error;
      if (trouble === undefined) task.progress({ message: `${error.message}; the job goes on, connecting again` });
      trouble = error;
    }
    const left = end - performance.now();
    if (left <= 0) throw tooLong(subject, timeoutMs, trouble);
    await pause(Math.min(wait, left), task.signal, `the waiting for ${subject}; the job itself goes on`);
    wait = Math.min(wait * 1.5, longestPauseMs);
  }
}

async function tellLastLine(host: Host, { id, run, stdoutBytes }: Job, task: Task): Promise<void> {
  const stream = stdoutBytes > 0 ? 'stdout' : 'stderr';
  try {
    const { text } = await jobLogs(host, id, { stream, run, tailLines: 1, maxBytes: 2000 }, task);
    if (text.trim() !== '') task.progress({ message: text.trim() });
  } catch (error) {
    // It is only news; whether the run still goes is asked again anyway.
    if (!isFailure(error)) throw error;
  }
}

function tooLong(subject: string, timeoutMs: number, trouble: Failure | undefined): Failure {
  return new Failure({
    code: 'job_wait_timeout',
    subject,
    message:
      trouble === undefined
        ? `${subject} is still running after ${timeoutMs / 1000} s; nobody waits for it any more, and it goes on`
        : `${subject} could not be asked within ${timeoutMs / 1000} s: ${trouble.message}`,
    nextStep: 'Attach to it again later, or let the Host Job Trigger tell when it has finished.',
    cause: trouble,
  });
}
