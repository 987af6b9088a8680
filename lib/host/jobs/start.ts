import { createHash, randomBytes } from 'node:crypto';
import { Failure, isFailure } from '../../failure';
import { pause, type Task } from '../../task';
import type { ArgvCommand, RunAs, ScriptCommand } from '../command';
import { describeHost, type Host } from '../host';
import { commandFields } from '../launcher';
import { fileNameFor, keeperIsRoot, runStateScript } from '../state-folder';
import { parseJobs, type Job, type JobCommandShown, type Journal } from './record';
import { RUNNER } from './runner';
import { START_JOB } from './scripts';

export type JobCommand = Omit<ArgvCommand, 'input'> | Omit<ScriptCommand, 'input'>;

export interface JobRequest {
  /** What it is, usually the workflow: `Scatter backup`. */
  readonly name: string;
  /** What this job is to achieve. The same name and intent are the same job: `immich 2026-01-05`. */
  readonly intent: string;
  /** Who starts it, for the people who read the journal: the execution. */
  readonly owner: string;
  readonly command: JobCommand;
  /** Becomes the command's input. It is kept in memory on the host and gone from every file before the command starts. */
  readonly secretInput?: string | Buffer;
  /** Runs it once more when it has ended. Never beside a run that is still going. */
  readonly again?: boolean;
  /** How much of each output stream is kept, the beginning and the end. Default 8 MiB. */
  readonly logBytes?: number;
}

const DEFAULT_LOG_BYTES = 8 * 1024 * 1024;
const ATTEMPTS = 5;

/**
 * Starts a job that outlives this execution, this connection and this n8n. A job that is running is attached to, one
 * that has ended is returned as it ended: `changed` tells whether this call has started a run.
 */
export async function startJob(
  host: Host,
  request: JobRequest,
  task: Task,
): Promise<Job & { readonly changed: boolean }> {
  const id = jobId(request.name, request.intent);
  // Marks the run that this call starts, so that an attempt whose answer was lost finds its own run and no second one starts.
  const token = randomBytes(6).toString('hex');
  let maybeStarted = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(host, id, token, request, task);
    } catch (error) {
      if (isFailure(error, 'connection_lost') || isFailure(error, 'exit_status_missing')) maybeStarted = true;
      else if (!maybeStarted || !isFailure(error, 'host_unreachable')) throw error;
      if (attempt >= ATTEMPTS) throw unanswered(host, id, error);
      task.progress({ message: `The connection broke while job ${id} was being started; looking whether it was` });
      await pause(500 * attempt, task.signal, `the start of job ${id}`);
    }
  }
}

/** The same name and intent are always the same job. */
export function jobId(name: string, intent: string): string {
  return fileNameFor(name, intent);
}

async function start(host: Host, id: string, token: string, request: JobRequest, task: Task) {
  const { name, intent, owner, command, secretInput, again = false } = request;
  const user = userOf(host, command.runAs);
  const journal: Journal = {
    version: 1,
    name,
    intent,
    owner,
    command: shown(command),
    runAs: user === '' ? (keeperIsRoot(host) ? 'root' : host.identity.user) : user,
  };
  const fields = commandFields(host, command);
  const header = [RUNNER, JSON.stringify(journal), String(fields.length), ...fields];
  const input = Buffer.concat([
    Buffer.from(header.map((field) => `${field}\0`).join('')),
    Buffer.from(secretInput ?? ''),
  ]);
  const { stdout } = await runStateScript(
    host,
    {
      script: START_JOB,
      arguments: [
        id,
        token,
        again ? 'yes' : 'no',
        String(pieceSize(request.logBytes) * 16),
        secretInput === undefined ? 'no' : 'yes',
        user,
      ],
      input,
      timeoutMs: 120_000,
    },
    task,
  );
  const [job] = parseJobs(host, stdout);
  if (job === undefined) throw unanswered(host, id, undefined);
  if (stdout.startsWith('orphans\n')) throw orphaned(host, job);
  return { ...job, changed: stdout.startsWith('changed yes\n') };
}

function pieceSize(logBytes = DEFAULT_LOG_BYTES): number {
  return Math.max(4096, Math.ceil(logBytes / 16));
}

/** Values of the environment are not shown, and of a script only what identifies it. Arguments are visible to every `ps`. */
function shown(command: JobCommand): JobCommandShown {
  if ('argv' in command) return { argv: command.argv };
  return {
    script: command.script.trim().split('\n', 1)[0]?.slice(0, 120) ?? '',
    sha256: createHash('sha256').update(command.script).digest('hex'),
    arguments: command.arguments ?? [],
  };
}

/** As whom the runner starts the command; empty for the one who keeps the records. */
function userOf(host: Host, runAs: RunAs | undefined): string {
  const keeper = keeperIsRoot(host) ? 'root' : host.identity.user;
  const wanted =
    runAs === undefined ? keeper : runAs === 'login' ? host.identity.user : runAs === 'root' ? 'root' : runAs.user;
  if (wanted === keeper) return '';
  if (keeper === 'root') return wanted;
  throw new Failure({
    code: 'sudo_not_configured',
    subject: describeHost(host),
    message: `The job should run as ${wanted}, but the credential logs in as ${keeper} and has no sudo mode`,
    nextStep: 'Choose a sudo mode in the Host credential, or log in as that user.',
  });
}

function orphaned(host: Host, job: Job): Failure {
  return new Failure({
    code: 'job_orphaned',
    subject: `job ${job.id} on ${describeHost(host)}`,
    message: `The runner of job ${job.id} was killed, but what it ran is still running; a second run beside it was refused`,
    nextStep: 'Cancel the job, which ends what is left of it, or wait until that is done; then start it again.',
    details: { id: job.id, run: job.run },
  });
}

function unanswered(host: Host, id: string, cause: unknown): Failure {
  return new Failure({
    code: 'job_start_unknown',
    subject: `job ${id} on ${describeHost(host)}`,
    message: `${describeHost(host)} did not tell what became of the start of job ${id}`,
    nextStep: 'Read the job; starting it again is safe and attaches to a run that is going.',
    cause,
  });
}
