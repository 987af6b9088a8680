import {
  deleteRepository,
  ensureRepository,
  getRepository,
  searchRepositories,
} from '../../../../lib/forgejo/repositories';
import { parseRepositoryName } from '../../../../lib/forgejo/repository-name';
import { number, optional, text, toggle } from '../../../declaration';
import { repositoryChange, repositoryField, repositoryOutput } from '../../fields';
import { operation } from '../../operation';

export const getRepositoryOperation = operation({
  resource: 'repository',
  name: 'get',
  action: 'Get a repository',
  description: 'Reads one repository',
  effect: 'reads',
  input: { repository: repositoryField },
  output: repositoryOutput,
  run: ({ input, api, task }) => getRepository(api, parseRepositoryName(input.repository), task),
});

export const searchRepositoriesOperation = operation({
  resource: 'repository',
  name: 'search',
  action: 'Search repositories',
  description: 'Lists the repositories that the token reaches, all pages',
  effect: 'reads',
  input: {
    search: text({ label: 'Search', description: 'Part of the name. Empty: all.' }),
    options: optional({
      limit: number({
        label: 'Limit',
        default: 50,
        min: 1,
        integer: true,
        description: 'Max number of results to return',
      }),
    }),
  },
  output: repositoryOutput,
  run: ({ input, api, task }) => {
    const { limit } = input.options;
    return searchRepositories(api, { text: input.search, ...(limit !== undefined && { limit }) }, task);
  },
});

export const ensureRepositoryOperation = operation({
  resource: 'repository',
  name: 'ensure',
  action: 'Create or update a repository',
  description: 'Makes the repository, or lets the one that is there be as wanted. What is not given stays as it is.',
  effect: 'creates',
  dryRun: true,
  input: {
    repository: repositoryField,
    settings: optional(
      {
        private: toggle({ label: 'Private', default: true, description: 'Whether only members may see it' }),
        description: text({ label: 'Description' }),
        defaultBranch: text({ label: 'Default Branch', placeholder: 'main', description: 'Of a new repository' }),
      },
      { label: 'Settings', add: 'Add Setting' },
    ),
  },
  output: repositoryChange,
  run: ({ input, api, task }) =>
    ensureRepository(api, { name: parseRepositoryName(input.repository), ...input.settings }, input.dryRun, task),
});

export const deleteRepositoryOperation = operation({
  resource: 'repository',
  name: 'delete',
  action: 'Delete a repository',
  description: 'Deletes the repository with everything in it. It cannot be taken back.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: { repository: repositoryField },
  output: repositoryChange,
  run: ({ input, api, task }) => deleteRepository(api, parseRepositoryName(input.repository), input.dryRun, task),
});
