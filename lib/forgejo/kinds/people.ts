import { field, integer, labels, list, nullable, text } from '../../shape';
import { kindOf } from '../kind';
import { count, flag, moment, words } from '../shapes';

export const organizations = kindOf({
  label: 'organization',
  collection: '/orgs',
  member: '/orgs/{org}',
  shape: {
    id: field('id', integer),
    name: field('name', words),
    fullName: field('full_name', words),
    description: field('description', words),
    email: field('email', words),
    website: field('website', words),
    location: field('location', words),
    visibility: field('visibility', words),
  },
});

export const teams = kindOf({
  label: 'team',
  collection: '/orgs/{org}/teams',
  member: '/teams/{id}',
  shape: {
    id: field('id', integer),
    name: field('name', text),
    description: field('description', words),
    organization: field('organization.name', words),
    permission: field('permission', words),
    includesAllRepositories: field('includes_all_repositories', flag),
    canCreateRepositories: field('can_create_org_repo', flag),
    units: field('units', list(text)),
    unitsMap: field('units_map', nullable(labels)),
  },
});

const userShape = {
  id: field('id', integer),
  login: field('login', text),
  fullName: field('full_name', words),
  email: field('email', words),
  isAdmin: field('is_admin', flag),
  active: field('active', flag),
  prohibitLogin: field('prohibit_login', flag),
  restricted: field('restricted', flag),
  visibility: field('visibility', words),
  createdAt: field('created', moment),
  lastLoginAt: field('last_login', moment),
  url: field('html_url', words),
} as const;

export const users = kindOf({
  label: 'user',
  collection: '/users/search',
  member: '/users/{username}',
  called: 'login',
  shape: userShape,
  views: {
    admin: ({ is_admin }) => is_admin,
    // What the server shows to nobody it cannot be compared with, and is written.
  },
});

export const allUsers = { ...users, collection: '/admin/users' };
export const members = { ...users, label: 'member', collection: '/orgs/{org}/members' };
export const teamMembers = {
  ...users,
  label: 'member',
  collection: '/teams/{id}/members',
  member: '/teams/{id}/members/{username}',
};

export const sshKeys = kindOf({
  label: 'SSH key',
  collection: '/user/keys',
  called: 'title',
  shape: {
    id: field('id', integer),
    title: field('title', words),
    fingerprint: field('fingerprint', words),
    keyType: field('key_type', words),
    readOnly: field('read_only', flag),
    createdAt: field('created_at', moment),
  },
});

export const notifications = kindOf({
  label: 'notification',
  collection: '/notifications',
  member: '/notifications/threads/{id}',
  called: 'id',
  shape: {
    id: field('id', integer),
    unread: field('unread', flag),
    pinned: field('pinned', flag),
    repository: field('repository.full_name', words),
    type: field('subject.type', words),
    title: field('subject.title', words),
    state: field('subject.state', words),
    url: field('subject.html_url', words),
    updatedAt: field('updated_at', moment),
  },
});

export const packages = kindOf({
  label: 'package',
  collection: '/packages/{owner}',
  member: '/packages/{owner}/{type}/{name}/{version}',
  shape: {
    id: field('id', integer),
    owner: field('owner.login', words),
    type: field('type', words),
    name: field('name', text),
    version: field('version', words),
    creator: field('creator.login', words),
    repository: field('repository.full_name', words),
    createdAt: field('created_at', moment),
    url: field('html_url', words),
  },
});

export const packageFiles = kindOf({
  label: 'package file',
  collection: '/packages/{owner}/{type}/{name}/{version}/files',
  paged: false,
  shape: {
    id: field('id', integer),
    name: field('name', words),
    size: field('Size', count),
    sha256: field('sha256', words),
  },
});

export const cronTasks = kindOf({
  label: 'cron task',
  collection: '/cron',
  shape: {
    name: field('name', text),
    schedule: field('schedule', words),
    nextAt: field('next', moment),
    previousAt: field('prev', moment),
    executions: field('exec_times', count),
  },
});
