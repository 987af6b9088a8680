import { Failure } from '../failure';
import type { Base, Item } from './kind';
import { jobs, runs } from './kinds/actions';
import { pause, type Task } from '../task';
import type { ForgejoApi } from './api';
import { endpoint } from './endpoint';
import { fieldsOf } from './fields';
import type { RepositoryName } from './repository-name';
import { getFound, listFound } from './things';
import { isAtLeast } from './version';

export type Run = Item<typeof runs>;
export type Job = Item<typeof jobs>;

/** A run, how it ended, and its jobs; these are null where the server has no list of them. */
export interface RunResult extends Run {
  readonly finished: boolean;
  readonly succeeded: boolean;
  readonly jobs: readonly Job[] | null;
}

const OVER = ['success', 'failure', 'cancelled', 'skipped'];

export function isOver({ status }: Pick<Run, 'status'>): boolean {
  return OVER.includes(status);
}

export interface Waiting {
  readonly timeoutMs: number;
  readonly intervalMs: number;
}

function baseOf(name: RepositoryName): Base {
  return { path: '/repos/{owner}/{repo}', at: { ...name } };
}

/** Until the run is over. That it failed is an answer, not a failure. */
export async function waitForRun(
  api: ForgejoApi,
  name: RepositoryName,
  run: number,
  { timeoutMs, intervalMs }: Waiting,
  task: Task,
): Promise<RunResult> {
  const subject = `run ${run} of ${name.owner}/${name.repo}`;
  const end = Date.now() + timeoutMs;
  for (;;) {
    const { item } = await getFound(api, runs, baseOf(name), { run }, task);
    if (isOver(item)) return resultOf(api, name, item, task);
    if (Date.now() + intervalMs > end) {
      throw new Failure({
        code: 'run_timeout',
        subject,
        message: `The ${subject} was still ${item.status} after ${Math.round(timeoutMs / 1000)} s`,
        nextStep: 'It goes on. Look at it, and wait for it again by its ID; no runner may be free to take it.',
        details: { run, status: item.status, url: item.url },
      });
    }
    task.progress({ message: `The ${subject} is ${item.status}` });
    await pause(intervalMs, task.signal, subject);
  }
}

export async function resultOf(api: ForgejoApi, name: RepositoryName, run: Run, task: Task): Promise<RunResult> {
  const ofRun = isAtLeast(await api.version(task), jobs.since ?? {})
    ? (await listFound(api, jobs, baseOf(name), task, { names: { run: run.id } })).map(({ item }) => item)
    : null;
  return { ...run, finished: isOver(run), succeeded: run.status === 'success', jobs: ofRun };
}

export interface Dispatch {
  readonly name: RepositoryName;
  /** File name of the workflow. */
  readonly workflow: string;
  /** Branch or tag. */
  readonly ref: string;
  readonly inputs: Readonly<Record<string, string>>;
}

const dispatch = endpoint(
  'POST',
  '/repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches',
  (body) => (body === null ? null : fieldsOf(body, 'the run that was started').number('id')),
  { since: { forgejo: 7, gitea: [1, 24] } },
);

export const runEndpoints = [dispatch];

/** Starts a run, and says which one it is. Servers before 15 may not say it: then the new one is looked for. */
export async function dispatchWorkflow(
  api: ForgejoApi,
  { name, workflow, ref, inputs }: Dispatch,
  findingMs: number,
  task: Task,
): Promise<Run | null> {
  const version = await api.version(task);
  const tells = isAtLeast(version, { forgejo: 15 });
  const lists = isAtLeast(version, runs.since ?? {});
  const known = tells || !lists ? [] : await dispatched(api, name, workflow, task);
  const json = {
    ref,
    ...(Object.keys(inputs).length > 0 && { inputs }),
    // Gitea, and what is older, refuses fields that it does not know.
    ...(lists && { return_run_info: true }),
  };
  const started = await api.call(dispatch, { at: { ...name, workflow }, body: { json } }, task);
  if (started !== null) return (await getFound(api, runs, baseOf(name), { run: started }, task)).item;
  if (!lists) return null;
  const before = new Set(known.map(({ id }) => id));
  const end = Date.now() + findingMs;
  for (;;) {
    const [run, ...others] = (await dispatched(api, name, workflow, task)).filter(({ id }) => !before.has(id));
    if (run !== undefined && others.length === 0) return run;
    if (run !== undefined) throw several(name, workflow, [run, ...others]);
    if (Date.now() >= end) return null;
    await pause(1000, task.signal, `dispatch of ${workflow}`);
  }
}

async function dispatched(api: ForgejoApi, name: RepositoryName, workflow: string, task: Task) {
  const query = { event: 'workflow_dispatch', workflow_id: workflow };
  return (await listFound(api, runs, baseOf(name), task, { query })).map(({ item }) => item);
}

function several({ owner, repo }: RepositoryName, workflow: string, found: readonly Run[]): Failure {
  return new Failure({
    code: 'run_ambiguous',
    subject: `workflow ${workflow} of ${owner}/${repo}`,
    message: `The workflow was started, and ${found.length} runs of it began at that time: this server does not say which is ours`,
    nextStep: 'Look at the runs of the list in details, and wait for yours by its ID.',
    details: { runs: found.map(({ id }) => id) },
  });
}

/** The run that was asked for by its id, read once. */
export async function getRun(api: ForgejoApi, name: RepositoryName, run: number, task: Task): Promise<RunResult> {
  return resultOf(api, name, (await getFound(api, runs, baseOf(name), { run }, task)).item, task);
}
