import { type ForgejoApi, forgejoApi } from '../../lib/forgejo/api';
import { parseForgejoCredential } from '../../lib/forgejo/credential';
import { branches } from '../../lib/forgejo/kinds/code';
import { organizations } from '../../lib/forgejo/kinds/people';
import { searchRepositories } from '../../lib/forgejo/repositories';
import { parseRepositoryName } from '../../lib/forgejo/repository-name';
import { findOwners } from '../../lib/forgejo/owners';
import { listFound } from '../../lib/forgejo/things';
import { findWorkflows } from '../../lib/forgejo/workflows';
import { isObject } from '../../lib/json';
import type { Task } from '../../lib/task';
import { searchable } from '../declaration';
import type { Search } from '../declaration';

const DEADLINE_MS = 30_000;

type Asker = Parameters<Search['find']>[0];

/** A searchable list of all pages. */
function search(
  name: string,
  find: (api: ForgejoApi, asked: { asker: Asker; filter: string; task: Task }) => Promise<readonly string[]>,
): Search {
  return searchable(name, async (asker, filter) => {
    const api = forgejoApi(parseForgejoCredential(await asker.getCredentials('selfhostForgejo')));
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: name };
    const found = await find(api, { asker, filter, task }).finally(api.close);
    const wanted = filter.toLowerCase();
    const fitting = found.filter((one) => one.toLowerCase().includes(wanted));
    return { results: fitting.map((one) => ({ name: one, value: one })) };
  });
}

/** The repository that is chosen in the form already. */
function chosenRepository(asker: Asker) {
  const raw: unknown = asker.getCurrentNodeParameter('repository');
  const value = isObject(raw) ? raw['value'] : raw;
  return parseRepositoryName(typeof value === 'string' ? value : '');
}

export const repositorySearch = search('searchRepositories', async (api, { filter, task }) =>
  (await searchRepositories(api, { text: filter }, task)).map(({ fullName }) => fullName),
);

export const ownerSearch = search('searchOwners', (api, { task }) => findOwners(api, task));

export const organizationSearch = search('searchOrganizations', async (api, { task }) =>
  (await listFound(api, organizations, { path: '', at: {} }, task)).map(({ item }) => item.name),
);

export const branchSearch = search('searchBranches', async (api, { asker, task }) => {
  const base = { path: '/repos/{owner}/{repo}', at: { ...chosenRepository(asker) } };
  return (await listFound(api, branches, base, task)).map(({ item }) => item.name);
});

export const workflowSearch = search('searchWorkflows', (api, { asker, task }) =>
  findWorkflows(api, chosenRepository(asker), task),
);
