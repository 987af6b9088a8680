import {
  allUsers,
  cronTasks,
  members,
  notifications,
  organizations,
  packageFiles,
  packages,
  sshKeys,
  teamMembers,
  teams,
  users,
} from '../../../lib/forgejo/kinds/people';
import { fieldsOf as read } from '../../../lib/forgejo/fields';
import { readFound } from '../../../lib/forgejo/kind';
import { repositories } from '../../../lib/forgejo/kinds/repository';
import { ensureMember, removeMember } from '../../../lib/forgejo/members';
import { parseRepositoryName } from '../../../lib/forgejo/repository-name';
import { idOf, send } from '../../../lib/forgejo/things';
import { ensureUser, removeUser, updateUser } from '../../../lib/forgejo/users';
import { choice, keyValues, optional, schema, text, toggle } from '../../declaration';
import { reveal } from '../../shared/secretSources';
import {
  type Asked,
  askedOf,
  bodyOf,
  commandOf,
  createOnceOf,
  deleteOf,
  ensureOf,
  getOf,
  listOf,
  target,
  updateOf,
} from '../build';
import { idField, organizationField, ownerField, repositoryField } from '../fields';
import { operation } from '../operation';
import { changeFields, changeSchema, itemSchema } from '../output';
import { asAdmin, onServer } from '../places';
import { secretField } from '../secretField';

const server = { path: '', at: {} } as const;

const organization = target({
  kind: organizations,
  name: 'organization',
  where: onServer,
  choose: { organization: organizationField },
  namesOf: ({ input }) => ({ org: input['organization'] as string }),
});
const visibility = choice({
  label: 'Visibility',
  options: { public: 'Public', limited: 'Limited', private: 'Private' },
  default: 'private',
});
const organizationSettings = {
  fullName: text({ label: 'Full Name' }),
  description: text({ label: 'Description' }),
  email: text({ label: 'Email', placeholder: 'name@example.org' }),
  website: text({ label: 'Website' }),
  location: text({ label: 'Location' }),
  visibility,
};
const ofOrganization = {
  fields: { organization: organizationField },
  namesOf: ({ input }: Asked) => ({ org: input['organization'] as string }),
};

export const organizationOperations = [
  listOf(organization, { description: 'Gives the organizations that the token sees, from all pages' }),
  getOf(organization),
  ensureOf(organization, {
    fields: { organizationName: text({ label: 'Name', required: true, placeholder: 'kua' }) },
    settings: organizationSettings,
    body: ({ input, settings }) => ({ username: input['organizationName'] as string, ...bodyOf({}, settings) }),
    found: (body) => ({ names: { org: body['username'] as string } }),
    update: ({ username: _, ...rest }) => rest,
  }),
  listOf(organization, {
    name: 'members',
    label: 'List Members',
    action: 'List the members of an organization',
    description: 'Gives the members of an organization, from all pages',
    kind: members,
    ...ofOrganization,
  }),
  deleteOf(organization, { description: 'Deletes an organization, which must have no repositories and packages' }),
];

const teamField = text({ label: 'Team', required: true, placeholder: 'Owners', description: 'Name or ID' });
const teamId = async ({ input, api, task }: Asked) => ({
  id: await idOf(api, teams, server, input['team'] as string, task, {
    names: { org: input['organization'] as string },
  }),
});
const team = target({
  kind: teams,
  name: 'team',
  where: onServer,
  within: { organization: organizationField },
  withinOf: ({ input }) => ({ org: input['organization'] as string }),
  choose: { team: teamField },
  namesOf: teamId,
});
const teamSettings = {
  description: text({ label: 'Description' }),
  permission: choice({
    label: 'Permission',
    options: { read: 'Read', write: 'Write', admin: 'Admin' },
    default: 'read',
  }),
  includesAllRepositories: toggle({
    label: 'All Repositories',
    default: true,
    description: 'Whether it reaches them all',
  }),
  canCreateOrgRepo: toggle({ label: 'May Create Repositories', default: true, description: 'Whether it may' }),
  unitsMap: keyValues({ label: 'Units', entry: 'Unit' }),
};
const userName = text({ label: 'User', required: true, placeholder: 'daniel', description: 'User name' });
const teamFields = { organization: organizationField, team: teamField };
const teamWhere = { where: onServer };

function memberChange(name: 'addMember' | 'removeMember') {
  const isAdd = name === 'addMember';
  return operation({
    resource: 'team',
    name,
    action: isAdd ? 'Add a member to a team' : 'Remove a member from a team',
    description: isAdd ? 'Lets a user be a member of a team' : 'Takes a user out of a team',
    effect: isAdd ? 'changes' : 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { ...teamFields, user: userName },
    output: changeSchema(teamMembers.shape),
    run: async (call): Promise<object> => {
      const asked = askedOf(teamWhere, call);
      const { id } = await teamId(asked);
      const { user, dryRun } = call.input;
      const change = isAdd ? ensureMember : removeMember;
      return change(asked.api, { kind: 'user', team: id, user }, dryRun, asked.task);
    },
  });
}

function repositoryChange(name: 'addRepository' | 'removeRepository') {
  const isAdd = name === 'addRepository';
  return operation({
    resource: 'team',
    name,
    action: isAdd ? 'Add a repository to a team' : 'Remove a repository from a team',
    description: isAdd ? 'Lets a team reach a repository' : 'Takes a repository away from a team',
    effect: isAdd ? 'changes' : 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { ...teamFields, repository: repositoryField },
    output: changeSchema(repositories.shape),
    run: async (call): Promise<object> => {
      const asked = askedOf(teamWhere, call);
      const { id } = await teamId(asked);
      const { repository, dryRun } = call.input;
      const change = isAdd ? ensureMember : removeMember;
      return change(
        asked.api,
        { kind: 'repository', team: id, ...parseRepositoryName(repository) },
        dryRun,
        asked.task,
      );
    },
  });
}

export const teamOperations = [
  listOf(team),
  getOf(team),
  ensureOf(team, {
    fields: { teamName: text({ label: 'Name', required: true, placeholder: 'Deployers' }) },
    settings: teamSettings,
    body: ({ input, settings }) => ({
      name: input['teamName'] as string,
      permission: 'read',
      units_map: { 'repo.code': 'read' },
      ...bodyOf({}, settings),
    }),
    found: (body) => ({ called: body['name'] as string }),
    // What only a new one needs is not put on one that is there.
    update: (body) => body,
  }),
  updateOf(team, {
    settings: { name: text({ label: 'New Name' }), ...teamSettings },
    body: async ({ input, settings, api, task }) => {
      const names = { org: input['organization'] as string };
      const id = await idOf(api, teams, server, input['team'] as string, task, { names });
      // The server wants the name with every change.
      const { item } = await send(api, 'GET', server, '/teams/{id}', { id }, (body) => readFound(teams, body), task);
      return { name: item.name, ...bodyOf({}, settings) };
    },
  }),
  listOf(team, {
    name: 'members',
    label: 'List Members',
    action: 'List the members of a team',
    description: 'Gives the members of a team, from all pages',
    kind: teamMembers,
    fields: { team: teamField },
    namesOf: teamId,
  }),
  listOf(team, {
    name: 'repositories',
    label: 'List Repositories',
    action: 'List the repositories of a team',
    description: 'Gives the repositories that a team reaches, from all pages',
    kind: { ...repositories, collection: '/teams/{id}/repos' },
    fields: { team: teamField },
    namesOf: teamId,
  }),
  memberChange('addMember'),
  memberChange('removeMember'),
  repositoryChange('addRepository'),
  repositoryChange('removeRepository'),
  deleteOf(team),
];

const user = target({
  kind: users,
  name: 'user',
  where: onServer,
  choose: { user: userName },
  namesOf: ({ input }) => ({ username: input['user'] as string }),
});
const ownKey = target({
  kind: sshKeys,
  name: 'sshKey',
  where: onServer,
  choose: { keyId: idField('Key ID') },
  namesOf: ({ input }) => ({ id: input['keyId'] as number }),
});

const userSettings = {
  fullName: text({ label: 'Full Name' }),
  admin: toggle({ label: 'Admin', description: 'Whether they may do everything' }),
  active: toggle({ label: 'Active', default: true, description: 'Whether they may log in' }),
  prohibitLogin: toggle({ label: 'Prohibit Login', default: true, description: 'Whether they are locked out' }),
  restricted: toggle({ label: 'Restricted', default: true, description: 'Whether they see only what they are given' }),
  maxRepoCreation: idField('Most Repositories'),
  visibility,
};

export const userOperations = [
  getOf(user),
  operation({
    resource: 'user',
    name: 'own',
    label: 'Get Own',
    action: 'Get the user of the token',
    description: 'Tells whose token it is',
    effect: 'reads',
    input: {},
    output: itemSchema(users.shape),
    run: ({ api, task }): Promise<object> =>
      send(api, 'GET', server, '/user', {}, (body) => readFound(users, body).item, task),
  }),
  listOf(user, {
    name: 'search',
    action: 'Search users',
    description: 'Searches all users, from all pages',
    filters: { q: text({ label: 'Search' }) },
  }),
  listOf(target({ ...user, kind: allUsers }), {
    description: 'Gives all users of the server, from all pages. For admins.',
  }),
  operation({
    resource: 'user',
    name: 'create',
    action: 'Create a user',
    description: 'Makes a user, unless there is one of this name. For admins.',
    effect: 'creates',
    dryRun: true,
    needsApproval: true,
    input: {
      user: userName,
      email: text({ label: 'Email', required: true, placeholder: 'name@example.org' }),
      password: secretField({ label: 'Password', required: true }),
      settings: optional(
        {
          fullName: text({ label: 'Full Name' }),
          mustChangePassword: toggle({
            label: 'Must Change Password',
            default: true,
            description: 'Whether they must',
          }),
          restricted: toggle({
            label: 'Restricted',
            default: true,
            description: 'Whether they see only what they are given',
          }),
          sendNotify: toggle({ label: 'Send Mail', description: 'Whether they are told' }),
          visibility,
        },
        { label: 'Settings', add: 'Add Setting' },
      ),
    },
    output: changeSchema(users.shape),
    run: async ({ input, api, secrets, task }): Promise<object> => {
      const password = await reveal(input.password, secrets, task);
      const body = bodyOf({ username: input.user, email: input.email, password }, input.settings);
      return ensureUser(api, body, input.dryRun, task);
    },
  }),
  operation({
    resource: 'user',
    name: 'update',
    action: 'Update a user',
    description: 'Changes a user. What is not given stays as it is. For admins.',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: { user: userName, settings: optional(userSettings, { label: 'Settings', add: 'Add Setting' }) },
    output: changeSchema(users.shape),
    run: ({ input, api, task }): Promise<object> =>
      updateUser(api, input.user, bodyOf({}, input.settings), input.dryRun, task),
  }),
  operation({
    resource: 'user',
    name: 'delete',
    action: 'Delete a user',
    description: 'Deletes a user who owns nothing any more. For admins.',
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { user: userName },
    output: changeSchema(users.shape),
    run: ({ input, api, task }): Promise<object> => removeUser(api, input.user, input.dryRun, task),
  }),
];

export const sshKeyOperations = [
  listOf(ownKey, { description: 'Gives the SSH keys of the user whose token it is, from all pages' }),
  getOf(ownKey),
  createOnceOf(ownKey, {
    fields: {
      title: text({ label: 'Title', required: true }),
      key: text({ label: 'Public Key', required: true, placeholder: 'ssh-ed25519 AAAA…' }),
    },
    settings: { readOnly: toggle({ label: 'Read Only', default: true, description: 'Whether it may only fetch' }) },
    found: (body) => ({
      called: body['title'] as string,
      is: ({ key }) => bareKey(key) === bareKey(body['key']),
    }),
    update: () => ({}),
  }),
  deleteOf(ownKey),
];

const bareKey = (key: unknown) => String(key).trim().split(/\s+/).slice(0, 2).join(' ');

const notification = target({
  kind: notifications,
  name: 'notification',
  where: onServer,
  choose: { threadId: idField('Notification ID') },
  namesOf: ({ input }) => ({ id: input['threadId'] as number }),
});

export const notificationOperations = [
  listOf(notification, {
    description: 'Gives what the user of the token has not read, from all pages',
    filters: {
      all: toggle({ label: 'Also Read', default: true, description: 'Whether those that were read, too' }),
      since: text({ label: 'Changed After', placeholder: '2026-01-31T00:00:00Z' }),
      before: text({ label: 'Changed Before', placeholder: '2026-01-31T00:00:00Z' }),
    },
  }),
  getOf(notification),
  operation({
    resource: 'notification',
    name: 'count',
    action: 'Count unread notifications',
    description: 'Tells how many notifications nobody has read',
    effect: 'reads',
    input: {},
    output: schema.object({ unread: schema.integer() }),
    run: async ({ api, task }) => ({
      unread: await send(
        api,
        'GET',
        server,
        '/notifications/new',
        {},
        (body) => read(body, 'a count').number('new'),
        task,
      ),
    }),
  }),
  commandOf(notification, {
    name: 'markRead',
    action: 'Mark a notification as read',
    description: 'Marks one notification as read',
    method: 'PATCH',
    below: '/notifications/threads/{id}',
    idempotent: true,
    isDone: ({ unread }) => unread !== true,
  }),
  operation({
    resource: 'notification',
    name: 'markAllRead',
    action: 'Mark all notifications as read',
    description: 'Marks all notifications up to now as read',
    effect: 'changes',
    dryRun: true,
    input: {},
    output: schema.object({ ...changeFields, unread: schema.integer('That there were before') }),
    run: async ({ input: { dryRun }, api, task }) => {
      const count = (body: unknown) => read(body, 'a count').number('new');
      const unread = await send(api, 'GET', server, '/notifications/new', {}, count, task);
      if (unread > 0 && !dryRun) await send(api, 'PUT', server, '/notifications', {}, () => null, task);
      return { changed: unread > 0, dryRun, unread };
    },
  }),
];

const packageFields = {
  owner: ownerField,
  packageType: text({ label: 'Type', required: true, placeholder: 'container' }),
  packageName: text({ label: 'Name', required: true, placeholder: 'immich' }),
  packageVersion: text({ label: 'Version', required: true, placeholder: '2.1.0' }),
};
const onePackage = target({
  kind: packages,
  name: 'package',
  where: onServer,
  choose: packageFields,
  namesOf: ({ input }) => ({
    owner: input['owner'] as string,
    type: input['packageType'] as string,
    name: input['packageName'] as string,
    version: input['packageVersion'] as string,
  }),
});

function linkChange(name: 'link' | 'unlink') {
  const isLink = name === 'link';
  const linkedTo = text({ label: 'Repository Name', required: true, description: 'Of the same owner, without it' });
  return operation({
    resource: 'package',
    name,
    action: isLink ? 'Link a package to a repository' : 'Unlink a package from its repository',
    description: isLink ? 'Lets a package be shown with a repository' : 'Takes a package away from its repository',
    effect: 'changes',
    dryRun: true,
    input: {
      owner: ownerField,
      packageType: packageFields.packageType,
      packageName: packageFields.packageName,
      ...(isLink ? { linkedTo } : {}),
    },
    output: schema.object(changeFields),
    run: async ({ input, api, task }) => {
      const values = input as Readonly<Record<string, unknown>>;
      const names = {
        owner: values['owner'] as string,
        type: values['packageType'] as string,
        name: values['packageName'] as string,
        ...(isLink && { repo_name: values['linkedTo'] as string }),
      };
      const below = `/packages/{owner}/{type}/{name}/-/${isLink ? 'link/{repo_name}' : 'unlink'}`;
      const since = { forgejo: 11, gitea: [1, 24] } as const;
      if (!input.dryRun) {
        await send(api, 'POST', server, below, names, () => null, task, { since, idempotent: true });
      }
      return { changed: true, dryRun: input.dryRun };
    },
  });
}

export const morePackageOperations = [
  getOf(onePackage),
  listOf(onePackage, {
    name: 'files',
    label: 'List Files',
    action: 'List the files of a package',
    description: 'Gives the files of one version of a package',
    kind: packageFiles,
    fields: packageFields,
    namesOf: onePackage.namesOf,
  }),
  linkChange('link'),
  linkChange('unlink'),
  deleteOf(onePackage, { description: 'Deletes one version of a package. That it is gone already is no failure.' }),
];

const cron = target({ kind: cronTasks, name: 'server', where: asAdmin });

export const serverOperations = [
  operation({
    resource: 'server',
    name: 'version',
    label: 'Get Version',
    action: 'Get the version of the server',
    description: 'Tells which version of Forgejo or Gitea the server runs',
    effect: 'reads',
    input: {},
    output: schema.object({
      version: schema.string(),
      forgejo: schema.nullable(schema.integer('Null for Gitea, and for Forgejo before 7')),
      gitea: schema.nullable(schema.string('The Gitea API that it speaks')),
    }),
    run: async ({ api, task }) => {
      const { text: version, forgejo, gitea } = await api.version(task);
      return {
        version,
        forgejo: forgejo ?? null,
        gitea: gitea === undefined ? null : `${gitea.major}.${gitea.minor}`,
      };
    },
  }),
  listOf(cron, {
    name: 'cronTasks',
    label: 'List Cron Tasks',
    action: 'List the cron tasks of the server',
    description: 'Gives what the server does by itself, and when. For admins.',
  }),
  operation({
    resource: 'server',
    name: 'runCronTask',
    action: 'Run a cron task of the server',
    description: 'Begins one of the tasks that the server does by itself, such as git_gc_repos. For admins.',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: { cronTask: text({ label: 'Task', required: true, placeholder: 'git_gc_repos' }) },
    output: schema.object(changeFields),
    run: async ({ input: { cronTask, dryRun }, api, task }) => {
      if (!dryRun) await send(api, 'POST', server, '/admin/cron/{task}', { task: cronTask }, () => null, task);
      return { changed: true, dryRun };
    },
  }),
];
