import { each, field, integer, list, nullable, text } from '../../shape';
import { isObject } from '../../json';
import { kindOf } from '../kind';
import { amount, count, flag, moment, words } from '../shapes';

type Raw = Readonly<Record<string, unknown>>;

/** Written as numbers or names, shown as objects. */
function inside(list: string, name: string) {
  return (raw: Raw) => {
    const found = raw[list];
    return Array.isArray(found) ? found.flatMap((one: unknown) => (isObject(one) ? [one[name]] : [])) : [];
  };
}

function within(part: string, name: string) {
  return (raw: Raw) => {
    const found = raw[part];
    return isObject(found) ? found[name] : undefined;
  };
}

const issueViews = {
  labels: inside('labels', 'id'),
  assignees: inside('assignees', 'login'),
  milestone: within('milestone', 'id'),
  unset_due_date: ({ due_date }: Raw) => due_date === undefined || due_date === null,
};

const common = {
  number: field('number', integer),
  title: field('title', words),
  state: field('state', words),
  body: field('body', words),
  author: field('user.login', words),
  labels: field('labels', each('name', text)),
  assignees: field('assignees', each('login', text)),
  milestone: field('milestone.title', nullable(text)),
  comments: field('comments', amount),
  dueAt: field('due_date', moment),
  createdAt: field('created_at', moment),
  updatedAt: field('updated_at', moment),
  closedAt: field('closed_at', moment),
  url: field('html_url', words),
} as const;

export const issues = kindOf({
  label: 'issue',
  collection: '/issues',
  member: '/issues/{index}',
  called: 'title',
  shape: { ...common, repository: field('repository.full_name', words) },
  views: issueViews,
});

export const pullRequests = kindOf({
  label: 'pull request',
  collection: '/pulls',
  member: '/pulls/{index}',
  called: 'title',
  shape: {
    ...common,
    draft: field('draft', flag),
    base: field('base.ref', words),
    head: field('head.ref', words),
    headCommit: field('head.sha', words),
    headRepository: field('head.repo.full_name', words),
    mergeable: field('mergeable', flag),
    merged: field('merged', flag),
    mergedAt: field('merged_at', moment),
    mergeCommit: field('merge_commit_sha', nullable(text)),
    additions: field('additions', amount),
    deletions: field('deletions', amount),
    changedFiles: field('changed_files', amount),
    requestedReviewers: field('requested_reviewers', each('login', text)),
  },
  views: { ...issueViews, base: within('base', 'ref') },
});

export const changedFiles = kindOf({
  label: 'changed file',
  collection: '/pulls/{index}/files',
  called: 'filename',
  shape: {
    path: field('filename', text),
    previousPath: field('previous_filename', words),
    status: field('status', words),
    additions: field('additions', count),
    deletions: field('deletions', count),
  },
});

export const reviews = kindOf({
  label: 'review',
  collection: '/pulls/{index}/reviews',
  member: '/pulls/{index}/reviews/{id}',
  called: 'id',
  shape: {
    id: field('id', integer),
    state: field('state', words),
    reviewer: field('user.login', words),
    body: field('body', words),
    commit: field('commit_id', words),
    stale: field('stale', flag),
    official: field('official', flag),
    dismissed: field('dismissed', flag),
    comments: field('comments_count', count),
    submittedAt: field('submitted_at', moment),
    url: field('html_url', words),
  },
});

export const reviewComments = kindOf({
  label: 'review comment',
  collection: '/pulls/{index}/reviews/{id}/comments',
  called: 'id',
  paged: false,
  shape: {
    id: field('id', integer),
    path: field('path', words),
    line: field('position', count),
    body: field('body', words),
    author: field('user.login', words),
    url: field('html_url', words),
  },
});

export const comments = kindOf({
  label: 'comment',
  collection: '/issues/{index}/comments',
  member: '/issues/comments/{id}',
  called: 'id',
  paged: false,
  shape: {
    id: field('id', integer),
    body: field('body', words),
    author: field('user.login', words),
    createdAt: field('created_at', moment),
    updatedAt: field('updated_at', moment),
    url: field('html_url', words),
  },
});

export const labels = kindOf({
  label: 'label',
  collection: '/labels',
  shape: {
    id: field('id', integer),
    name: field('name', text),
    color: field('color', words),
    description: field('description', words),
    exclusive: field('exclusive', flag),
    archived: field('is_archived', flag),
  },
  views: { color: ({ color }) => (typeof color === 'string' ? `#${color.replace(/^#/, '').toLowerCase()}` : color) },
});

export const issueLabels = { ...labels, collection: '/issues/{index}/labels', paged: false };

export const milestones = kindOf({
  label: 'milestone',
  collection: '/milestones',
  called: 'title',
  shape: {
    id: field('id', integer),
    title: field('title', text),
    description: field('description', words),
    state: field('state', words),
    openIssues: field('open_issues', count),
    closedIssues: field('closed_issues', count),
    dueAt: field('due_on', moment),
    closedAt: field('closed_at', moment),
  },
});

const assetShape = {
  id: field('id', integer),
  name: field('name', words),
  size: field('size', count),
  downloads: field('download_count', count),
  createdAt: field('created_at', moment),
  url: field('browser_download_url', words),
} as const;

export const releases = kindOf({
  label: 'release',
  collection: '/releases',
  called: 'tag_name',
  shape: {
    id: field('id', integer),
    tag: field('tag_name', words),
    target: field('target_commitish', words),
    name: field('name', words),
    body: field('body', words),
    draft: field('draft', flag),
    prerelease: field('prerelease', flag),
    author: field('author.login', words),
    assets: field('assets', each('name', words)),
    createdAt: field('created_at', moment),
    publishedAt: field('published_at', moment),
    url: field('html_url', words),
  },
});

export const assets = kindOf({
  label: 'asset',
  collection: '/releases/{id}/assets',
  member: '/releases/{id}/assets/{attachment}',
  paged: false,
  shape: assetShape,
});

export const webhooks = kindOf({
  label: 'webhook',
  collection: '/hooks',
  called: 'id',
  shape: {
    id: field('id', integer),
    type: field('type', words),
    url: field('config.url', words),
    contentType: field('config.content_type', words),
    active: field('active', flag),
    events: field('events', list(text)),
    branchFilter: field('branch_filter', words),
    createdAt: field('created_at', moment),
    updatedAt: field('updated_at', moment),
  },
});
