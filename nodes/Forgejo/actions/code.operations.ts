import { compareCommits, compareShape } from '../../../lib/forgejo/compare';
import { commits, branches, branchProtections, tagProtections, tags } from '../../../lib/forgejo/kinds/code';
import { pullRequests } from '../../../lib/forgejo/kinds/issues';
import { readFound } from '../../../lib/forgejo/kind';
import { listStatuses } from '../../../lib/forgejo/statuses';
import { send } from '../../../lib/forgejo/things';
import { parseRepositoryName } from '../../../lib/forgejo/repository-name';
import { list, number, text, toggle } from '../../declaration';
import { bodyOf, commandOf, createOnceOf, deleteOf, ensureOf, getOf, listOf, target, updateOf } from '../build';
import { branchField, commitField, idField, refField, repositoryField, statusOutput } from '../fields';
import { operation } from '../operation';
import { itemSchema } from '../output';
import { inRepository } from '../places';

/** What stands at the end of an address may hold slashes: each part is one of its own, which proxies let pass. */
export const parts = (value: unknown) => String(value).split('/');

const branch = target({
  kind: branches,
  name: 'branch',
  where: inRepository,
  choose: { branch: branchField },
  namesOf: ({ input }) => ({ branch: parts(input['branch']) }),
});

export const branchOperations = [
  listOf(branch),
  getOf(branch),
  createOnceOf(branch, {
    description: 'Creates a branch, unless there is one of this name',
    fields: {
      newBranch: text({ label: 'New Branch', required: true, placeholder: 'deploy/bruno' }),
      from: text({ label: 'From', placeholder: 'main', description: 'Branch, tag or commit. Empty: default branch.' }),
    },
    body: ({ input }) => ({
      new_branch_name: input['newBranch'] as string,
      ...(input['from'] !== '' && { old_ref_name: input['from'] as string }),
    }),
    found: (body) => ({ names: { branch: parts(body['new_branch_name']) } }),
    // It is there: what it was made from is not kept.
    update: () => ({}),
  }),
  commandOf(branch, {
    name: 'rename',
    action: 'Rename a branch',
    description: 'Gives a branch another name. Pull requests follow it.',
    method: 'PATCH',
    below: '/branches/{branch}',
    since: { forgejo: 10, gitea: [1, 24] },
    input: { newName: text({ label: 'New Name', required: true }) },
    body: ({ newName }) => ({ name: newName }),
  }),
  deleteOf(branch),
];

const protectionSettings = {
  enablePush: toggle({ label: 'Enable Push', description: 'Whether anybody with write access may push' }),
  enablePushWhitelist: toggle({
    label: 'Only Some May Push',
    description: 'Whether only those of the push lists may push',
  }),
  pushWhitelistUsernames: list({ label: 'Users Who May Push' }),
  pushWhitelistTeams: list({ label: 'Teams Who May Push' }),
  pushWhitelistDeployKeys: toggle({
    label: 'Deploy Keys May Push',
    description: 'Whether deploy keys with write access may push',
  }),
  enableMergeWhitelist: toggle({
    label: 'Only Some May Merge',
    description: 'Whether only those of the merge lists may merge',
  }),
  mergeWhitelistUsernames: list({ label: 'Users Who May Merge' }),
  mergeWhitelistTeams: list({ label: 'Teams Who May Merge' }),
  enableStatusCheck: toggle({
    label: 'Enable Status Check',
    description: 'Whether the statuses have to be good before a merge',
  }),
  statusCheckContexts: list({ label: 'Status Contexts', description: 'Globs of those that have to be good' }),
  requiredApprovals: number({ label: 'Required Approvals', default: 1, min: 0, integer: true }),
  dismissStaleApprovals: toggle({
    label: 'Dismiss Stale Approvals',
    description: 'Whether new commits take approvals back',
  }),
  blockOnRejectedReviews: toggle({
    label: 'Block on Rejected Reviews',
    description: 'Whether a rejecting review blocks the merge',
  }),
  blockOnOutdatedBranch: toggle({
    label: 'Block on Outdated Branch',
    description: 'Whether a branch that is behind cannot be merged',
  }),
  requireSignedCommits: toggle({ label: 'Require Signed Commits', description: 'Whether commits must be signed' }),
  protectedFilePatterns: text({ label: 'Protected Files', description: 'Globs, with semicolons between them' }),
  applyToAdmins: toggle({ label: 'Apply to Admins', description: 'Whether it binds admins, too' }),
};

const ruleField = text({ label: 'Rule', required: true, placeholder: 'main', description: 'Branch or glob' });
const branchProtection = target({
  kind: branchProtections,
  name: 'branchProtection',
  where: inRepository,
  choose: { rule: ruleField },
  namesOf: ({ input }) => ({ rule: input['rule'] as string }),
});

export const branchProtectionOperations = [
  listOf(branchProtection),
  getOf(branchProtection),
  ensureOf(branchProtection, {
    fields: { rule: ruleField },
    settings: protectionSettings,
    body: ({ input, settings }) => ({ rule_name: input['rule'] as string, ...bodyOf({}, settings) }),
    found: (_, { input }) => ({ names: { rule: input['rule'] as string } }),
    update: ({ rule_name: _, ...rest }) => rest,
  }),
  deleteOf(branchProtection),
];

const tagField = text({ label: 'Tag', required: true, placeholder: 'v1.2.0' });
const tag = target({
  kind: tags,
  name: 'tag',
  where: inRepository,
  choose: { tag: tagField },
  namesOf: ({ input }) => ({ tag: parts(input['tag']) }),
});

export const tagOperations = [
  listOf(tag),
  getOf(tag),
  createOnceOf(tag, {
    description: 'Creates a tag, unless there is one of this name',
    fields: {
      tag: tagField,
      tagTarget: text({
        label: 'Target',
        placeholder: 'main',
        description: 'Branch or commit. Empty: the default branch.',
      }),
      tagMessage: text({ label: 'Message', multiline: true, description: 'Makes it an annotated tag' }),
    },
    body: ({ input }) => ({
      tag_name: input['tag'] as string,
      ...(input['tagTarget'] !== '' && { target: input['tagTarget'] as string }),
      ...(input['tagMessage'] !== '' && { message: input['tagMessage'] as string }),
    }),
    found: (_, { input }) => ({ names: { tag: parts(input['tag']) } }),
    update: () => ({}),
  }),
  deleteOf(tag),
];

const patternField = text({ label: 'Name Pattern', required: true, placeholder: 'v*' });
const tagProtection = target({
  kind: tagProtections,
  name: 'tagProtection',
  where: inRepository,
  choose: { tagProtectionId: idField('Tag Protection ID') },
  namesOf: ({ input }) => ({ id: input['tagProtectionId'] as number }),
});
const tagProtectionSettings = {
  whitelistUsernames: list({ label: 'Users' }),
  whitelistTeams: list({ label: 'Teams' }),
};

export const tagProtectionOperations = [
  listOf(tagProtection),
  getOf(tagProtection),
  ensureOf(tagProtection, {
    fields: { namePattern: patternField },
    settings: tagProtectionSettings,
    found: (_, { input }) => ({ called: input['namePattern'] as string }),
  }),
  updateOf(tagProtection, { settings: { namePattern: text({ label: 'New Pattern' }), ...tagProtectionSettings } }),
  deleteOf(tagProtection),
];

const commit = target({
  kind: commits,
  name: 'commit',
  where: inRepository,
  choose: { commit: commitField },
  namesOf: ({ input }) => ({ sha: input['commit'] as string }),
});

export const commitOperations = [
  getOf(commit),
  listOf(commit, {
    description: 'Gives the commits that a branch, tag or commit holds, the newest first, from all pages',
    fields: { ref: refField },
    filters: {
      path: text({ label: 'Path', description: 'Only those that changed this file or folder' }),
      not: text({ label: 'Not In', description: 'Leaves out what this branch, tag or commit holds' }),
    },
    ofInput: ({ ref }) => (ref === '' ? {} : { sha: ref as string }),
  }),
  operation({
    resource: 'commit',
    name: 'compare',
    action: 'Compare two commits',
    description: 'Tells which commits and files are in the second one that are not in the first',
    effect: 'reads',
    input: {
      repository: repositoryField,
      baseRef: text({ label: 'From', required: true, placeholder: 'v1.0.0', description: 'Branch, tag or commit' }),
      headRef: text({ label: 'To', required: true, placeholder: 'main', description: 'Branch, tag or commit' }),
    },
    output: itemSchema(compareShape),
    run: ({ input: { repository, baseRef, headRef }, api, task }) =>
      compareCommits(api, parseRepositoryName(repository), { base: baseRef, head: headRef }, task),
  }),
  operation({
    resource: 'commit',
    name: 'pullRequest',
    label: 'Get Pull Request',
    action: 'Get the pull request of a commit',
    description: 'Gives the merged pull request that brought a commit',
    effect: 'reads',
    input: { repository: repositoryField, commit: commitField },
    output: itemSchema(pullRequests.shape),
    run: async ({ input, api, task }): Promise<object> => {
      const base = inRepository.baseOf(input);
      const read = (body: unknown) => readFound(pullRequests, body).item;
      return send(api, 'GET', base, '/commits/{sha}/pull', { sha: input.commit }, read, task);
    },
  }),
];

export const listStatusesOperation = operation({
  resource: 'commitStatus',
  name: 'list',
  action: 'List the statuses of a commit',
  description: 'Gives every status that was ever set, the newest first, from all pages',
  effect: 'reads',
  input: { repository: repositoryField, commit: commitField },
  output: statusOutput,
  run: ({ input, api, task }) =>
    listStatuses(api, { name: parseRepositoryName(input.repository), ref: input.commit }, task),
});
