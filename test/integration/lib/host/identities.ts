import { hostOf } from '../../../../lab/hosts/as-host';
import type { Identity } from '../../../../lib/host/host';
import type { LabHost } from '../../../../lab/hosts/ssh-host';

/** The identity of somebody who may log in to these lab hosts. */
export function identityFor(hosts: readonly LabHost[]): Identity {
  const [first] = hosts;
  if (first === undefined) throw new Error('At least one host');
  return {
    ...hostOf(first).identity,
    hosts: hosts.map(({ name, address, port, pins }) => ({ name, aliases: [], address, port, pins })),
  };
}
