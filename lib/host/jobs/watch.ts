import { isFailure, type Failure } from '../../failure';
import { pause, type Task } from '../../task';
import { describeHost, type Host } from '../host';
import { acknowledgeJob, takeFinishedJobs, type TakeFilter } from './deliver';
import { listJobs } from './read';
import type { Job } from './record';

export interface Watch {
  /** Who watches. What it was given once it is never given again, also after a restart. */
  readonly consumer: string;
  readonly filter: TakeFilter;
  /** Further condition on an ended run. */
  readonly wants?: (job: Job) => boolean;
  readonly intervalMs: number;
  /** Resolves when the run is taken care of; rejects to be given it again. Its key is the same each time. */
  readonly deliver: (job: Job, key: string) => Promise<void>;
  /** Told when the host begins to fail, and with undefined when it answers again. */
  readonly onTrouble: (failure: Failure | undefined) => void;
}

const LONGEST_PAUSE_MS = 60_000;

/** Hands on every ended run of one host once, until it is stopped. A host that does not answer is asked ever more rarely. */
export async function watchFinishedJobs(host: Host, watch: Watch, task: Task): Promise<void> {
  const subject = `watching the jobs of ${describeHost(host)}`;
  // Runs that somebody is working on, and runs that are done but not yet marked so on the host.
  const underway = new Set<string>();
  const done = new Set<string>();
  let troubles = 0;
  for (;;) {
    try {
      const jobs = await takeFinishedJobs(host, watch.consumer, watch.filter, task);
      if (troubles > 0) watch.onTrouble(undefined);
      troubles = 0;
      for (const job of jobs) await offer(host, job, watch, { underway, done }, task);
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (isFailure(error, 'cancelled')) return;
      troubles += 1;
      if (troubles === 1) watch.onTrouble(error);
    }
    const wait = Math.min(watch.intervalMs * 2 ** Math.min(troubles, 10), Math.max(LONGEST_PAUSE_MS, watch.intervalMs));
    try {
      await pause(wait, task.signal, subject);
    } catch {
      return;
    }
  }
}

interface Ledger {
  readonly underway: Set<string>;
  readonly done: Set<string>;
}

async function offer(host: Host, job: Job, watch: Watch, { underway, done }: Ledger, task: Task): Promise<void> {
  const key = `${job.id}/${job.run}`;
  if (underway.has(key)) return;
  if (done.has(key) || watch.wants?.(job) === false) {
    await acknowledgeJob(host, job.id, job.run, watch.consumer, task);
    done.delete(key);
    return;
  }
  underway.add(key);
  watch.deliver(job, key).then(
    () => {
      // Marked on the host at the next look, or at once where that works: either way it is not handed on again.
      done.add(key);
      underway.delete(key);
      acknowledgeJob(host, job.id, job.run, watch.consumer, task).then(
        () => done.delete(key),
        () => undefined,
      );
    },
    () => {
      underway.delete(key);
    },
  );
}

/** For trying a workflow out: the job that ended last, or the next one to end. Nothing is marked as handed on. */
export async function readFinishedJob(
  hosts: readonly Host[],
  { filter, wants, intervalMs }: Pick<Watch, 'filter' | 'wants' | 'intervalMs'>,
  task: Task,
): Promise<{ readonly host: Host; readonly job: Job }> {
  for (;;) {
    const ended = await Promise.all(
      hosts.map(async (host) => {
        const jobs = await listJobs(host, { ...filter, states: ['finished', 'cancelled', 'lost'] }, task);
        return jobs.filter((job) => wants?.(job) !== false).map((job) => ({ host, job }));
      }),
    );
    const [newest] = ended.flat().sort((a, b) => b.job.run.localeCompare(a.job.run));
    if (newest !== undefined) return newest;
    await pause(intervalMs, task.signal, 'waiting for a job to end');
  }
}
