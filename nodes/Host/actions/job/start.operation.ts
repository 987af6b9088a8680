import { startJob } from '../../../../lib/host/jobs/start';
import { resolveSecret } from '../../../../lib/secrets/named-secrets';
import { parseReference } from '../../../../lib/secrets/reference';
import { keyValues, list, number, optional, schema, text, toggle } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { jobFacts, jobItem } from './shared';

export const startJobOperation = operation({
  resource: 'job',
  name: 'start',
  action: 'Start a job',
  description:
    'Starts a script that outlives this execution and n8n itself. Starting the same job again attaches to it.',
  effect: 'changes',
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
  output: schema.object({ ...jobFacts, changed: schema.boolean('Whether this call started it') }),
  run: async ({ input, host, runAs, secrets, workflow, task }) => {
    const { directory, environment, secretInput, again, maxLogKib = 8192 } = input.options;
    const command = { script: input.script, arguments: input.arguments, directory, environment, runAs };
    const request = {
      name: input.jobName,
      intent: input.intent,
      owner: `workflow ${workflow.id}, execution ${workflow.execution}`,
      command,
      secretInput: secretInput === undefined ? undefined : `${resolveSecret(parseReference(secretInput), secrets)}\n`,
      again,
      logBytes: maxLogKib * 1024,
    };
    const job = await startJob(host, request, task);
    return { ...jobItem(host.target.name, job), changed: job.changed };
  },
});
