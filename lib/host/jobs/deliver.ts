import type { Task } from '../../task';
import type { Host } from '../host';
import { runStateScript } from '../state-folder';
import { consumerFile, matches, prefixOf, type JobFilter } from './read';
import { checkId, checkRun, jobMissing, parseJobs, type Job } from './record';
import { ACKNOWLEDGE, TAKE_FINISHED } from './scripts';

export interface TakeFilter extends JobFilter {
  /** Also what had ended before this consumer asked for the first time. */
  readonly earlier?: boolean;
}

/**
 * The ended runs (finished, cancelled, lost) that this consumer has not acknowledged yet. They come again until it
 * does, so it acknowledges after it has handed them on, and hands them on with id and run as the key of duplicates.
 */
export async function takeFinishedJobs(host: Host, consumer: string, filter: TakeFilter, task: Task): Promise<Job[]> {
  const { stdout } = await runStateScript(
    host,
    {
      script: TAKE_FINISHED,
      arguments: [prefixOf(filter), consumerFile(consumer), filter.earlier === true ? 'yes' : 'no'],
    },
    task,
  );
  return parseJobs(host, stdout).filter((job) => matches(job, filter));
}

/** Never hands this run to this consumer again. `changed` is false when it had been acknowledged before. */
export async function acknowledgeJob(
  host: Host,
  id: string,
  run: string,
  consumer: string,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const { stdout } = await runStateScript(
    host,
    { script: ACKNOWLEDGE, arguments: [checkId(id), checkRun(run), consumerFile(consumer)] },
    task,
  );
  if (stdout.startsWith('missing')) throw jobMissing(host, id, run);
  return { changed: stdout.startsWith('changed') };
}
