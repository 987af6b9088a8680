import { isFailure } from '../failure';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import type { Change } from './change';
import type { Base } from './kind';
import { secrets, variables } from './kinds/actions';
import { findFound, listFound, send } from './things';

type SecretChange = Change<typeof secrets.shape>;

/** The server writes their names in capitals. Those of a user cannot be listed: then nobody can tell. */
async function look(api: ForgejoApi, base: Base, name: string, task: Task) {
  if (base.path === '/user') return null;
  const all = await listFound(api, secrets, base, task);
  return all.map(({ item }) => item).find((secret) => secret.name.toUpperCase() === name.toUpperCase()) ?? null;
}

export async function ensureSecret(
  api: ForgejoApi,
  base: Base,
  { name, data }: { readonly name: string; readonly data: string },
  dryRun: boolean,
  task: Task,
): Promise<SecretChange> {
  const before = await look(api, base, name, task);
  if (dryRun) return { changed: true, dryRun, before, after: null };
  await send(api, 'PUT', base, secrets.member, { secret: name }, () => undefined, task, { body: { data } });
  return { changed: true, dryRun, before, after: await look(api, base, name, task) };
}

export async function removeSecret(
  api: ForgejoApi,
  base: Base,
  name: string,
  dryRun: boolean,
  task: Task,
): Promise<SecretChange> {
  const before = await look(api, base, name, task);
  const isListed = base.path !== '/user';
  if (isListed && before === null) return { changed: false, dryRun, before, after: null };
  if (dryRun) return { changed: true, dryRun, before, after: null };
  const gone = await orNull(send(api, 'DELETE', base, secrets.member, { secret: name }, () => true, task));
  return { changed: gone !== null, dryRun, before, after: null };
}

/** There is one request for a new one and one for a change; whoever comes between the two makes ours the change. */
export async function ensureVariable(
  api: ForgejoApi,
  base: Base,
  { name, value }: { readonly name: string; readonly value: string },
  dryRun: boolean,
  task: Task,
): Promise<Change<typeof variables.shape>> {
  const names = { variable: name };
  const before = (await findFound(api, variables, base, names, task))?.item ?? null;
  if (before?.value === value) return { changed: false, dryRun, before, after: before };
  if (dryRun) return { changed: true, dryRun, before, after: null };
  const sent = { body: { value }, since: variables.since, idempotent: true };
  const write = (method: 'POST' | 'PUT') =>
    send(api, method, base, variables.member, names, () => undefined, task, sent);
  if (before !== null) await write('PUT');
  else {
    await write('POST').catch(async (error: unknown) => {
      if (!isFailure(error, 'conflict')) throw error;
      await write('PUT');
    });
  }
  const after = (await findFound(api, variables, base, names, task))?.item ?? null;
  return { changed: true, dryRun, before, after };
}
