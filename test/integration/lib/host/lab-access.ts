import type { LabHost } from '../../../../lab/hosts/ssh-host';
import type { Host, Sudo } from '../../../../lib/host/host';
import type { Task } from '../../../../lib/task';

/** A lab host as lib/host knows hosts. */
export function access(lab: LabHost, as: { readonly user?: string; readonly sudo?: Sudo } = {}): Host {
  const target = { name: lab.name, aliases: [], address: lab.address, port: lab.port, pins: lab.pins };
  return {
    target,
    identity: {
      user: as.user ?? lab.user,
      login: { method: 'key', privateKey: lab.privateKey },
      sudo: as.sudo ?? { mode: 'none' },
      hosts: [target],
      pinsFromWorkflow: false,
      readOnly: false,
    },
  };
}

export function task(signal: AbortSignal = new AbortController().signal): Task {
  return { signal, progress: () => undefined, owner: 'test' };
}

/** The Failure's code and sentence, or `no failure`. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => 'no failure',
    (error: unknown) => error,
  );
}
