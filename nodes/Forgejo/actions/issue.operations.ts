import { readFound } from '../../../lib/forgejo/kind';
import {
  changedFiles,
  comments,
  issueLabels,
  issues,
  labels,
  milestones,
  pullRequests,
  reviewComments,
  reviews,
} from '../../../lib/forgejo/kinds/issues';
import { commits } from '../../../lib/forgejo/kinds/code';
import { download } from '../../../lib/forgejo/downloads';
import { mergePullRequest, MERGE_STYLES } from '../../../lib/forgejo/merge';
import { ensurePullRequest } from '../../../lib/forgejo/pull-requests';
import { idOf, send } from '../../../lib/forgejo/things';
import type { JsonObject } from '../../../lib/json';
import { binaryProperty, choice, color, list, optional, schema, text, toggle, withBinary } from '../../declaration';
import { type Asked, bodyOf, commandOf, createOf, deleteOf, ensureOf, getOf, listOf, target, updateOf } from '../build';
import { idField, issueField, pullRequestField, repositoryField } from '../fields';
import { operation } from '../operation';
import { changeSchema } from '../output';
import { inRepository, onServer, repositoryBase, type Values } from '../places';

const issue = target({
  kind: issues,
  name: 'issue',
  where: inRepository,
  choose: { issue: issueField },
  namesOf: ({ input }) => ({ index: input['issue'] as number }),
});

const stateFilter = choice({
  label: 'State',
  options: { open: 'Open', closed: 'Closed', all: 'All' },
  default: 'open',
});
const newState = choice({ label: 'State', options: { open: 'Open', closed: 'Closed' }, default: 'closed' });
const dueField = text({ label: 'Due At', placeholder: '2026-12-31T00:00:00Z' });

/** What people write by name and the API takes by number. */
async function withNumbers({ base, api, task }: Asked, body: JsonObject, given: Values): Promise<JsonObject> {
  const { labels: names, milestone, dueAt } = given;
  const labelIds =
    names === undefined
      ? undefined
      : await Promise.all((names as readonly string[]).map((name) => idOf(api, labels, base, name, task)));
  return {
    ...body,
    ...(labelIds !== undefined && { labels: labelIds }),
    ...(milestone !== undefined && {
      milestone: milestone === '' ? 0 : await idOf(api, milestones, base, milestone as string, task, allStates),
    }),
    ...(dueAt !== undefined && (dueAt === '' ? { unset_due_date: true } : { due_date: dueAt as string })),
  };
}

const allStates = { query: { state: 'all' } };

async function issueBody(asked: Asked & { readonly settings: Values }): Promise<JsonObject> {
  const { labels: _, milestone: __, dueAt: ___, ...plain } = asked.settings;
  const { title } = asked.input;
  return withNumbers(asked, bodyOf({ title }, plain), asked.settings);
}

const issueSettings = {
  body: text({ label: 'Text', multiline: true, noTrim: true }),
  assignees: list({ label: 'Assignees', description: 'User names' }),
  milestone: text({ label: 'Milestone', description: 'Title or ID' }),
  dueAt: dueField,
};
const labelNames = list({ label: 'Labels', description: 'Names or IDs' });
const titleField = text({ label: 'Title', required: true });

const issueFilters = {
  state: stateFilter,
  labels: list({ label: 'Labels', description: 'Names; all of them' }),
  q: text({ label: 'Search' }),
  milestones: list({ label: 'Milestones', description: 'Titles or IDs' }),
  since: text({ label: 'Changed After', placeholder: '2026-01-31T00:00:00Z' }),
  before: text({ label: 'Changed Before', placeholder: '2026-01-31T00:00:00Z' }),
};

export const issueOperations = [
  listOf(issue, {
    filters: {
      ...issueFilters,
      createdBy: text({ label: 'Author' }),
      assignedBy: text({ label: 'Assignee' }),
      mentionedBy: text({ label: 'Mentions' }),
    },
    query: ({ labels: names, milestones: titles, ...rest }) => ({
      type: 'issues',
      ...query(rest),
      ...joined('labels', names),
      ...joined('milestones', titles),
    }),
  }),
  listOf(target({ kind: { ...issues, collection: '/repos/issues/search' }, name: 'issue', where: onServer }), {
    name: 'search',
    action: 'Search issues and pull requests',
    description: 'Searches all repositories that the token reaches, all pages',
    filters: {
      ...issueFilters,
      type: choice({ label: 'Type', options: { issues: 'Issues', pulls: 'Pull Requests' }, default: 'issues' }),
      owner: text({ label: 'Owner', description: 'Only repositories of this user or organization' }),
      assigned: toggle({ label: 'Assigned to Me', default: true, description: 'Whether only those' }),
      created: toggle({ label: 'Created by Me', default: true, description: 'Whether only those' }),
      reviewRequested: toggle({ label: 'My Review Wanted', default: true, description: 'Whether only those' }),
    },
    query: ({ labels: names, milestones: titles, ...rest }) => ({
      ...query(rest),
      ...joined('labels', names),
      ...joined('milestones', titles),
    }),
  }),
  getOf(issue),
  createOf(issue, {
    fields: { title: titleField },
    settings: { ...issueSettings, labels: labelNames },
    body: issueBody,
  }),
  updateOf(issue, {
    settings: { title: text({ label: 'Title' }), state: newState, ...issueSettings },
    body: issueBody,
  }),
  deleteOf(issue, { description: 'Deletes an issue with its comments, which cannot be taken back' }),
  labelChange('addLabels', 'Add', 'Adds labels to an issue or pull request, beside those it has'),
  labelChange('setLabels', 'Set', 'Lets an issue or pull request have exactly these labels'),
  labelChange('removeLabels', 'Remove', 'Takes labels from an issue or pull request'),
];

function query(values: Values) {
  const given = Object.entries(values).filter(([, value]) => value !== '');
  return Object.fromEntries(
    given.map(([name, value]) => [name.replaceAll(/[A-Z]/g, (one) => `_${one.toLowerCase()}`), value]),
  ) as Record<string, string | boolean>;
}

function joined(name: string, values: unknown) {
  return Array.isArray(values) && values.length > 0 ? { [name]: values.join(',') } : {};
}

function labelChange(name: string, verb: 'Add' | 'Set' | 'Remove', description: string) {
  return operation({
    resource: 'issue',
    name,
    label: `${verb} Labels`,
    action: `${verb} labels of an issue`,
    description,
    effect: 'changes',
    dryRun: true,
    input: { repository: repositoryField, issue: issueField, labels: list({ label: 'Labels', required: true }) },
    output: schema.object({
      changed: schema.boolean('In a dry run: whether it would change'),
      dryRun: schema.boolean(),
      before: schema.array(schema.string()),
      after: schema.array(schema.string()),
    }),
    run: async ({ input, api, task }) => {
      const base = repositoryBase(input.repository);
      const names = { index: input.issue };
      const list = async () => {
        const read = (body: unknown) =>
          Array.isArray(body) ? body.map((one) => readFound(issueLabels, one).item) : [];
        return send(api, 'GET', base, issueLabels.collection, names, read, task);
      };
      const before = await list();
      const wanted = await Promise.all(input.labels.map((one) => idOf(api, labels, base, one, task)));
      const has = (id: number) => before.some((label) => label.id === id);
      const gone = verb === 'Remove' ? wanted.filter(has) : [];
      const isSame =
        verb === 'Remove'
          ? gone.length === 0
          : wanted.every(has) && (verb === 'Add' || wanted.length === before.length);
      const named = (all: typeof before) => all.map((label) => label.name);
      const { dryRun } = input;
      if (isSame || dryRun) return { changed: !isSame, dryRun, before: named(before), after: named(before) };
      if (verb === 'Remove') {
        for (const id of gone) {
          await send(api, 'DELETE', base, `${issueLabels.collection}/{id}`, { ...names, id }, () => null, task);
        }
      } else {
        const sent = { body: { labels: wanted }, idempotent: true };
        await send(api, verb === 'Add' ? 'POST' : 'PUT', base, issueLabels.collection, names, () => null, task, sent);
      }
      return { changed: true, dryRun, before: named(before), after: named(await list()) };
    },
  });
}

const commentBody = text({ label: 'Text', required: true, multiline: true, noTrim: true });
const comment = target({
  kind: comments,
  name: 'comment',
  where: inRepository,
  choose: { commentId: idField('Comment ID') },
  namesOf: ({ input }) => ({ id: input['commentId'] as number }),
});
const ofIssue = {
  fields: { issue: issueField },
  withinOf: ({ input }: Asked) => ({ index: input['issue'] as number }),
};
const commentOfIssue = target({ ...comment, within: ofIssue.fields, withinOf: ofIssue.withinOf });

export const commentOperations = [
  listOf(commentOfIssue, { description: 'Gives the comments of an issue or pull request' }),
  getOf(comment),
  createOf(commentOfIssue, {
    description: 'Adds a comment to an issue or pull request, a new one each time',
    fields: { body: commentBody },
  }),
  ensureOf(commentOfIssue, {
    name: 'ensure',
    description:
      'Keeps one comment of an issue or pull request up to date: it is found again by a mark that is hidden in it',
    fields: {
      mark: text({ label: 'Mark', required: true, placeholder: 'deploy/bruno', description: 'What it is found by' }),
      body: commentBody,
    },
    body: ({ input }) => ({ body: `${String(input['body'])}\n\n${hidden(input['mark'])}` }),
    found: (_, { input }) => ({ is: ({ body }) => String(body).includes(hidden(input['mark'])) }),
  }),
  updateOf(comment, { fields: { body: commentBody } }),
  deleteOf(comment),
];

function hidden(mark: unknown): string {
  return `<!-- ${String(mark).replaceAll('--', '- -')} -->`;
}

const label = target({
  kind: labels,
  name: 'label',
  where: inRepository,
  choose: { label: text({ label: 'Label', required: true, description: 'Name or ID' }) },
  namesOf: async ({ input, api, base, task }) => ({
    id: await idOf(api, labels, base, input['label'] as string, task),
  }),
});
const labelSettings = {
  description: text({ label: 'Description' }),
  exclusive: toggle({ label: 'Exclusive', default: true, description: 'Whether only one of its scope may be set' }),
  isArchived: toggle({ label: 'Archived', default: true, description: 'Whether it is out of use' }),
};
const colorField = color({ label: 'Color', default: '#00aabb' });

export const labelOperations = [
  listOf(label),
  getOf(label),
  ensureOf(label, {
    fields: { name: text({ label: 'Name', required: true }), color: colorField },
    settings: labelSettings,
    body: ({ input, settings }) => ({
      ...bodyOf({ name: input['name'] }, settings),
      color: input['color'] as string,
    }),
    found: (body) => ({ called: body['name'] as string }),
  }),
  updateOf(label, { settings: { name: text({ label: 'New Name' }), color: colorField, ...labelSettings } }),
  deleteOf(label),
];

const milestone = target({
  kind: milestones,
  name: 'milestone',
  where: inRepository,
  choose: { milestone: text({ label: 'Milestone', required: true, description: 'Title or ID' }) },
  namesOf: async ({ input, api, base, task }) => ({
    id: await idOf(api, milestones, base, input['milestone'] as string, task, allStates),
  }),
});
const milestoneSettings = {
  description: text({ label: 'Description' }),
  dueOn: dueField,
  state: newState,
};

export const milestoneOperations = [
  listOf(milestone, { filters: { state: stateFilter, name: text({ label: 'Title' }) } }),
  getOf(milestone),
  ensureOf(milestone, {
    fields: { title: titleField },
    settings: milestoneSettings,
    found: (body) => ({ called: body['title'] as string }),
  }),
  updateOf(milestone, { settings: { title: text({ label: 'New Title' }), ...milestoneSettings } }),
  deleteOf(milestone),
];

const pullRequest = target({
  kind: pullRequests,
  name: 'pullRequest',
  where: inRepository,
  choose: { pullRequest: pullRequestField },
  namesOf: ({ input }) => ({ index: input['pullRequest'] as number }),
});
const listOfOne = { fields: { pullRequest: pullRequestField }, namesOf: pullRequest.namesOf };
const reviewersInput = { reviewers: list({ label: 'Users' }), teamReviewers: list({ label: 'Teams' }) };

export const pullRequestOperations = [
  listOf(pullRequest, {
    filters: {
      state: stateFilter,
      poster: text({ label: 'Author' }),
      sort: choice({
        label: 'Sort',
        options: {
          recentupdate: 'Last Changed',
          leastupdate: 'First Changed',
          oldest: 'Oldest',
          mostcomment: 'Most Comments',
          leastcomment: 'Least Comments',
          priority: 'Priority',
        },
        default: 'recentupdate',
      }),
    },
  }),
  getOf(pullRequest),
  operation({
    resource: 'pullRequest',
    name: 'ensure',
    action: 'Create or update a pull request',
    description: 'Opens a pull request, or lets the open one of these two branches be as wanted',
    effect: 'creates',
    dryRun: true,
    input: {
      repository: repositoryField,
      headBranch: text({
        label: 'From',
        required: true,
        placeholder: 'deploy/bruno',
        description: 'Branch; of a fork: owner:branch',
      }),
      baseBranch: text({ label: 'Into', required: true, default: 'main' }),
      title: titleField,
      settings: optional({ ...issueSettings, labels: labelNames }, { label: 'Settings', add: 'Add Setting' }),
    },
    output: changeSchema(pullRequests.shape),
    run: async ({ input, api, secrets, task }): Promise<object> => {
      const base = repositoryBase(input.repository);
      const settings = input.settings as Values;
      const asked = { input: { title: input.title }, base, api, secrets, task, settings };
      const body = await issueBody(asked);
      const branches = { head: input.headBranch, base: input.baseBranch };
      return ensurePullRequest(api, base, branches, body, input.dryRun, task);
    },
  }),
  updateOf(pullRequest, {
    settings: {
      title: text({ label: 'Title' }),
      state: newState,
      base: text({ label: 'Into' }),
      allowMaintainerEdit: toggle({ label: 'Maintainers May Edit', description: 'Whether maintainers may push to it' }),
      ...issueSettings,
      labels: labelNames,
    },
    body: issueBody,
  }),
  operation({
    resource: 'pullRequest',
    name: 'merge',
    action: 'Merge a pull request',
    description: 'Merges a pull request, if it is still at the commit that was looked at. A merged one is left alone.',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: {
      repository: repositoryField,
      pullRequest: pullRequestField,
      style: choice({ label: 'Style', options: MERGE_STYLES, default: 'merge' }),
      options: optional({
        headCommit: text({ label: 'Head Commit', description: 'Refused when it is another one by now' }),
        title: text({ label: 'Title' }),
        message: text({ label: 'Message', multiline: true }),
        deleteBranch: toggle({ label: 'Delete Branch', default: true, description: 'Whether the branch goes then' }),
        whenChecksSucceed: toggle({
          label: 'When Checks Succeed',
          default: true,
          description: 'Whether the server merges it once its checks are good',
        }),
        force: toggle({ label: 'Force', default: true, description: 'Whether protection rules are overruled' }),
      }),
    },
    output: changeSchema(pullRequests.shape, { scheduled: schema.boolean('Whether it is merged later') }),
    run: ({ input, api, task }): Promise<object> => {
      const { pullRequest: index, style, options, dryRun } = input;
      return mergePullRequest(api, repositoryBase(input.repository), { index, style, ...options }, dryRun, task);
    },
  }),
  commandOf(pullRequest, {
    name: 'updateBranch',
    label: 'Update Branch',
    action: 'Update the branch of a pull request',
    description: 'Brings what the base branch has meanwhile into the branch of a pull request',
    method: 'POST',
    below: '/pulls/{index}/update',
    input: {
      style: choice({ label: 'Style', options: { merge: 'Merge', rebase: 'Rebase' }, default: 'merge' }),
    },
    query: ({ style }) => ({ style }),
  }),
  commandOf(pullRequest, {
    name: 'cancelAutoMerge',
    label: 'Cancel Auto Merge',
    action: 'Cancel the scheduled merge of a pull request',
    description: 'Takes back that the server merges it once its checks are good',
    method: 'DELETE',
    below: '/pulls/{index}/merge',
  }),
  listOf(pullRequest, {
    name: 'files',
    label: 'List Files',
    action: 'List the files of a pull request',
    description: 'Gives the files that a pull request changes, from all pages',
    kind: changedFiles,
    ...listOfOne,
  }),
  listOf(pullRequest, {
    name: 'commits',
    label: 'List Commits',
    action: 'List the commits of a pull request',
    description: 'Gives the commits of a pull request, from all pages',
    kind: { ...commits, collection: '/pulls/{index}/commits' },
    ...listOfOne,
  }),
  operation({
    resource: 'pullRequest',
    name: 'diff',
    label: 'Download Diff',
    action: 'Download the diff of a pull request',
    description: 'Gives what a pull request changes as a diff or as patches',
    effect: 'reads',
    input: {
      repository: repositoryField,
      pullRequest: pullRequestField,
      diffType: choice({ label: 'Format', options: { diff: 'Diff', patch: 'Patch' }, default: 'diff' }),
      binaryField: binaryProperty(),
    },
    output: schema.object({ fileName: schema.string() }),
    run: async ({ input, api, binary, task }) => {
      const { pullRequest: index, diffType } = input;
      const fileName = `${index}.${diffType}`;
      const base = repositoryBase(input.repository);
      const { content } = await download(api, base, '/pulls/{file}', { file: fileName }, fileName, task);
      const stored = await binary.store(content, { fileName, mimeType: 'text/plain' });
      return withBinary({ fileName }, { [input.binaryField]: stored });
    },
  }),
  commandOf(pullRequest, {
    name: 'requestReview',
    label: 'Request Review',
    action: 'Request a review of a pull request',
    description: 'Asks users or teams to review a pull request',
    method: 'POST',
    below: '/pulls/{index}/requested_reviewers',
    idempotent: true,
    input: reviewersInput,
    body: reviewersBody,
    isDone: ({ requested_reviewers: there }, { reviewers, teamReviewers }) =>
      teamReviewers.length === 0 &&
      reviewers.every((login) => ((there ?? []) as readonly { login: string }[]).some((one) => one.login === login)),
  }),
  commandOf(pullRequest, {
    name: 'withdrawReview',
    label: 'Withdraw Review Request',
    action: 'Withdraw the review request of a pull request',
    description: 'Takes the request for a review back',
    method: 'DELETE',
    below: '/pulls/{index}/requested_reviewers',
    input: reviewersInput,
    body: reviewersBody,
  }),
];

function reviewersBody({
  reviewers,
  teamReviewers,
}: {
  reviewers: readonly string[];
  teamReviewers: readonly string[];
}) {
  return { reviewers: [...reviewers], team_reviewers: [...teamReviewers] };
}

const ofPullRequest = {
  within: { pullRequest: pullRequestField },
  withinOf: ({ input }: Asked) => ({ index: input['pullRequest'] as number }),
};
const review = target({
  kind: reviews,
  name: 'review',
  where: inRepository,
  ...ofPullRequest,
  choose: { reviewId: idField('Review ID') },
  namesOf: ({ input }) => ({ id: input['reviewId'] as number }),
});

export const reviewOperations = [
  listOf(review),
  getOf(review),
  createOf(review, {
    description: 'Reviews a pull request, a new review each time',
    fields: {
      event: choice({
        label: 'Verdict',
        options: { APPROVED: 'Approve', REQUEST_CHANGES: 'Request Changes', COMMENT: 'Comment' },
        default: 'APPROVED',
      }),
      body: text({ label: 'Text', multiline: true, noTrim: true }),
    },
    settings: { commitId: text({ label: 'Commit' }) },
  }),
  commandOf(review, {
    name: 'dismiss',
    action: 'Dismiss a review',
    description: 'Lets a review not count any more',
    method: 'POST',
    below: '/pulls/{index}/reviews/{id}/dismissals',
    idempotent: true,
    input: { message: text({ label: 'Reason' }) },
    body: ({ message }) => ({ message }),
    isDone: ({ dismissed }) => dismissed === true,
  }),
  commandOf(review, {
    name: 'undismiss',
    action: 'Undismiss a review',
    description: 'Lets a dismissed review count again',
    method: 'POST',
    below: '/pulls/{index}/reviews/{id}/undismissals',
    idempotent: true,
    isDone: ({ dismissed }) => dismissed !== true,
  }),
  listOf(review, {
    name: 'comments',
    label: 'List Comments',
    action: 'List the comments of a review',
    description: 'Gives what a review says to single lines',
    kind: reviewComments,
    fields: { reviewId: idField('Review ID') },
    namesOf: ({ input }) => ({ index: input['pullRequest'] as number, id: input['reviewId'] as number }),
  }),
  deleteOf(review),
];
