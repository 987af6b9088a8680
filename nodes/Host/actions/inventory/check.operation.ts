import { checkInventory } from '../../../../lib/inventory/check';
import { json, schema, text } from '../../../declaration';
import { operation } from '../../operation';
import { inventoryOutput } from './schema';

export const checkInventoryOperation = operation({
  resource: 'inventory',
  name: 'check',
  action: 'Check an inventory',
  description:
    'Gives the inventory back with everything filled in that may be left out. Refuses it when a name leads nowhere, or a host is not pinned in the credential with this address.',
  effect: 'reads',
  input: {
    inventory: json({ label: 'Inventory', required: true, parse: (value) => value }),
    ownAddress: text({
      label: 'Own Address',
      default: '={{ $execution.resumeUrl }}',
      description: 'Where people reach this n8n: by it, it finds itself among the instances',
    }),
  },
  output: schema.object({
    ...inventoryOutput,
    warnings: schema.array(schema.string(), 'What is allowed, and should be known'),
  }),
  run: ({ input, identity }) =>
    Promise.resolve(checkInventory(input.inventory, identity.hosts, originOf(input.ownAddress))),
});

/** Without what follows it: the address of a webhook of this execution is a secret. */
function originOf(address: string): string {
  return address.replace(/\/webhook[^/]*\/.*$/, '').replace(/[?#].*$/, '');
}
