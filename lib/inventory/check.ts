import type { PinnedHost } from '../host/host';
import { findPinned } from '../host/select';
import { thisN8n } from './instances';
import type { Inventory } from './inventory';
import { inventoryWrong, parseInventory } from './parse';

export interface CheckedInventory extends Inventory {
  /** What is allowed, and what somebody should know. */
  readonly warnings: readonly string[];
}

/**
 * Refuses an inventory with a host that the credential does not pin, or pins with another address. `ownAddress` is where
 * people reach this n8n, which is how it finds itself among the instances.
 */
export function checkInventory(value: unknown, pinned: readonly PinnedHost[], ownAddress = ''): CheckedInventory {
  const inventory = parseInventory(value);
  const mistakes = inventory.hosts.flatMap(({ name, address }) => {
    const pin = findPinned(pinned, name);
    if (pin === undefined) return [`host ${name} (${address}) is not pinned in the credential`];
    if (pin.address === address) return [];
    return [`host ${name} is ${address} here, and ${pin.address} where the credential pins it`];
  });
  if (mistakes.length > 0) throw inventoryWrong(mistakes);
  const n8n = thisN8n(inventory, ownAddress);
  const nameless =
    n8n.name === '' && ownAddress !== ''
      ? [`this n8n is at ${ownAddress}, which is none of the instances: it can move no service`]
      : [];
  return { ...inventory, n8n, warnings: [...warningsOf(inventory), ...nameless] };
}

function warningsOf({
  databases,
  folders,
  commands,
  destinations,
  backups,
  services,
  recoveryOrder,
  approvers,
  recipients,
}: Inventory) {
  const found: string[] = [];
  for (const { name, host, ...rest } of [...databases, ...folders, ...commands]) {
    const to = 'to' in rest ? rest.to : [];
    const elsewhere = destinations.filter(
      (destination) => destination.host !== host && (to.length === 0 || to.includes(destination.name)),
    );
    if (elsewhere.length === 0) found.push(`${name} has no destination outside of ${host}`);
  }
  if (folders.some(({ as }) => as !== 'archive') && backups.treePassword === '')
    found.push('backups.treePassword is missing, without which no versions of folders are kept');
  const ordered = new Set(recoveryOrder.flat());
  for (const { name } of services) if (!ordered.has(name)) found.push(`service ${name} is in no recovery order`);
  if (approvers.length === 0) found.push('nobody is asked: every change that is not automatic is refused');
  if (recipients.security.length === 0) found.push('security has no recipients: it goes to the critical ones');
  return found;
}
