import { planRecovery, parseStep } from '../../../lib/recovery/steps';
import { recover } from '../../../lib/recovery/recover';
import { vaultOf } from '../../../lib/rclone/credential';
import { json, optional, schema, text, toggle } from '../../declaration';
import { hostField, kitFolderField, options } from '../fields';
import { operation } from '../operation';
import { inventoryField } from './plan.operations';

export const recoveryPlanOperation = operation({
  resource: 'plan',
  name: 'recovery',
  label: 'Plan Recovery',
  action: 'Plan the recovery of a host',
  description:
    'Gives all that was on a host in the order in which it is brought back: for each service its files, its containers, and the databases in these',
  effect: 'reads',
  input: {
    inventory: inventoryField,
    lost: text({
      label: 'Lost Host',
      required: true,
      placeholder: 'bruno',
      description: 'Its name in the inventory',
    }),
    drill: toggle({ description: 'Whether to leave out what the inventory wants out of drills' }),
  },
  output: schema.lazy(() =>
    schema.object({
      host: schema.string(),
      steps: schema.array(
        schema.object({
          stage: schema.integer('The group of the recovery order'),
          name: schema.string(),
          does: schema.oneOf(['restore', 'tree', 'start']),
          plan: schema.anything('Recover reads it'),
          keys: schema.record(schema.string()),
          service: schema.nullable(
            schema.object({
              stack: schema.string(),
              directory: schema.string(),
              repository: schema.string(),
              branch: schema.string(),
              folder: schema.string(),
              files: schema.array(schema.string()),
              url: schema.string(),
              watchSeconds: schema.number(),
              environmentFile: schema.string('Where its variables belong'),
              environmentKey: schema.string('Which key of the recovery kit they are'),
            }),
          ),
        }),
      ),
      stages: schema.array(schema.object({ stage: schema.integer(), services: schema.array(schema.string()) })),
      left: schema.array(schema.string(), 'What is left to people, each with its reason'),
    }),
  ),
  run: ({ input }) => Promise.resolve({ ...planRecovery(input.inventory, input.lost, { drill: input.drill }) }),
});

export const recoverOperation = operation({
  resource: 'backup',
  name: 'recover',
  action: 'Recover a step on a new host',
  description:
    'Brings one step of a recovery plan back from its newest good backup, wherever that is, unless it is back. What is there and is none of its own is never written over.',
  effect: 'creates',
  input: {
    host: hostField,
    step: json({
      required: true,
      default: '={{ $json }}',
      description: 'As Plan Recovery gives it: one that restores, or a tree',
      parse: parseStep,
    }),
    kitFolder: kitFolderField,
    options: optional(options),
  },
  output: schema.lazy(() =>
    schema.object({
      host: schema.string(),
      source: schema.string(),
      state: schema.oneOf(['restored', 'found']),
      backup: schema.string(),
      madeAt: schema.string(),
      ageHours: schema.number('What was written since is not in it'),
      destination: schema.string(),
      seconds: schema.number(),
      rows: schema.nullable(schema.integer('Counted after the restore, where there are tables')),
      place: schema.string(),
    }),
  ),
  run: async ({ input, host, hostName, rclone, secret, task }) => {
    const { step, kitFolder } = input;
    const recovered = await recover(host, { step, vault: vaultOf(rclone), kitFolder, resolve: secret }, task);
    return recovered.map((one) => ({ host: hostName, ...one }));
  },
});
