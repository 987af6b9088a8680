import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { startSshHost, type LabHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import type { Host } from '../../../../lib/host/host';
import { closeSessions } from '../../../../lib/host/sessions';
import type { Task } from '../../../../lib/task';

export interface Machine {
  readonly server: SshHost;
  readonly host: Host;
  /** What /var/lib/selfhost is on it, as seen from here. */
  readonly state: string;
  readonly stop: () => Promise<void>;
}

/** A machine with its own processes and its own /var/lib/selfhost, reached by a real sshd. */
export async function startMachine(name: string): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-machine-'));
  const server = await startSshHost({ name, machine: { hostname: name, folder }, maxSessions: 10 });
  return {
    server,
    host: hostOf(server),
    state: join(folder, 'state'),
    stop: async () => {
      await closeSessions();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Hosts of another name are reached by connections of their own. */
export function hostOf(server: LabHost, name = server.name): Host {
  const target = { name, aliases: [], address: server.address, port: server.port, pins: server.pins };
  return {
    identity: {
      user: server.user,
      login: { method: 'key', privateKey: server.privateKey },
      sudo: { mode: 'none' },
      hosts: [target],
      pinsFromWorkflow: false,
      readOnly: false,
    },
    target,
  };
}

export function taskOf(owner: string, signal: AbortSignal = new AbortController().signal, told: string[] = []): Task {
  // Dozens of things at once listen to the one Stop of a test.
  setMaxListeners(0, signal);
  return { owner, signal, progress: ({ message }) => told.push(message) };
}
