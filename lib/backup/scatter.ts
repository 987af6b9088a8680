import { randomBytes } from 'node:crypto';
import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { refuseWhenHeld } from '../host/hold';
import { awaitJob } from '../host/jobs/await';
import { jobLogs } from '../host/jobs/logs';
import { readJob } from '../host/jobs/read';
import type { Job } from '../host/jobs/record';
import { startJob } from '../host/jobs/start';
import { redact } from '../secrets/redact';
import type { Task } from '../task';
import { checkPlan, type BackupPlan, type Source } from './plan';
import { planFields, renderFields, secretsOf } from './plan-fields';
import { findReport, type BackupReport } from './report';
import { SCATTER } from './script/scatter';

export interface BackupRun {
  readonly job: Job;
  /** Names the run in its spool, its log and its manifests; a retry needs it. */
  readonly run: string;
  readonly changed: boolean;
}

/** Starts a run of the set on its host, where it goes on whatever becomes of us. Two runs of one set exclude each other. */
export async function startBackup(
  host: Host,
  plan: BackupPlan,
  options: { readonly intent?: string },
  task: Task,
): Promise<BackupRun> {
  checkPlan(plan);
  if (plan.sources.length === 0) throw noSources(plan.set);
  await refuseWhenHeld(host, task);
  const run = `run-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}-${randomBytes(4).toString('hex')}`;
  return await start(host, plan, run, options.intent ?? run, false, task);
}

/** Fills the destinations that failed from what that run has left in its spool. The others are not touched. */
export async function retryBackup(host: Host, plan: BackupPlan, run: string, task: Task): Promise<BackupRun> {
  checkPlan(plan);
  if (!/^run-[0-9T]{15}-[0-9a-f]{8}$/.test(run)) throw noRun(host, run);
  await refuseWhenHeld(host, task);
  return await start(host, plan, run, `retry of ${run}`, true, task);
}

async function start(host: Host, plan: BackupPlan, run: string, intent: string, retry: boolean, task: Task) {
  const started = await startJob(
    host,
    {
      name: `Backup ${plan.set}`,
      intent,
      owner: task.owner,
      again: retry,
      // The run is an argument so that whoever attaches to a job that is going learns its name.
      command: { script: SCATTER, strict: false, arguments: [run] },
      secretInput: renderFields(planFields(plan, run, retry)),
    },
    task,
  );
  const { changed, ...job } = started;
  const list = 'script' in job.command ? job.command.arguments : [];
  return { job, run: list[0] ?? run, changed };
}

/** How the run stands. The report is there once it has ended, and not when it was killed. */
export async function readBackup(
  host: Host,
  plan: Pick<BackupPlan, 'vault'> & { readonly sources: readonly Source[] },
  { id, run }: Pick<Job, 'id' | 'run'>,
  task: Task,
): Promise<{ readonly job: Job; readonly log: string; readonly report?: BackupReport }> {
  const job = await readJob(host, id, task, run);
  const stream = { run, maxBytes: 4 * 1024 * 1024 } as const;
  const { text } = await jobLogs(host, id, { ...stream, stream: 'stdout', fromByte: -stream.maxBytes }, task);
  const said = await jobLogs(host, id, { run, stream: 'stderr', tailLines: 20 }, task);
  const secrets = secretsOf(plan.vault, plan.sources);
  const report = findReport(text);
  return redact(
    {
      job,
      log: [text.replace(/^report .*\n?/m, ''), said.text].filter((each) => each !== '').join('\n'),
      ...(report !== undefined && { report }),
    },
    secrets,
  );
}

/** Waits for the end of a run and gives its report; a run that ended without one is a failure. */
export async function awaitBackup(
  host: Host,
  plan: Pick<BackupPlan, 'vault' | 'set'> & { readonly sources: readonly Source[] },
  { job }: Pick<BackupRun, 'job'>,
  options: { readonly timeoutMs: number },
  task: Task,
): Promise<BackupReport> {
  await awaitJob(host, job.id, { run: job.run, timeoutMs: options.timeoutMs, longestPauseMs: 1000 }, task);
  const { job: ended, log, report } = await readBackup(host, plan, job, task);
  if (report !== undefined) return report;
  const busy = ended.state.kind === 'finished' && 'exitCode' in ended.state.exit && ended.state.exit.exitCode === 5;
  if (busy) {
    throw new Failure({
      code: 'backup_busy',
      subject: `backup ${plan.set} on ${describeHost(host)}`,
      message: `Another run of backup ${plan.set} is going on ${describeHost(host)}; this one did nothing`,
      nextStep: 'Wait for it, or cancel its job.',
    });
  }
  const why = /^selfhost: (.*)$/m.exec(log)?.[1] ?? `it ended as ${ended.state.kind} without a report`;
  throw new Failure({
    code: 'backup_broke_off',
    subject: `backup ${plan.set} on ${describeHost(host)}`,
    message: `Backup ${plan.set} broke off: ${why}`,
    nextStep: 'Nothing unfinished has got its name at any destination. Mend the cause and run it again.',
    details: { job: ended.id, run: ended.run, log: log.slice(-2000) },
  });
}

function noSources(set: string): Failure {
  return new Failure({
    code: 'backup_plan_unusable',
    subject: `backup ${set}`,
    message: `The backup cannot be run as it is described: it has no sources`,
    nextStep: 'Correct the description. Nothing was started.',
  });
}

function noRun(host: Host, run: string): Failure {
  return new Failure({
    code: 'backup_run_invalid',
    subject: describeHost(host),
    message: `"${run.slice(0, 60)}" is not the name of a backup run`,
    nextStep: 'Take it from the report of the run.',
  });
}
