import { parseRepositoryName } from '../../../../lib/forgejo/repository-name';
import { combinedStatus, ensureStatus, waitForStatus } from '../../../../lib/forgejo/statuses';
import { choice, list, number, schema, text } from '../../../declaration';
import { combinedOutput, repositoryField, statusOutput } from '../../fields';
import { operation } from '../../operation';

const commitField = text({
  label: 'Commit',
  required: true,
  placeholder: 'main',
  description: 'Branch, tag or ID of the commit',
});

export const setStatusOperation = operation({
  resource: 'commitStatus',
  name: 'set',
  action: 'Set a commit status',
  description: 'Says what became of a commit. Saying the same twice leaves one status.',
  effect: 'changes',
  dryRun: true,
  input: {
    repository: repositoryField,
    commit: commitField,
    state: choice({
      label: 'State',
      options: { error: 'Error', failure: 'Failure', pending: 'Pending', success: 'Success', warning: 'Warning' },
      default: 'success',
    }),
    context: text({ label: 'Context', required: true, placeholder: 'deploy/bruno', description: 'Who says it' }),
    description: text({ label: 'Description' }),
    targetUrl: text({
      label: 'Target URL',
      placeholder: 'https://n8n.example.org/…',
      description: 'Where to read more',
    }),
  },
  output: schema.object({
    changed: schema.boolean('In a dry run: whether it would change'),
    dryRun: schema.boolean(),
    before: schema.nullable(statusOutput),
    after: schema.nullable(statusOutput),
  }),
  run: ({ input: { repository, commit, dryRun, state, context, description, targetUrl }, api, task }) => {
    const name = parseRepositoryName(repository);
    return ensureStatus(api, { name, ref: commit, state, context, description, targetUrl }, dryRun, task);
  },
});

export const getStatusOperation = operation({
  resource: 'commitStatus',
  name: 'get',
  action: 'Get the status of a commit',
  description: 'Reads the state of the whole and the last status of each context',
  effect: 'reads',
  input: { repository: repositoryField, commit: commitField },
  output: schema.object(combinedOutput),
  run: ({ input, api, task }) =>
    combinedStatus(api, { name: parseRepositoryName(input.repository), ref: input.commit }, task),
});

export const waitForStatusOperation = operation({
  resource: 'commitStatus',
  name: 'wait',
  action: 'Wait for the status of a commit',
  description: 'Waits until nothing is pending any more. A bad end is an answer, not an error: look at "succeeded".',
  effect: 'reads',
  input: {
    repository: repositoryField,
    commit: commitField,
    contexts: list({
      label: 'Contexts',
      description: 'These have to be there and decided. Empty: whatever is there, at least one.',
    }),
    timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 1800, min: 1, max: 86_400 }),
    intervalSeconds: number({ label: 'Interval (Seconds)', default: 5, min: 1, max: 600 }),
  },
  output: schema.object({ ...combinedOutput, succeeded: schema.boolean() }),
  run: ({ input, api, task }) =>
    waitForStatus(
      api,
      {
        name: parseRepositoryName(input.repository),
        ref: input.commit,
        contexts: input.contexts,
        timeoutMs: input.timeoutSeconds * 1000,
        intervalMs: input.intervalSeconds * 1000,
      },
      task,
    ),
});
