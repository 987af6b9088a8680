import { listPackages } from '../../../../lib/forgejo/packages';
import { applyRetention, planRetention } from '../../../../lib/forgejo/retention';
import { list, number, schema, text } from '../../../declaration';
import { packageOutput } from '../../fields';
import { operation } from '../../operation';

const chosen = {
  owner: text({ label: 'Owner', required: true, placeholder: 'kua', description: 'User or organization' }),
  type: text({ label: 'Type', placeholder: 'container', description: 'Kind of registry. Empty: all.' }),
  search: text({ label: 'Name Contains', description: 'Empty: all packages' }),
};

export const listPackagesOperation = operation({
  resource: 'package',
  name: 'list',
  action: 'List packages',
  description: 'Lists every version of the packages of an owner, all pages',
  effect: 'reads',
  input: chosen,
  output: schema.object(packageOutput),
  run: ({ input: { owner, type, search }, api, task }) => listPackages(api, { owner, type, search }, task),
});

export const retentionOperation = operation({
  resource: 'package',
  name: 'retain',
  action: 'Remove old package versions',
  description:
    'Of each package keeps the newest versions, those that fit a pattern, "latest", and container versions named by a digest; removes the rest',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    ...chosen,
    keepNewest: number({ label: 'Keep Newest', default: 10, min: 0, integer: true, description: 'Of each package' }),
    keep: list({ label: 'Keep Versions', description: 'Globs, such as v*-stable' }),
    youngerThanDays: number({
      label: 'Keep Younger Than (Days)',
      default: 7,
      min: 0,
      description: '0: age does not matter',
    }),
    planHash: text({
      label: 'Plan Hash',
      description:
        'From the dry run that somebody looked at. When it is given and anything differs, nothing is removed.',
    }),
  },
  output: schema.object({
    changed: schema.boolean('In a dry run: whether it would change'),
    dryRun: schema.boolean(),
    removed: schema.array(
      schema.object({ ...packageOutput, bytes: schema.integer() }),
      'In a dry run: would be removed',
    ),
    kept: schema.integer(),
    bytes: schema.integer('Of what is removed, as the versions say; shared layers count in each'),
    hash: schema.string('Of the plan'),
  }),
  run: async ({ input, api, task }) => {
    const { owner, type, search, keepNewest, keep, youngerThanDays, planHash, dryRun } = input;
    const rules = { keepNewest, keep, youngerThanDays };
    const { remove, ...plan } = await planRetention(api, { owner, type, search }, rules, Date.now(), task);
    if (!dryRun) await applyRetention(api, { remove, ...plan }, planHash, task);
    return { changed: remove.length > 0, dryRun, removed: remove, ...plan };
  },
});
