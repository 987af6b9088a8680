import { isFailure } from '../failure';
import type { Task } from '../task';
import type { ForgejoApi } from './api';
import type { Change } from './change';
import { command, endpoint } from './endpoint';
import { readFound } from './kind';
import { collaboratorPermissions } from './kinds/repository';
import type { RepositoryName } from './repository-name';

const one = '/repos/{owner}/{repo}/collaborators/{collaborator}';
const isThere = endpoint('GET', one, () => true);
const add = command('PUT', one);
const remove = command('DELETE', one);
const permission = endpoint('GET', `${one}/permission`, (body) => readFound(collaboratorPermissions, body).item);

type CollaboratorChange = Change<typeof collaboratorPermissions.shape>;

/** Null for who is no collaborator, whatever else gives them access. */
async function look(api: ForgejoApi, at: RepositoryName & { collaborator: string }, task: Task) {
  try {
    await api.call(isThere, { at: { ...at } }, task);
  } catch (error) {
    if (isFailure(error, 'not_found')) return null;
    throw error;
  }
  return api.call(permission, { at: { ...at } }, task);
}

export async function ensureCollaborator(
  api: ForgejoApi,
  name: RepositoryName,
  wanted: { readonly collaborator: string; readonly permission: string },
  dryRun: boolean,
  task: Task,
): Promise<CollaboratorChange> {
  const at = { ...name, collaborator: wanted.collaborator };
  const before = await look(api, at, task);
  if (before?.permission === wanted.permission) return { changed: false, dryRun, before, after: before };
  if (dryRun) return { changed: true, dryRun, before, after: null };
  await api.call(add, { at: { ...at }, body: { json: { permission: wanted.permission } } }, task);
  return { changed: true, dryRun, before, after: await look(api, at, task) };
}

export async function removeCollaborator(
  api: ForgejoApi,
  name: RepositoryName,
  collaborator: string,
  dryRun: boolean,
  task: Task,
): Promise<CollaboratorChange> {
  const before = await look(api, { ...name, collaborator }, task);
  if (before !== null && !dryRun) await api.call(remove, { at: { ...name, collaborator } }, task);
  return { changed: before !== null, dryRun, before, after: null };
}
