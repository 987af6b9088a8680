import { number, pick, schema, text } from '../declaration';
import { branchSearch, organizationSearch, ownerSearch, repositorySearch, workflowSearch } from './searches';

export const repositoryField = pick(repositorySearch, {
  label: 'Repository',
  byHand: 'By Name',
  placeholder: 'kua/infrastructure',
  description: 'Owner and name',
});

export const organizationField = pick(organizationSearch, {
  label: 'Organization',
  byHand: 'By Name',
  placeholder: 'kua',
});

export const ownerField = pick(ownerSearch, {
  label: 'Owner',
  byHand: 'By Name',
  placeholder: 'kua',
  description: 'User or organization',
});

export const branchField = pick(branchSearch, { label: 'Branch', byHand: 'By Name', placeholder: 'main' });

export const workflowField = pick(workflowSearch, {
  label: 'Workflow',
  byHand: 'By File Name',
  placeholder: 'deploy.yaml',
  description: 'Its file in .forgejo/workflows, .gitea/workflows or .github/workflows',
});

export const commitField = text({
  label: 'Commit',
  required: true,
  placeholder: 'main',
  description: 'Branch, tag or ID of the commit',
});

export const issueField = number({ label: 'Issue Number', default: 1, min: 1, integer: true });
export const pullRequestField = number({ label: 'Pull Request Number', default: 1, min: 1, integer: true });

/** An id as a number of its own. */
export function idField(label: string) {
  return number({ label, default: 1, min: 1, integer: true });
}

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
