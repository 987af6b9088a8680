import { Failure } from '../failure';
import type { Task } from '../task';
import type { ForgejoApi } from './api';
import type { Change } from './change';
import type { Base } from './kind';
import { pullRequests } from './kinds/issues';
import { getFound, send } from './things';

export const MERGE_STYLES = {
  merge: 'Merge',
  rebase: 'Rebase',
  'rebase-merge': 'Rebase and Merge',
  squash: 'Squash',
  'fast-forward-only': 'Fast Forward Only',
} as const;

export interface Merge {
  readonly index: number;
  readonly style: keyof typeof MERGE_STYLES;
  readonly headCommit?: string;
  readonly title?: string;
  readonly message?: string;
  readonly deleteBranch?: boolean;
  readonly whenChecksSucceed?: boolean;
  readonly force?: boolean;
}

/** Merges what was looked at: the server is told which commit that was, and refuses another one. */
export async function mergePullRequest(
  api: ForgejoApi,
  base: Base,
  wanted: Merge,
  dryRun: boolean,
  task: Task,
): Promise<Change<typeof pullRequests.shape> & { readonly scheduled: boolean }> {
  const names = { index: wanted.index };
  const { item: before } = await getFound(api, pullRequests, base, names, task);
  const { headCommit = '' } = wanted;
  if (before.merged) return { changed: false, dryRun, scheduled: false, before, after: before };
  if (before.state !== 'open') throw refused(wanted, 'it is closed', 'Open it again first.');
  if (headCommit !== '' && headCommit !== before.headCommit) {
    throw refused(wanted, `its head is ${before.headCommit}, not ${headCommit}`, 'Look at what was pushed meanwhile.');
  }
  if (dryRun) return { changed: true, dryRun, scheduled: wanted.whenChecksSucceed === true, before, after: null };
  const body = {
    Do: wanted.style,
    head_commit_id: before.headCommit,
    ...(wanted.title !== undefined && wanted.title !== '' && { MergeTitleField: wanted.title }),
    ...(wanted.message !== undefined && wanted.message !== '' && { MergeMessageField: wanted.message }),
    ...(wanted.deleteBranch !== undefined && { delete_branch_after_merge: wanted.deleteBranch }),
    ...(wanted.whenChecksSucceed !== undefined && { merge_when_checks_succeed: wanted.whenChecksSucceed }),
    ...(wanted.force !== undefined && { force_merge: wanted.force }),
  };
  await send(api, 'POST', base, '/pulls/{index}/merge', names, () => undefined, task, { body });
  const { item: after } = await getFound(api, pullRequests, base, names, task);
  return { changed: true, dryRun, scheduled: !after.merged, before, after };
}

function refused({ index }: Merge, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'not_mergeable',
    subject: `pull request ${index}`,
    message: `Pull request ${index} was not merged: ${why}`,
    nextStep,
  });
}
