import { Failure } from '../failure';
import { pause, type Task } from '../task';
import type { ForgejoApi } from './api';
import { endpoint } from './endpoint';
import { fieldsOf } from './fields';
import type { RepositoryName } from './repository-name';

export const STATUS_STATES = ['pending', 'success', 'error', 'failure', 'warning'] as const;
export type StatusState = (typeof STATUS_STATES)[number];

export interface CommitStatus {
  readonly context: string;
  readonly state: string;
  readonly description: string;
  readonly targetUrl: string;
  readonly updatedAt: string;
}

/** `state` is null while nobody has said anything. */
export interface CombinedStatus {
  readonly sha: string;
  readonly state: string | null;
  readonly statuses: readonly CommitStatus[];
}

function parseStatus(body: unknown): CommitStatus {
  const status = fieldsOf(body, 'a commit status');
  return {
    context: status.text('context'),
    state: status.text('status'),
    description: status.textOrNull('description') ?? '',
    targetUrl: status.textOrNull('target_url') ?? '',
    updatedAt: status.textOrNull('updated_at') ?? '',
  };
}

const create = endpoint('POST', '/repos/{owner}/{repo}/statuses/{sha}', parseStatus);
const list = endpoint('GET', '/repos/{owner}/{repo}/statuses/{sha}', parseStatus);
const combined = endpoint('GET', '/repos/{owner}/{repo}/commits/{ref}/status', (body) => {
  const answer = fieldsOf(body, 'the combined status');
  return {
    sha: answer.textOrNull('sha') ?? '',
    state: answer.textOrNull('state'),
    total: answer.has('total_count') ? answer.number('total_count') : 0,
  };
});

export const statusEndpoints = [create, list, combined];

export interface Commit {
  readonly name: RepositoryName;
  /** Branch, tag or id. */
  readonly ref: string;
}

/** Every status that was ever set, the newest first. */
export async function listStatuses(
  api: ForgejoApi,
  { name, ref }: Commit,
  task: Task,
): Promise<readonly CommitStatus[]> {
  return (await api.list(list, { at: { ...name, sha: ref } }, task)).items;
}

/** The last status of each context, of all pages, and the state of the whole. */
export async function combinedStatus(api: ForgejoApi, commit: Commit, task: Task): Promise<CombinedStatus> {
  const at = { ...commit.name, ref: commit.ref };
  const { sha, state, total } = await api.call(combined, { at }, task);
  const latest = new Map<string, CommitStatus>();
  for (const status of await listStatuses(api, { ...commit, ref: sha === '' ? commit.ref : sha }, task)) {
    if (!latest.has(status.context)) latest.set(status.context, status);
  }
  return { sha, state: total === 0 && latest.size === 0 ? null : state, statuses: [...latest.values()] };
}

export interface WantedStatus extends Commit {
  readonly state: StatusState;
  readonly context: string;
  readonly description: string;
  readonly targetUrl: string;
}

/** Sets nothing when the last status of this context says the same, so running it twice leaves one. */
export async function ensureStatus(
  api: ForgejoApi,
  { name, ref, state, context, description, targetUrl }: WantedStatus,
  dryRun: boolean,
  task: Task,
) {
  const before = (await listStatuses(api, { name, ref }, task)).find((status) => status.context === context) ?? null;
  const isSame =
    before !== null && before.state === state && before.description === description && before.targetUrl === targetUrl;
  if (isSame || dryRun) return { changed: !isSame, dryRun, before, after: isSame ? before : null };
  const json = { state, context, description, target_url: targetUrl };
  const after = await api.call(create, { at: { ...name, sha: ref }, body: { json } }, task);
  return { changed: true, dryRun, before, after };
}

export interface Waiting extends Commit {
  /** These contexts must be there and done; empty: whatever is there, at least one. */
  readonly contexts: readonly string[];
  readonly timeoutMs: number;
  readonly intervalMs: number;
}

/** Until no status is pending any more. A bad end is an answer, not a failure. */
export async function waitForStatus(
  api: ForgejoApi,
  { contexts, timeoutMs, intervalMs, ...commit }: Waiting,
  task: Task,
): Promise<CombinedStatus & { readonly succeeded: boolean }> {
  const subject = `status of ${commit.name.owner}/${commit.name.repo} at ${commit.ref}`;
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await combinedStatus(api, commit, task);
    const wanted = found.statuses.filter(({ context }) => contexts.length === 0 || contexts.includes(context));
    const missing = contexts.filter((context) => !wanted.some((status) => status.context === context));
    const pending = wanted.filter(({ state }) => state === 'pending').map(({ context }) => context);
    if (wanted.length > 0 && missing.length === 0 && pending.length === 0) {
      // Read again: the state of the whole was asked for before the single ones, and may be older than they are.
      return {
        ...(await combinedStatus(api, commit, task)),
        succeeded: wanted.every(({ state }) => state === 'success' || state === 'warning'),
      };
    }
    if (Date.now() + intervalMs > end) {
      throw new Failure({
        code: 'status_timeout',
        subject,
        message: `The ${subject} was not decided within ${Math.round(timeoutMs / 1000)} s`,
        nextStep: 'Look at the run of the commit; wait longer if it just takes its time.',
        details: { pending, missing, seen: found.statuses.length },
      });
    }
    task.progress({ message: `Waiting for ${[...pending, ...missing].join(', ') || 'the first status'}` });
    await pause(intervalMs, task.signal, subject);
  }
}
