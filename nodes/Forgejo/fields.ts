import { forgejoApi } from '../../lib/forgejo/api';
import { parseForgejoCredential } from '../../lib/forgejo/credential';
import { searchRepositories } from '../../lib/forgejo/repositories';
import { pick, schema, searchable, text } from '../declaration';

const repositories = searchable('searchRepositories', async (asker, filter) => {
  const api = forgejoApi(parseForgejoCredential(await asker.getCredentials('selfhostForgejo')));
  const task = { signal: AbortSignal.timeout(20_000), progress: () => undefined, owner: 'list of repositories' };
  const found = await searchRepositories(api, { text: filter }, task).finally(api.close);
  return { results: found.map(({ fullName }) => ({ name: fullName, value: fullName })) };
});

export const repositoryField = pick(repositories, {
  label: 'Repository',
  byHand: 'By Name',
  placeholder: 'kua/infrastructure',
  description: 'Owner and name',
});

export const refField = text({
  label: 'Branch, Tag or Commit',
  placeholder: 'main',
  description: 'Empty: the default branch',
});

export const repositoryOutput = schema.object({
  id: schema.integer(),
  name: schema.string(),
  owner: schema.string(),
  fullName: schema.string(),
  description: schema.string(),
  private: schema.boolean(),
  archived: schema.boolean(),
  empty: schema.boolean('Whether it has no commit yet'),
  mirror: schema.boolean(),
  defaultBranch: schema.string(),
  cloneUrl: schema.string(),
  sshUrl: schema.string(),
  url: schema.string(),
});

export const repositoryChange = schema.object({
  changed: schema.boolean('In a dry run: whether it would change'),
  dryRun: schema.boolean(),
  before: schema.nullable(repositoryOutput),
  after: schema.nullable(repositoryOutput),
});

export const statusOutput = schema.object({
  context: schema.string(),
  state: schema.string(),
  description: schema.string(),
  targetUrl: schema.string(),
  updatedAt: schema.string(),
});

export const combinedOutput = {
  sha: schema.string(),
  state: schema.nullable(schema.string('Null while nobody has said anything')),
  statuses: schema.array(statusOutput, 'The last one of each context'),
};

export const packageOutput = {
  id: schema.integer(),
  owner: schema.string(),
  type: schema.string(),
  name: schema.string(),
  version: schema.string(),
  createdAt: schema.string(),
};
