import { auditEstate } from '../../../../lib/inventory/audit/audit';
import { parseInventory } from '../../../../lib/inventory/parse';
import { selectHost } from '../../../../lib/host/select';
import { SEVERITIES } from '../../../../lib/host/severity';
import { isObject } from '../../../../lib/json';
import { json, schema } from '../../../declaration';
import { operation } from '../../operation';

export const auditInventoryOperation = operation({
  resource: 'inventory',
  name: 'audit',
  action: 'Audit the hosts of an inventory',
  description:
    'Tells what on the hosts does not fit the inventory: SSH keys, Syncthing over code, timers that nothing starts, a former primary that would start again, no swap, n8n on what it should save, backups that nobody has restored, services without a place in the recovery order, copies of the key of Infisical. It changes nothing.',
  effect: 'reads',
  input: { inventory: json({ label: 'Inventory', required: true, parse: (value) => value }) },
  output: schema.lazy(() =>
    schema.object({
      findings: schema.array(
        schema.object({
          check: schema.string(),
          severity: schema.oneOf(SEVERITIES),
          host: schema.string(),
          file: schema.nullable(schema.string()),
          message: schema.string(),
          howToFix: schema.string(),
        }),
        'The worst first',
      ),
      notChecked: schema.array(schema.string(), 'What could not be looked at, and why'),
    }),
  ),
  run: ({ input, identity, task }) => {
    const { warnings: _, ...inventory } = isObject(input.inventory) ? input.inventory : {};
    return auditEstate(parseInventory(inventory), (name) => selectHost(identity, name), task);
  },
});
