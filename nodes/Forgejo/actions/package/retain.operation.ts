import { applyRetention, planRetention } from '../../../../lib/forgejo/retention';
import { choice, list, number, schema, text } from '../../../declaration';
import { packageOutput } from '../../fields';
import { operation } from '../../operation';
import { packagesField } from './fields';

export const retentionOperation = operation({
  resource: 'package',
  name: 'retain',
  action: 'Remove old package versions',
  description:
    'Of each package keeps the newest versions, those that fit a pattern, "latest", and untagged container versions that those need; removes the rest',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    ...packagesField,
    keepNewest: number({ label: 'Keep Newest', default: 10, min: 0, integer: true, description: 'Of each package' }),
    keep: list({ label: 'Keep Versions', description: 'Globs, such as v*-stable' }),
    youngerThanDays: number({
      label: 'Keep Younger Than (Days)',
      default: 7,
      min: 0,
      description: '0: age does not matter',
    }),
    untagged: choice({
      label: 'Untagged Container Versions',
      options: {
        removeUnneeded: {
          label: 'Remove What Nothing Needs',
          description: 'Those older than a day (and than the days above) that no version which stays leads to',
        },
        keep: { label: 'Keep All', description: 'Only versions with a tag are removed' },
      },
      default: 'removeUnneeded',
      description: 'Named by their digest: platforms of an image, and what a moved tag left behind',
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
      schema.object({ ...packageOutput, bytes: schema.integer('Shared layers count in each') }),
      'In a dry run: would be removed',
    ),
    kept: schema.integer(),
    bytes: schema.integer('Freed by it: what a version that stays has as well is not counted'),
    hash: schema.string('Of the plan'),
  }),
  run: async ({ input, api, registry, task }) => {
    const { owner, type, search, keepNewest, keep, youngerThanDays, untagged, planHash, dryRun } = input;
    const rules = { keepNewest, keep, youngerThanDays, untagged };
    const { remove, ...plan } = await planRetention(
      { api, registry },
      { owner, type, search },
      rules,
      Date.now(),
      task,
    );
    const removed = dryRun ? remove : await applyRetention({ api, registry }, { remove, ...plan }, planHash, task);
    return { changed: removed.length > 0, dryRun, removed, ...plan };
  },
});
