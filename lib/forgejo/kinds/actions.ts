import { field, integer, list, text } from '../../shape';
import { kindOf } from '../kind';
import { count, flag, moment, words } from '../shapes';

/** What 15 does not have yet. */
export const since16 = { forgejo: 16 } as const;
/** Nothing of it is known to the 1.21 of Gitea or Forgejo. */
const sinceVariables = { forgejo: 7, gitea: [1, 22] } as const;
/** Gitea has them under the same address with other fields. */
const sinceRuns = { forgejo: 11 } as const;
const sinceRunners = { forgejo: 15 } as const;

export const runs = kindOf({
  label: 'run',
  collection: '/actions/runs',
  member: '/actions/runs/{run}',
  called: 'id',
  since: sinceRuns,
  shape: {
    id: field('id', integer),
    number: field('index_in_repo', count, 'As the web page counts runs'),
    title: field('title', words),
    workflow: field('workflow_id', words),
    event: field('event', words),
    status: field('status', words),
    ref: field('prettyref', words),
    commit: field('commit_sha', words),
    startedBy: field('trigger_user.login', words),
    needsApproval: field('need_approval', flag),
    createdAt: field('created', moment),
    startedAt: field('started', moment),
    stoppedAt: field('stopped', moment),
    url: field('html_url', words),
  },
});

export const jobs = kindOf({
  label: 'job',
  collection: '/actions/runs/{run}/jobs',
  paged: false,
  since: since16,
  shape: {
    id: field('id', integer),
    name: field('name', words),
    status: field('status', words),
    attempt: field('attempt', count),
    runId: field('run_id', count),
    runsOn: field('runs_on', list(text)),
    needs: field('needs', list(text)),
  },
});

/** Jobs that wait for a runner of theirs. */
export const waitingJobs = { ...jobs, collection: '/actions/runners/jobs', since: sinceRunners };

export const tasks = kindOf({
  label: 'task',
  collection: '/actions/tasks',
  since: sinceVariables,
  shape: {
    id: field('id', integer),
    name: field('name', words),
    title: field('display_title', words),
    status: field('status', words),
    event: field('event', words),
    branch: field('head_branch', words),
    commit: field('head_sha', words),
    runNumber: field('run_number', count),
    workflow: field('workflow_id', words),
    startedAt: field('run_started_at', moment),
    url: field('url', words),
  },
});

const artifactShape = {
  id: field('id', integer),
  name: field('name', words),
  runId: field('run_id', count),
  size: field('size_in_bytes', count),
  expired: field('expired', flag),
  createdAt: field('created_at', moment),
  expiresAt: field('expires_at', moment),
} as const;

export const artifacts = kindOf({
  label: 'artifact',
  collection: '/actions/artifacts',
  member: '/actions/artifacts/{artifact}',
  since: since16,
  shape: artifactShape,
});

export const artifactsOfRun = { ...artifacts, collection: '/actions/runs/{run}/artifacts' };

export const secrets = kindOf({
  label: 'secret',
  collection: '/actions/secrets',
  member: '/actions/secrets/{secret}',
  shape: { name: field('name', text), createdAt: field('created_at', moment) },
});

export const variables = kindOf({
  label: 'variable',
  collection: '/actions/variables',
  member: '/actions/variables/{variable}',
  since: sinceVariables,
  shape: { name: field('name', text), value: field('data', words) },
  views: { value: ({ data }) => data },
});

export const runners = kindOf({
  label: 'runner',
  collection: '/actions/runners',
  member: '/actions/runners/{runner}',
  since: sinceRunners,
  shape: {
    id: field('id', integer),
    uuid: field('uuid', words),
    name: field('name', words),
    status: field('status', words),
    description: field('description', words),
    version: field('version', words),
    labels: field('labels', list(text)),
    ephemeral: field('ephemeral', flag),
  },
});
