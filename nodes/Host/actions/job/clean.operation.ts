import { cleanJobs } from '../../../../lib/host/jobs/read';
import { number, optional, schema } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';

export const cleanJobsOperation = operation({
  resource: 'job',
  name: 'clean',
  label: 'Clean Up',
  action: 'Clean up jobs',
  description: 'Removes the records and logs of jobs that ended long ago; never of one that runs',
  effect: 'destroys',
  dryRun: true,
  input: {
    host: hostField,
    olderThanDays: number({ label: 'Older Than (Days)', default: 30, min: 0 }),
    keepNewest: number({ label: 'Keep Newest', default: 5, min: 0, integer: true, description: 'Runs of each job' }),
    options: optional({ hostKeys: changeOptions.hostKeys, ignoreHold: changeOptions.ignoreHold }),
  },
  output: schema.object({
    host: schema.string(),
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    removed: schema.array(schema.object({ id: schema.string(), run: schema.string() })),
  }),
  run: async ({ input, host, task }) => {
    const rule = { olderThanMs: input.olderThanDays * 86_400_000, keepNewest: input.keepNewest, dryRun: input.dryRun };
    const removed = await cleanJobs(host, rule, task);
    return { host: host.target.name, changed: removed.length > 0, dryRun: input.dryRun, removed };
  },
});
