import { planNightly } from '../../../lib/backup/estate/nightly';
import { plannedKit, plannedTrees, returningData } from '../../../lib/backup/estate/plans';
import { parseInventory } from '../../../lib/inventory/parse';
import { vaultOf } from '../../../lib/rclone/credential';
import { choice, json, optional, schema, text } from '../../declaration';
import { hostField, options } from '../fields';
import { operation } from '../operation';

export const inventoryField = json({
  label: 'Estate Inventory',
  required: true,
  default: '={{ $("Inventory").first().json }}',
  description: 'As the flow Inventory gives it',
  // What was checked there carries its warnings along.
  parse: (value) => {
    if (typeof value !== 'object' || value === null) return parseInventory(value);
    const { warnings: _, ...inventory } = value as Record<string, unknown>;
    return parseInventory(inventory);
  },
});

export const nightlyPlanOperation = operation({
  resource: 'plan',
  name: 'nightly',
  label: 'Plan Nightly Backup',
  action: 'Plan the nightly backup of a host',
  description:
    'Gives the plan that the inventory has for a host, with every database that its servers have right now. A host without anything to back up gives no item.',
  effect: 'reads',
  input: { host: hostField, inventory: inventoryField, options: optional(options) },
  output: schema.lazy(() =>
    schema.object({
      host: schema.string(),
      plan: schema.anything('What the other operations take as their plan'),
      sources: schema.array(schema.string()),
      problems: schema.array(schema.string(), 'What could not be listed. The plan has the rest.'),
    }),
  ),
  run: async ({ input, host, hostName, rclone, secret, task }) => {
    const planned = await planNightly(host, input.inventory, { vault: vaultOf(rclone), resolve: secret }, task);
    return planned === undefined ? [] : [{ host: hostName, ...planned }];
  },
});

export const treePlansOperation = operation({
  resource: 'plan',
  name: 'trees',
  label: 'Plan Trees',
  action: 'Plan the trees of the estate',
  description: 'Gives the tree plan of every folder of which the inventory keeps versions, one item each',
  effect: 'reads',
  input: {
    inventory: inventoryField,
    which: choice({
      options: {
        tree: { label: 'Folders', description: 'Those that are backed up for their own sake' },
        host: { label: 'Files of Hosts', description: 'Those that are backed up with their host' },
        all: { label: 'All', description: 'Both' },
      },
      default: 'tree',
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      host: schema.string(),
      name: schema.string('As in the inventory'),
      as: schema.oneOf(['tree', 'host']),
      set: schema.string('Names its runs: its jobs are called Tree and this'),
      plan: schema.anything('What the operations of trees take as their plan'),
    }),
  ),
  run: ({ input }) =>
    Promise.resolve(plannedTrees(input.inventory).filter(({ as }) => input.which === 'all' || as === input.which)),
});

export const servicePlanOperation = operation({
  resource: 'plan',
  name: 'service',
  label: 'Plan Data of a Service',
  action: 'Plan the return of the data of a service',
  description:
    'Gives everything that a service needs back on its standby, one item each, without asking its home. A service without data gives no item.',
  effect: 'reads',
  input: { inventory: inventoryField, service: text({ required: true, placeholder: 'forgejo' }) },
  output: schema.lazy(() =>
    schema.object({
      service: schema.string(),
      name: schema.string('As in the inventory, and the source of its backups'),
      kind: schema.oneOf(['folder', 'file', 'tree', 'database']),
      plan: schema.anything('To restore it by'),
      look: schema.anything('What Inventory takes as its plan, to tell how old it is'),
      to: schema.string('Where it belongs: a path, or the name of the database'),
      within: schema.string('The outermost of its folders in which that path lies; empty: none'),
      start: schema.string('The Compose service with its database'),
      user: schema.string(),
      runAs: schema.string(),
    }),
  ),
  run: ({ input }) => Promise.resolve(returningData(input.inventory, input.service).map((one) => ({ ...one }))),
});

export const kitPlanOperation = operation({
  resource: 'plan',
  name: 'kit',
  label: 'Plan Recovery Kit',
  action: 'Plan the recovery kit of the estate',
  description: 'Gives the recovery kit as the inventory wants it. Without one there is no item.',
  effect: 'reads',
  input: { inventory: inventoryField },
  output: schema.lazy(() =>
    schema.object({
      host: schema.string('Where it is made'),
      kit: schema.anything('What the operations of the recovery kit take as their kit'),
    }),
  ),
  run: ({ input }) => {
    const planned = plannedKit(input.inventory);
    return Promise.resolve(planned === undefined ? [] : [planned]);
  },
});
