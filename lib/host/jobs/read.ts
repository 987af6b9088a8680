import type { Task } from '../../task';
import type { Host } from '../host';
import { fileNameFor, runStateScript } from '../state-folder';
import { checkId, checkRun, jobMissing, parseJobs, type Job, type JobState } from './record';
import { CLEAN_JOBS, LIST_JOBS, READ_JOB } from './scripts';

/** One run, or the newest of the job. */
export async function readJob(host: Host, id: string, task: Task, run?: string): Promise<Job> {
  const { stdout } = await runStateScript(
    host,
    { script: READ_JOB, arguments: [checkId(id), run === undefined ? '' : checkRun(run)] },
    task,
  );
  const [job] = parseJobs(host, stdout);
  if (job === undefined) throw jobMissing(host, id, run);
  return job;
}

export interface JobFilter {
  /** The name that the jobs were started with, or how it begins, with `*` at its end; every name when absent. */
  readonly name?: string;
  /** How the id begins. */
  readonly idPrefix?: string;
  readonly states?: readonly JobState['kind'][];
}

export async function listJobs(host: Host, filter: JobFilter, task: Task): Promise<Job[]> {
  const { stdout } = await runStateScript(host, { script: LIST_JOBS, arguments: [prefixOf(filter)] }, task);
  return parseJobs(host, stdout).filter((job) => matches(job, filter));
}

export function prefixOf({ idPrefix = '' }: JobFilter): string {
  return idPrefix === '' ? '' : checkId(idPrefix);
}

export function matches(job: Job, { name, states }: JobFilter): boolean {
  return (name === undefined || isNamed(job, name)) && (states === undefined || states.includes(job.state.kind));
}

function isNamed(job: Job, name: string): boolean {
  return name.endsWith('*') ? job.name.startsWith(name.slice(0, -1)) : job.name === name;
}

export interface CleanRule {
  readonly olderThanMs: number;
  /** So many of each job stay however old they are. */
  readonly keepNewest: number;
  readonly idPrefix?: string;
  /** Only tells which runs would go. */
  readonly dryRun?: boolean;
}

/** Removes ended runs with their logs. What is running, or was lost and still runs, stays. */
export async function cleanJobs(
  host: Host,
  { olderThanMs, keepNewest, idPrefix, dryRun = false }: CleanRule,
  task: Task,
): Promise<readonly { readonly id: string; readonly run: string }[]> {
  const { stdout } = await runStateScript(
    host,
    {
      script: CLEAN_JOBS,
      arguments: [
        String(Math.max(0, Math.floor(olderThanMs))),
        String(Math.max(0, Math.floor(keepNewest))),
        prefixOf({ idPrefix }),
        dryRun ? 'yes' : 'no',
      ],
    },
    task,
  );
  return [...stdout.matchAll(/^removed (\S+) (\S+)$/gm)].map(([, id = '', run = '']) => ({ id, run }));
}

/** Consumers are called by people; their files are not. */
export function consumerFile(consumer: string): string {
  return fileNameFor(consumer);
}
