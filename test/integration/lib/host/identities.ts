import { setMaxListeners } from 'node:events';
import type { Host, Identity, Login, Sudo } from '../../../../lib/host/host';
import type { Task } from '../../../../lib/task';
import type { LabHost } from '../../../../lab/hosts/ssh-host';

/** The identity of somebody who may log in to these lab hosts. */
export function identityFor(
  hosts: readonly LabHost[],
  change: { readonly user?: string; readonly login?: Login; readonly sudo?: Sudo; readonly jumpHost?: string } = {},
): Identity {
  const [first] = hosts;
  if (first === undefined) throw new Error('At least one host');
  return {
    user: change.user ?? first.user,
    login: change.login ?? { method: 'key', privateKey: first.privateKey },
    sudo: change.sudo ?? { mode: 'none' },
    hosts: hosts.map(({ name, address, port, pins }) => ({ name, aliases: [], address, port, pins })),
    jumpHost: change.jumpHost,
    pinsFromWorkflow: false,
    readOnly: false,
  };
}

export function hostFor(lab: LabHost, change: Parameters<typeof identityFor>[1] = {}): Host {
  const identity = identityFor([lab], change);
  const [target] = identity.hosts;
  if (target === undefined) throw new Error('No host');
  return { identity, target };
}

export function taskFor(signal: AbortSignal = new AbortController().signal, owner = 'test'): Task {
  setMaxListeners(0, signal);
  return { signal, owner, progress: () => undefined };
}
