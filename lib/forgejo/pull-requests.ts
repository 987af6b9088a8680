import type { JsonObject } from '../json';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { type Change, updateThing } from './change';
import { type Base, readFound } from './kind';
import { pullRequests } from './kinds/issues';
import { listFound, send } from './things';

export interface Branches {
  /** `owner:branch` of a fork. */
  readonly head: string;
  readonly base: string;
}

/** The server refuses a second open one of the same branches, so the one that is there is looked for by them. */
export async function ensurePullRequest(
  api: ForgejoApi,
  base: Base,
  branches: Branches,
  body: JsonObject,
  dryRun: boolean,
  task: Task,
): Promise<Change<typeof pullRequests.shape>> {
  const number = await openOne(api, base, branches, task);
  if (number !== null) return updateThing(api, pullRequests, base, { index: number }, body, dryRun, task);
  if (dryRun) return { changed: true, dryRun, before: null, after: null };
  const sent = { body: { head: branches.head, base: branches.base, ...body } };
  const read = (answer: unknown) => readFound(pullRequests, answer).item;
  const after = await send(api, 'POST', base, pullRequests.collection, {}, read, task, sent);
  return { changed: true, dryRun, before: null, after };
}

async function openOne(api: ForgejoApi, base: Base, { head, base: into }: Branches, task: Task) {
  const names = { base: into, head: head.split('/') };
  const read = (answer: unknown) => readFound(pullRequests, answer).item;
  const found = await orNull(send(api, 'GET', base, '/pulls/{base}/{head}', names, read, task));
  if (found === null || found.state === 'open') return found?.number ?? null;
  // Of several of the same branches the server shows any: one that was closed hides the open one.
  const [branch = '', owner] = head.split(':').toReversed();
  const all = await listFound(api, pullRequests, base, task, { query: { state: 'open' } });
  const same = all.find(
    ({ item }) =>
      item.state === 'open' &&
      item.base === into &&
      item.head === branch &&
      (owner === undefined || item.headRepository.startsWith(`${owner}/`)),
  );
  return same?.item.number ?? null;
}
