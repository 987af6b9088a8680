import { cancelJob } from '../../../../lib/host/jobs/cancel';
import { readJob } from '../../../../lib/host/jobs/read';
import { number, optional, schema } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { jobFacts, jobIdField, jobItem, runField } from './shared';

export const cancelJobOperation = operation({
  resource: 'job',
  name: 'cancel',
  action: 'Cancel a job',
  description: 'Ends a job with all its processes and verifies that none is left',
  effect: 'destroys',
  dryRun: true,
  input: {
    host: hostField,
    jobId: jobIdField,
    options: optional({
      hostKeys: hostOptions.hostKeys,
      run: runField,
      graceSeconds: number({ label: 'Grace (Seconds)', default: 10, min: 0, max: 3600 }),
    }),
  },
  output: schema.object({ ...jobFacts, changed: schema.boolean(), dryRun: schema.boolean() }),
  run: async ({ input, host, workflow, task }) => {
    const { run, graceSeconds = 10 } = input.options;
    if (input.dryRun) {
      const now = jobItem(host.target.name, await readJob(host, input.jobId, task, run));
      return { ...now, changed: now.state === 'running', dryRun: true };
    }
    const by = `workflow ${workflow.id}, execution ${workflow.execution}`;
    const job = await cancelJob(host, input.jobId, { by, run, graceMs: graceSeconds * 1000 }, task);
    return { ...jobItem(host.target.name, job), changed: job.changed, dryRun: false };
  },
});
