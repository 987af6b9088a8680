import { takeCoverage } from '../../../lib/backup/coverage/coverage';
import { livePlan } from '../../../lib/backup/described/groups';
import { list, optional, schema } from '../../declaration';
import { hostField, options, planField } from '../fields';
import { operation } from '../operation';

export const coverageOperation = operation({
  resource: 'backup',
  name: 'coverage',
  action: 'Find what is in no backup',
  description:
    'Looks at what a host holds (databases, SQLite files, volumes, bind mounts, n8n and Grafana data) and says what of it the plan does not back up',
  effect: 'reads',
  input: {
    host: hostField,
    plan: planField,
    folders: list({ description: 'Where to look for SQLite files, beside volumes and bind mounts' }),
    buckets: list({ description: 'Buckets that should be in a backup, too' }),
    trees: list({ description: 'Folders and buckets that plans of trees keep, as those plans name them' }),
    ignore: list({ description: 'Paths and names that need none, with all that lies below' }),
    options: optional(options),
  },
  output: schema.lazy(() =>
    schema.object({
      host: schema.string(),
      kind: schema.oneOf(['database', 'sqlite', 'volume', 'bind mount', 'application', 'bucket', 'unseen']),
      what: schema.string(),
      state: schema.oneOf(['covered', 'weak', 'in no backup', 'ignored', 'unknown']),
      sources: schema.array(schema.string()),
      sentence: schema.string(),
    }),
  ),
  run: async ({ input, host, hostName, describe, secret, task }) => {
    const plan = await livePlan(host, describe(input.plan), secret, task);
    const { folders, buckets, trees, ignore } = input;
    return (await takeCoverage(host, { plan, folders, buckets, trees, ignore }, task)).map((one) => ({
      host: hostName,
      ...one,
    }));
  },
});
