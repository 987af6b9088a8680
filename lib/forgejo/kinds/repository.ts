import { field, list, text } from '../../shape';
import { kindOf } from '../kind';
import { count, flag, moment, words } from '../shapes';

const repositoryShape = {
  id: field('id', count),
  name: field('name', text),
  owner: field('owner.login', words),
  fullName: field('full_name', words),
  description: field('description', words),
  website: field('website', words),
  private: field('private', flag),
  archived: field('archived', flag),
  empty: field('empty', flag),
  fork: field('fork', flag),
  template: field('template', flag),
  mirror: field('mirror', flag),
  mirrorInterval: field('mirror_interval', words),
  mirrorUpdatedAt: field('mirror_updated', moment),
  defaultBranch: field('default_branch', words),
  topics: field('topics', list(text)),
  sizeKilobytes: field('size', count),
  openIssues: field('open_issues_count', count),
  openPullRequests: field('open_pr_counter', count),
  stars: field('stars_count', count),
  cloneUrl: field('clone_url', words),
  sshUrl: field('ssh_url', words),
  url: field('html_url', words),
  updatedAt: field('updated_at', moment),
} as const;

/** A whole repository, with what the short one of repositories.ts leaves out. */
export const repositories = kindOf({
  label: 'repository',
  collection: '',
  member: '',
  called: 'full_name',
  shape: repositoryShape,
});

export const ownRepositories = { ...repositories, collection: '/repos' };
export const forks = { ...repositories, label: 'fork', collection: '/forks' };

export const pushMirrors = kindOf({
  label: 'push mirror',
  collection: '/push_mirrors',
  member: '/push_mirrors/{mirror}',
  called: 'remote_address',
  shape: {
    name: field('remote_name', text),
    remoteAddress: field('remote_address', words),
    branchFilter: field('branch_filter', words),
    interval: field('interval', words),
    syncOnCommit: field('sync_on_commit', flag),
    lastUpdateAt: field('last_update', moment),
    lastError: field('last_error', words),
    publicKey: field('public_key', words),
  },
});

export const deployKeys = kindOf({
  label: 'deploy key',
  collection: '/keys',
  called: 'title',
  shape: {
    id: field('id', count),
    title: field('title', words),
    fingerprint: field('fingerprint', words),
    key: field('key', words),
    readOnly: field('read_only', flag),
    createdAt: field('created_at', moment),
  },
});

export const collaborators = kindOf({
  label: 'collaborator',
  collection: '/collaborators',
  member: '/collaborators/{collaborator}/permission',
  called: 'login',
  shape: { login: field('login', text), fullName: field('full_name', words), email: field('email', words) },
});

export const collaboratorPermissions = kindOf({
  label: 'collaborator',
  collection: '/collaborators',
  member: '/collaborators/{collaborator}/permission',
  called: 'login',
  shape: { user: field('user.login', words), permission: field('permission', words), role: field('role_name', words) },
});
