import { readJob } from '../../../../lib/host/jobs/read';
import { optional, schema } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { jobFacts, jobIdField, jobItem, runField } from './shared';

export const jobStatusOperation = operation({
  resource: 'job',
  name: 'status',
  action: 'Get the status of a job',
  description: 'Tells whether a job runs, how it ended, or why it was lost',
  effect: 'reads',
  input: {
    host: hostField,
    jobId: jobIdField,
    options: optional({ hostKeys: hostOptions.hostKeys, run: runField }),
  },
  output: schema.object(jobFacts),
  run: async ({ input, host, task }) =>
    jobItem(host.target.name, await readJob(host, input.jobId, task, input.options.run)),
});
