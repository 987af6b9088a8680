import { isFailure } from '../../../../lib/failure';
import type { Host } from '../../../../lib/host/host';
import { readJob } from '../../../../lib/host/jobs/read';
import { jobId, startJob } from '../../../../lib/host/jobs/start';
import { resolveReference } from '../../../../lib/secrets/resolve';
import type { Task } from '../../../../lib/task';
import { keyValues, list, number, optional, schema, text, toggle } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { jobFacts, jobItem, jobStates } from './shared';

export const startJobOperation = operation({
  resource: 'job',
  name: 'start',
  action: 'Start a job',
  description:
    'Starts a script that outlives this execution and n8n itself. Starting the same job again attaches to it.',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    jobName: text({ label: 'Job Name', required: true, placeholder: 'scatter-backup' }),
    intent: text({
      label: 'Intent',
      required: true,
      placeholder: '={{ $now.toISODate() }}',
      description:
        'What this run is to achieve. A job with the same name and intent runs once, however often it is started: a date for a daily one, a commit for a deploy.',
    }),
    script: text({
      required: true,
      multiline: true,
      noTrim: true,
      description: 'Bash, ended by its first failing command. Values go in as arguments ($1, $2, …).',
    }),
    arguments: list({ verbatim: true, description: 'One on each line; $1, $2, … in the script' }),
    options: optional({
      ...changeOptions,
      directory: text({ placeholder: '/srv/stack', description: 'Where it runs' }),
      environment: keyValues({ description: 'Environment variables for the script' }),
      secretInput: text({
        label: 'Secret Input',
        placeholder: 'credential:DB_PASSWORD',
        description: 'A secret reference whose value the script reads from its standard input, followed by a line end',
      }),
      again: toggle({
        label: 'Run Again',
        description: 'Whether to run it once more when it has ended. It never runs twice at the same time.',
      }),
      maxLogKib: number({ label: 'Max Log (KiB)', default: 8192, min: 64, max: 1_048_576, integer: true }),
    }),
  },
  output: schema.object({
    ...jobFacts,
    state: schema.oneOf(['not started', ...jobStates]),
    changed: schema.boolean('Whether this call started it, or would start it'),
    dryRun: schema.boolean(),
  }),
  run: async ({ input, host, runAs, secrets, workflow, task }) => {
    if (input.dryRun) return await wouldStart(host, input.jobName, input.intent, input.options.again === true, task);
    const { directory, environment, secretInput, again, maxLogKib = 8192 } = input.options;
    const command = { script: input.script, arguments: input.arguments, directory, environment, runAs };
    const request = {
      name: input.jobName,
      intent: input.intent,
      owner: `workflow ${workflow.id}, execution ${workflow.execution}`,
      command,
      secretInput: secretInput === undefined ? undefined : `${await resolveReference(secretInput, secrets, task)}\n`,
      again,
      logBytes: maxLogKib * 1024,
    };
    const job = await startJob(host, request, task);
    return { ...jobItem(host.target.name, job), changed: job.changed, dryRun: false };
  },
});

/** Whether a start would run the script, attach to a running one, or return an ended one. */
async function wouldStart(host: Host, name: string, intent: string, again: boolean, task: Task) {
  const id = jobId(name, intent);
  try {
    const now = jobItem(host.target.name, await readJob(host, id, task));
    const startsAnew = now.state !== 'running' && (again || now.lostBecause === 'never started');
    return { ...now, changed: startsAnew, dryRun: true };
  } catch (error) {
    if (!isFailure(error, 'job_missing')) throw error;
    return { ...noJob, host: host.target.name, id, name, intent, changed: true, dryRun: true };
  }
}

const noJob = {
  run: '',
  owner: '',
  state: 'not started' as const,
  succeeded: false,
  exitCode: null,
  signal: null,
  startedAt: null,
  endedAt: null,
  cancelledBy: null,
  lostBecause: null,
  stdoutBytes: 0,
  stderrBytes: 0,
};
