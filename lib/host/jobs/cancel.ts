import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeHost, type Host } from '../host';
import { runStateScript } from '../state-folder';
import { checkId, checkRun, jobMissing, parseJobs, type Job } from './record';
import { CANCEL_JOB } from './scripts';

export interface CancelRequest {
  /** Who wants it, for the record. */
  readonly by: string;
  readonly run?: string;
  /** How long the command may take to end by itself after TERM. Default 10 s. */
  readonly graceMs?: number;
}

/** Ends a run with all its processes and verifies that none is left. Asking again is safe and changes nothing. */
export async function cancelJob(
  host: Host,
  id: string,
  { by, run, graceMs = 10_000 }: CancelRequest,
  task: Task,
): Promise<Job & { readonly changed: boolean }> {
  const { stdout } = await runStateScript(
    host,
    {
      script: CANCEL_JOB,
      arguments: [checkId(id), run === undefined ? '' : checkRun(run), String(Math.max(0, Math.floor(graceMs)))],
      input: Buffer.from(`${JSON.stringify({ by, at: Date.now() })}\n`),
      timeoutMs: graceMs + 60_000,
    },
    task,
  );
  const [job] = parseJobs(host, stdout);
  if (job === undefined) throw jobMissing(host, id, run);
  if (stdout.startsWith('alive\n')) {
    throw new Failure({
      code: 'job_cancel_unverified',
      subject: `job ${id} on ${describeHost(host)}`,
      message: `Processes of job ${id} are still there 5 s after they were killed`,
      nextStep: 'Look on the host what holds them (usually a disk or a network mount that does not answer).',
      details: { id, run: job.run },
    });
  }
  return { ...job, changed: stdout.startsWith('changed yes\n') };
}
