import { listJobs } from '../../../../lib/host/jobs/read';
import { choices, optional, schema, text } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { jobFacts, jobItem } from './shared';

export const listJobsOperation = operation({
  resource: 'job',
  name: 'list',
  action: 'List jobs',
  description: 'Gives the jobs of a host, one item for each run',
  effect: 'reads',
  input: {
    host: hostField,
    options: optional({
      hostKeys: hostOptions.hostKeys,
      jobName: text({ label: 'Job Name', description: 'Only jobs of this name' }),
      states: choices({
        label: 'States',
        options: { running: 'Running', finished: 'Finished', cancelled: 'Cancelled', lost: 'Lost' },
      }),
    }),
  },
  output: schema.object(jobFacts),
  run: async ({ input, host, task }) => {
    const { jobName, states } = input.options;
    const jobs = await listJobs(host, { name: jobName, states: states?.length === 0 ? undefined : states }, task);
    return jobs.map((job) => jobItem(host.target.name, job));
  },
});
