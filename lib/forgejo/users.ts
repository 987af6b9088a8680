import type { JsonObject } from '../json';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { type Change, differences } from './change';
import { readFound } from './kind';
import { users } from './kinds/people';
import { findFound, getFound, send } from './things';

/** Accounts, as an admin sees and changes them: they are read at one address and written at another. */
const server = { path: '', at: {} } as const;
const account = '/admin/users/{username}';

type UserChange = Change<typeof users.shape>;

/** Whether the password is the same nobody can tell, so it is only given to a new one. */
export async function ensureUser(api: ForgejoApi, body: JsonObject, dryRun: boolean, task: Task): Promise<UserChange> {
  const there = await findFound(
    api,
    users,
    server,
    { username: typeof body['username'] === 'string' ? body['username'] : '' },
    task,
  );
  if (there !== null) return { changed: false, dryRun, before: there.item, after: there.item };
  if (dryRun) return { changed: true, dryRun, before: null, after: null };
  const read = (answer: unknown) => readFound(users, answer).item;
  const after = await send(api, 'POST', server, '/admin/users', {}, read, task, { body });
  return { changed: true, dryRun, before: null, after };
}

export async function updateUser(
  api: ForgejoApi,
  username: string,
  body: JsonObject,
  dryRun: boolean,
  task: Task,
): Promise<UserChange> {
  const before = await getFound(api, users, server, { username }, task);
  if (differences(users, before.raw, body).length === 0) {
    return { changed: false, dryRun, before: before.item, after: before.item };
  }
  if (dryRun) return { changed: true, dryRun, before: before.item, after: null };
  const read = (answer: unknown) => readFound(users, answer).item;
  const sent = { body, idempotent: true };
  const after = await send(api, 'PATCH', server, account, { username }, read, task, sent);
  return { changed: true, dryRun, before: before.item, after };
}

export async function removeUser(api: ForgejoApi, username: string, dryRun: boolean, task: Task): Promise<UserChange> {
  const before = (await findFound(api, users, server, { username }, task))?.item ?? null;
  if (before !== null && !dryRun) {
    await orNull(send(api, 'DELETE', server, account, { username }, () => undefined, task));
  }
  return { changed: before !== null, dryRun, before, after: null };
}
