import { checkInventory } from '../../../../lib/inventory/check';
import { json, schema } from '../../../declaration';
import { operation } from '../../operation';
import { inventoryOutput } from './schema';

export const checkInventoryOperation = operation({
  resource: 'inventory',
  name: 'check',
  action: 'Check an inventory',
  description:
    'Gives the inventory back with everything filled in that may be left out. Refuses it when a name leads nowhere, or a host is not pinned in the credential with this address.',
  effect: 'reads',
  input: { inventory: json({ label: 'Inventory', required: true, parse: (value) => value }) },
  output: schema.object({
    ...inventoryOutput,
    warnings: schema.array(schema.string(), 'What is allowed, and should be known'),
  }),
  run: ({ input, identity }) => Promise.resolve(checkInventory(input.inventory, identity.hosts)),
});
