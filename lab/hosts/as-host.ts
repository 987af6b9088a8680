import type { Host } from '../../lib/host/host';
import type { LabHost } from './ssh-host';

/** A lab host as an engine is given it. */
export function hostOf(lab: LabHost, changes: Partial<Host['identity']> = {}): Host {
  const target = { name: lab.name, aliases: [], address: lab.address, port: lab.port, pins: lab.pins };
  return {
    identity: {
      user: lab.user,
      login: { method: 'key', privateKey: lab.privateKey },
      sudo: { mode: 'none' },
      hosts: [target],
      pinsFromWorkflow: false,
      readOnly: false,
      ...changes,
    },
    target,
  };
}
