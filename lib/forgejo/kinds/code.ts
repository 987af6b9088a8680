import { each, field, list, text } from '../../shape';
import { kindOf } from '../kind';
import { amount, count, flag, moment, words } from '../shapes';

const wholeList = { paged: false } as const;

export const branches = kindOf({
  label: 'branch',
  collection: '/branches',
  member: '/branches/{branch}',
  shape: {
    name: field('name', text),
    commit: field('commit.id', words),
    message: field('commit.message', words),
    committedAt: field('commit.timestamp', moment),
    protected: field('protected', flag),
    requiredApprovals: field('required_approvals', count),
    userCanPush: field('user_can_push', flag),
    userCanMerge: field('user_can_merge', flag),
  },
});

export const branchProtections = kindOf({
  label: 'branch protection',
  collection: '/branch_protections',
  member: '/branch_protections/{rule}',
  called: 'rule_name',
  ...wholeList,
  shape: {
    ruleName: field('rule_name', words),
    enablePush: field('enable_push', flag),
    pushWhitelistUsernames: field('push_whitelist_usernames', list(text)),
    pushWhitelistTeams: field('push_whitelist_teams', list(text)),
    pushWhitelistDeployKeys: field('push_whitelist_deploy_keys', flag),
    mergeWhitelistUsernames: field('merge_whitelist_usernames', list(text)),
    mergeWhitelistTeams: field('merge_whitelist_teams', list(text)),
    statusCheckContexts: field('status_check_contexts', list(text)),
    enableStatusCheck: field('enable_status_check', flag),
    requiredApprovals: field('required_approvals', count),
    dismissStaleApprovals: field('dismiss_stale_approvals', flag),
    blockOnRejectedReviews: field('block_on_rejected_reviews', flag),
    blockOnOutdatedBranch: field('block_on_outdated_branch', flag),
    requireSignedCommits: field('require_signed_commits', flag),
    protectedFilePatterns: field('protected_file_patterns', words),
    applyToAdmins: field('apply_to_admins', flag),
  },
});

export const tags = kindOf({
  label: 'tag',
  collection: '/tags',
  member: '/tags/{tag}',
  shape: {
    name: field('name', text),
    commit: field('commit.sha', words),
    message: field('message', words),
    id: field('id', words, 'Of the tag itself, when it is an annotated one'),
    zipUrl: field('zipball_url', words),
    tarUrl: field('tarball_url', words),
  },
  // A tag names a commit; what was given may be a branch.
  views: { message: ({ message }) => (typeof message === 'string' ? message.trim() : message) },
});

export const tagProtections = kindOf({
  label: 'tag protection',
  collection: '/tag_protections',
  called: 'name_pattern',
  ...wholeList,
  since: { forgejo: 9, gitea: [1, 23] },
  shape: {
    id: field('id', count),
    namePattern: field('name_pattern', words),
    whitelistUsernames: field('whitelist_usernames', list(text)),
    whitelistTeams: field('whitelist_teams', list(text)),
  },
});

const commitShape = {
  sha: field('sha', text),
  message: field('commit.message', words),
  authorName: field('commit.author.name', words),
  authorEmail: field('commit.author.email', words),
  author: field('author.login', words, 'Login on this server, where it is known'),
  date: field('commit.author.date', moment),
  parents: field('parents', each('sha', text)),
  files: field('files', each('filename', text)),
  additions: field('stats.additions', amount),
  deletions: field('stats.deletions', amount),
  url: field('html_url', words),
} as const;

export const commits = kindOf({
  label: 'commit',
  collection: '/commits',
  member: '/git/commits/{sha}',
  called: 'sha',
  shape: commitShape,
});

export const folderEntries = kindOf({
  label: 'file',
  collection: '/contents/{filepath}',
  called: 'path',
  ...wholeList,
  shape: {
    path: field('path', text),
    name: field('name', words),
    type: field('type', words),
    sha: field('sha', words),
    size: field('size', count),
    url: field('html_url', words),
  },
});

export const rootEntries = { ...folderEntries, collection: '/contents' };
