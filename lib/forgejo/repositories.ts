import type { JsonObject } from '../json';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { command, endpoint } from './endpoint';
import { fieldsOf } from './fields';
import type { RepositoryName } from './repository-name';

export interface Repository {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly fullName: string;
  readonly description: string;
  readonly private: boolean;
  readonly archived: boolean;
  readonly empty: boolean;
  readonly mirror: boolean;
  readonly defaultBranch: string;
  readonly cloneUrl: string;
  readonly sshUrl: string;
  readonly url: string;
}

function parseRepository(body: unknown): Repository {
  const repository = fieldsOf(body, 'a repository');
  const text = (name: string) => repository.textOrNull(name) ?? '';
  return {
    id: repository.number('id'),
    name: repository.text('name'),
    owner: repository.part('owner').text('login'),
    fullName: repository.text('full_name'),
    description: text('description'),
    private: repository.flag('private'),
    archived: repository.flag('archived'),
    empty: repository.flag('empty'),
    mirror: repository.flag('mirror'),
    defaultBranch: text('default_branch'),
    cloneUrl: text('clone_url'),
    sshUrl: text('ssh_url'),
    url: text('html_url'),
  };
}

const get = endpoint('GET', '/repos/{owner}/{repo}', parseRepository);
const search = endpoint('GET', '/repos/search', parseRepository);
const createOwn = endpoint('POST', '/user/repos', parseRepository);
const createInOrganization = endpoint('POST', '/orgs/{org}/repos', parseRepository);
const edit = endpoint('PATCH', '/repos/{owner}/{repo}', parseRepository, { idempotent: true });
const remove = command('DELETE', '/repos/{owner}/{repo}');
const currentUser = endpoint('GET', '/user', (body) => fieldsOf(body, 'the user of the token').text('login'));

export const repositoryEndpoints = [get, search, createOwn, createInOrganization, edit, remove];

export function getRepository(api: ForgejoApi, name: RepositoryName, task: Task): Promise<Repository> {
  return api.call(get, { at: { ...name } }, task);
}

export async function searchRepositories(
  api: ForgejoApi,
  filter: { readonly text: string; readonly limit?: number },
  task: Task,
): Promise<readonly Repository[]> {
  const { items } = await api.list(search, { at: {}, query: { q: filter.text } }, task, filter.limit);
  return items;
}

export interface WantedRepository {
  readonly name: RepositoryName;
  readonly private?: boolean;
  readonly description?: string;
  /** Only for a new one. */
  readonly defaultBranch?: string;
}

export interface Changed<Thing> {
  readonly changed: boolean;
  readonly dryRun: boolean;
  readonly before: Thing | null;
  /** In a dry run of something new, null. */
  readonly after: Thing | null;
}

/** Makes the repository, or lets the one that is there be as wanted. What is not given stays as it is. */
export async function ensureRepository(
  api: ForgejoApi,
  wanted: WantedRepository,
  dryRun: boolean,
  task: Task,
): Promise<Changed<Repository>> {
  const before = await orNull(getRepository(api, wanted.name, task));
  const settings: JsonObject = {
    ...(wanted.private !== undefined && { private: wanted.private }),
    ...(wanted.description !== undefined && { description: wanted.description }),
  };
  if (before === null) {
    if (dryRun) return { changed: true, dryRun, before, after: null };
    return { changed: true, dryRun, before, after: await create(api, wanted, settings, task) };
  }
  const isAsWanted =
    before.private === (wanted.private ?? before.private) &&
    before.description === (wanted.description ?? before.description);
  if (isAsWanted) return { changed: false, dryRun, before, after: before };
  if (dryRun) return { changed: true, dryRun, before, after: { ...before, ...settings } };
  const after = await api.call(edit, { at: { ...wanted.name }, body: { json: settings } }, task);
  return { changed: true, dryRun, before, after };
}

async function create(
  api: ForgejoApi,
  { name: { owner, repo }, defaultBranch }: WantedRepository,
  settings: JsonObject,
  task: Task,
): Promise<Repository> {
  const body = {
    json: { name: repo, ...settings, ...(defaultBranch !== undefined && { default_branch: defaultBranch }) },
  };
  const login = await api.call(currentUser, { at: {} }, task);
  if (login.toLowerCase() === owner.toLowerCase()) return api.call(createOwn, { at: {}, body }, task);
  return api.call(createInOrganization, { at: { org: owner }, body }, task);
}

/** With everything in it: issues, releases, hooks. */
export async function deleteRepository(
  api: ForgejoApi,
  name: RepositoryName,
  dryRun: boolean,
  task: Task,
): Promise<Changed<Repository>> {
  const before = await orNull(getRepository(api, name, task));
  if (before !== null && !dryRun) await orNull(api.call(remove, { at: { ...name } }, task));
  return { changed: before !== null, dryRun, before, after: null };
}
