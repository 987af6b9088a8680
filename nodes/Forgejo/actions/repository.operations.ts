import { download } from '../../../lib/forgejo/downloads';
import type { Base } from '../../../lib/forgejo/kind';
import {
  collaboratorPermissions,
  collaborators,
  deployKeys,
  forks,
  ownRepositories,
  pushMirrors,
  repositories,
} from '../../../lib/forgejo/kinds/repository';
import { ensureCollaborator, removeCollaborator } from '../../../lib/forgejo/collaborators';
import { migrateRepository, MIGRATION_SERVICES } from '../../../lib/forgejo/migrate';
import { getRepository } from '../../../lib/forgejo/repositories';
import { parseRepositoryName } from '../../../lib/forgejo/repository-name';
import { ensureTopics, listTopics } from '../../../lib/forgejo/topics';
import { binaryProperty, choice, list, optional, schema, text, toggle, withBinary } from '../../declaration';
import { reveal } from '../../shared/secretSources';
import { bodyOf, commandOf, createOf, createOnceOf, deleteOf, getOf, listOf, target, updateOf } from '../build';
import { idField, ownerField, refField, repositoryField } from '../fields';
import { operation } from '../operation';
import { changeFields, changeSchema } from '../output';
import { inRepository, onServer, repositoryBase } from '../places';
import { secretField } from '../secretField';

const repository = target({ kind: repositories, name: 'repository', where: inRepository });
const owned = target({ kind: ownRepositories, name: 'repository', where: onServer, many: 'repositories' });
const fork = target({ kind: forks, name: 'repository', where: inRepository });

const may = (label: string, description: string) => toggle({ label, description: `Whether ${description}` });

export const moreRepositoryOperations = [
  listOf(owned, {
    action: 'List the repositories of an owner',
    description: 'Gives the repositories of a user or organization, from all pages',
    fields: {
      of: choice({
        label: 'Of',
        options: { own: 'Own User', user: 'User', organization: 'Organization' },
        default: 'own',
      }),
      name: text({ label: 'Name', placeholder: 'kua', description: 'Of the user or organization' }),
    },
    baseOf: ({ input }): Base => {
      const name = input['name'] as string;
      if (input['of'] === 'user') return { path: '/users/{username}', at: { username: name } };
      if (input['of'] === 'organization') return { path: '/orgs/{org}', at: { org: name } };
      return { path: '/user', at: {} };
    },
  }),
  updateOf(repository, {
    action: 'Update a repository',
    settings: {
      name: text({ label: 'New Name' }),
      description: text({ label: 'Description' }),
      website: text({ label: 'Website' }),
      private: may('Private', 'only members may see it'),
      archived: may('Archived', 'it is read-only from now on'),
      template: may('Template', 'others can be made from it'),
      defaultBranch: text({ label: 'Default Branch' }),
      mirrorInterval: text({ label: 'Mirror Interval', placeholder: '8h0m0s' }),
      hasIssues: may('Issues', 'it has issues'),
      hasPullRequests: may('Pull Requests', 'it has pull requests'),
      hasReleases: may('Releases', 'it has releases'),
      hasPackages: may('Packages', 'it has packages'),
      hasActions: may('Actions', 'it runs workflows'),
      hasProjects: may('Projects', 'it has projects'),
      hasWiki: may('Wiki', 'it has a wiki'),
      allowMergeCommits: may('Allow Merge Commits', 'pull requests may be merged'),
      allowRebase: may('Allow Rebase', 'pull requests may be rebased'),
      allowSquashMerge: may('Allow Squash', 'pull requests may be squashed'),
      allowFastForwardOnlyMerge: may('Allow Fast Forward Only', 'pull requests may be fast-forwarded'),
      defaultDeleteBranchAfterMerge: may(
        'Delete Branch After Merge',
        'the branch goes after a merge, if nobody says otherwise',
      ),
      defaultMergeStyle: text({ label: 'Default Merge Style', placeholder: 'squash' }),
    },
  }),
  operation({
    resource: 'repository',
    name: 'migrate',
    action: 'Migrate a repository',
    description: 'Copies a repository from another server, once or as a mirror, unless there is one of this name',
    effect: 'creates',
    dryRun: true,
    input: {
      repository: repositoryField,
      cloneAddress: text({ label: 'Clone Address', required: true, placeholder: 'https://github.com/kua/infra.git' }),
      service: choice({ label: 'From', options: MIGRATION_SERVICES, default: 'git' }),
      authToken: secretField({ label: 'Token' }),
      settings: optional(
        {
          mirror: may('Mirror', 'it follows the original'),
          mirrorInterval: text({ label: 'Mirror Interval', placeholder: '8h0m0s' }),
          private: may('Private', 'only members may see it'),
          description: text({ label: 'Description' }),
          lfs: may('LFS', 'large files come with it'),
          issues: may('Issues', 'issues come with it'),
          labels: may('Labels', 'labels come with it'),
          milestones: may('Milestones', 'milestones come with it'),
          pullRequests: may('Pull Requests', 'pull requests come with it'),
          releases: may('Releases', 'releases come with it'),
          wiki: may('Wiki', 'the wiki comes with it'),
        },
        { label: 'Settings', add: 'Add Setting' },
      ),
    },
    output: changeSchema(repositories.shape),
    run: async ({ input, api, secrets, task }): Promise<object> => {
      const { repository: name, cloneAddress, service, authToken, settings, dryRun } = input;
      const token = await reveal(authToken, secrets, task);
      const wanted = { name: parseRepositoryName(name), cloneAddress, service, token, settings: bodyOf({}, settings) };
      return migrateRepository(api, wanted, dryRun, task);
    },
  }),
  createOf(fork, {
    name: 'fork',
    action: 'Fork a repository',
    description: 'Copies a repository within the server, to change it without changing the original',
    settings: {
      organization: text({ label: 'Organization', description: 'Where the fork goes. Left out: to the own user.' }),
      name: text({ label: 'Name' }),
    },
  }),
  listOf(fork, {
    name: 'listForks',
    label: 'List Forks',
    action: 'List the forks of a repository',
    description: 'Gives the forks of a repository, from all pages',
  }),
  commandOf(repository, {
    name: 'transfer',
    action: 'Transfer a repository',
    description: 'Hands a repository to another owner, who may have to accept it',
    effect: 'destroys',
    needsApproval: true,
    method: 'POST',
    below: '/transfer',
    input: { owner: ownerField },
    body: ({ owner }) => ({ new_owner: owner }),
    isDone: (raw, { owner }) =>
      (raw['owner'] as { readonly login?: string } | undefined)?.login?.toLowerCase() === owner.toLowerCase(),
  }),
  commandOf(repository, {
    name: 'syncMirror',
    label: 'Sync Mirror',
    action: 'Sync a mirror',
    description: 'Lets a mirror fetch from its original now',
    method: 'POST',
    below: '/mirror-sync',
    idempotent: true,
  }),
  operation({
    resource: 'repository',
    name: 'listTopics',
    label: 'List Topics',
    action: 'List the topics of a repository',
    description: 'Gives the topics of a repository',
    effect: 'reads',
    input: { repository: repositoryField },
    output: schema.object({ topics: schema.array(schema.string()) }),
    run: async ({ input, api, task }) => ({
      topics: await listTopics(api, parseRepositoryName(input.repository), task),
    }),
  }),
  operation({
    resource: 'repository',
    name: 'setTopics',
    label: 'Set Topics',
    action: 'Set the topics of a repository',
    description: 'Lets a repository have exactly these topics',
    effect: 'changes',
    dryRun: true,
    input: { repository: repositoryField, topics: list({ label: 'Topics' }) },
    output: schema.object({
      ...changeFields,
      before: schema.array(schema.string()),
      after: schema.array(schema.string()),
    }),
    run: ({ input, api, task }) =>
      ensureTopics(api, parseRepositoryName(input.repository), input.topics, input.dryRun, task),
  }),
  operation({
    resource: 'repository',
    name: 'archive',
    label: 'Download Archive',
    action: 'Download the archive of a repository',
    description: 'Gives all files of a branch, tag or commit as one archive, without holding it in memory',
    effect: 'reads',
    input: {
      repository: repositoryField,
      ref: refField,
      format: choice({
        label: 'Format',
        options: { 'tar.gz': 'tar.gz', zip: 'ZIP', bundle: 'Git Bundle' },
        default: 'tar.gz',
      }),
      binaryField: binaryProperty(),
    },
    output: schema.object({ fileName: schema.string(), ref: schema.string() }),
    run: async ({ input, api, binary, task }) => {
      const base = repositoryBase(input.repository);
      const { owner, repo } = parseRepositoryName(input.repository);
      const ref = input.ref === '' ? (await getRepository(api, { owner, repo }, task)).defaultBranch : input.ref;
      const fileName = `${repo}-${ref.replaceAll('/', '-')}.${input.format}`;
      const names = { archive: `${ref}.${input.format}`.split('/') };
      const { content, contentType } = await download(api, base, '/archive/{archive}', names, fileName, task);
      const stored = await binary.store(content, { fileName, mimeType: contentType });
      return withBinary({ fileName, ref }, { [input.binaryField]: stored });
    },
  }),
];

const mirrorField = text({ label: 'Mirror Name', required: true, description: 'As the list gives it' });
const pushMirror = target({
  kind: pushMirrors,
  name: 'pushMirror',
  where: inRepository,
  choose: { mirror: mirrorField },
  namesOf: ({ input }) => ({ mirror: input['mirror'] as string }),
});

export const pushMirrorOperations = [
  listOf(pushMirror),
  getOf(pushMirror),
  createOnceOf(pushMirror, {
    description: 'Lets the repository be pushed to another server, unless it is already',
    fields: {
      remoteAddress: text({ label: 'Remote Address', required: true, placeholder: 'https://github.com/kua/infra.git' }),
      remoteUsername: text({ label: 'User' }),
      remotePassword: secretField({ label: 'Password or Token' }),
      interval: text({ label: 'Interval', default: '8h0m0s', placeholder: '8h0m0s' }),
      syncOnCommit: toggle({
        label: 'Sync on Commit',
        default: true,
        description: 'Whether each push goes on at once',
      }),
    },
    settings: { branchFilter: text({ label: 'Branches', placeholder: 'main, release/*' }) },
    body: async ({ input, settings, secrets, task }) => {
      const { remoteAddress, remoteUsername, remotePassword, interval, syncOnCommit } = input;
      const password = await reveal(remotePassword as string, secrets, task);
      const fields = { remoteAddress, remoteUsername, remotePassword: password, interval, syncOnCommit };
      return bodyOf(fields, settings);
    },
    found: (body) => ({ called: body['remote_address'] as string }),
    update: () => ({}),
  }),
  commandOf(target({ kind: repositories, name: 'pushMirror', where: inRepository }), {
    name: 'sync',
    action: 'Sync the push mirrors of a repository',
    description: 'Pushes to all push mirrors of a repository now',
    method: 'POST',
    below: '/push_mirrors-sync',
    idempotent: true,
  }),
  deleteOf(pushMirror),
];

const deployKey = target({
  kind: deployKeys,
  name: 'deployKey',
  where: inRepository,
  choose: { keyId: idField('Key ID') },
  namesOf: ({ input }) => ({ id: input['keyId'] as number }),
});

/** Without the comment, which the server may drop. */
const bareKey = (key: unknown) => String(key).trim().split(/\s+/).slice(0, 2).join(' ');

export const deployKeyOperations = [
  listOf(deployKey),
  getOf(deployKey),
  createOnceOf(deployKey, {
    fields: {
      title: text({ label: 'Title', required: true, placeholder: 'bruno' }),
      key: text({ label: 'Public Key', required: true, placeholder: 'ssh-ed25519 AAAA…' }),
      readOnly: toggle({ label: 'Read Only', default: true, description: 'Whether it may only fetch' }),
    },
    found: (body) => ({ called: body['title'] as string, is: ({ key }) => bareKey(key) === bareKey(body['key']) }),
  }),
  deleteOf(deployKey),
];

const collaboratorField = text({
  label: 'Collaborator',
  required: true,
  placeholder: 'daniel',
  description: 'User name',
});
const collaborator = target({ kind: collaborators, name: 'collaborator', where: inRepository });
const permission = target({
  kind: collaboratorPermissions,
  name: 'collaborator',
  where: inRepository,
  choose: { collaborator: collaboratorField },
  namesOf: ({ input }) => ({ collaborator: input['collaborator'] as string }),
});

export const collaboratorOperations = [
  listOf(collaborator),
  getOf(permission, { description: 'Tells what a user may do in a repository' }),
  operation({
    resource: 'collaborator',
    name: 'ensure',
    action: 'Add or change a collaborator',
    description: 'Lets a user have exactly this permission in a repository',
    effect: 'changes',
    dryRun: true,
    input: {
      repository: repositoryField,
      collaborator: collaboratorField,
      permission: choice({
        label: 'Permission',
        options: { read: 'Read', write: 'Write', admin: 'Admin' },
        default: 'read',
      }),
    },
    output: changeSchema(collaboratorPermissions.shape),
    run: ({ input, api, task }): Promise<object> =>
      ensureCollaborator(api, parseRepositoryName(input.repository), input, input.dryRun, task),
  }),
  operation({
    resource: 'collaborator',
    name: 'delete',
    action: 'Remove a collaborator',
    description: 'Takes the repository away from a user. That it is not theirs is no failure.',
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { repository: repositoryField, collaborator: collaboratorField },
    output: changeSchema(collaboratorPermissions.shape),
    run: ({ input, api, task }): Promise<object> =>
      removeCollaborator(api, parseRepositoryName(input.repository), input.collaborator, input.dryRun, task),
  }),
];
