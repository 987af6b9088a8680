import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startDocker, type DockerHost, type DockerOptions } from '../../lab/docker';
import { startSshHost, type SshHost } from '../../lab/hosts/ssh-host';
import type { DockerAccess } from '../../lib/docker/engine/access';
import { closeSessions } from '../../lib/host/sessions';
import type { JsonObject } from '../../lib/json';
import { startCable } from './cable';
import { hostOf } from '../../lab/hosts/as-host';

export interface DockerMachine {
  readonly docker: DockerHost;
  /** As seen over a cable that can be cut. */
  readonly server: SshHost;
  readonly access: DockerAccess;
  /** Where the machine's root lives. */
  readonly home: string;
  /** As an inventory has it. */
  readonly described: JsonObject;
  /** Every connection to it breaks; its jobs do not. */
  readonly cut: () => void;
  readonly stop: () => Promise<void>;
}

/** A machine reached by a real sshd, on which a real dockerd with Compose v2 runs. */
export async function startDockerMachine(options: DockerOptions = {}): Promise<DockerMachine> {
  const docker = await startDocker(options);
  try {
    const folder = join(docker.folder, 'machine');
    await mkdir(folder);
    const sshd = await startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder }, maxSessions: 10 });
    await docker.installCompose(join(folder, 'root'));
    const cable = await startCable(sshd);
    const server = { ...sshd, port: cable.port };
    return {
      docker,
      server,
      access: { host: hostOf(server), socketPath: docker.socket },
      home: join(folder, 'root'),
      described: {
        ...{ name: 'bruno', address: '127.0.0.1', port: server.port, provider: 'hetzner' },
        docker: docker.socket,
      },
      cut: cable.cut,
      stop: async () => {
        await closeSessions();
        await cable.stop();
        await sshd.stop();
        await docker.stop();
      },
    };
  } catch (error) {
    await docker.stop();
    throw error;
  }
}
