import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { startDocker, type DockerHost } from '../../../../lab/docker';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import type { DockerAccess } from '../../../../lib/docker/engine/access';
import { closeSessions } from '../../../../lib/host/sessions';
import { hostOf } from '../../../shared/lab-host';

export interface DockerMachine {
  readonly docker: DockerHost;
  readonly server: SshHost;
  readonly access: DockerAccess;
  readonly stop: () => Promise<void>;
}

/** A machine reached by a real sshd, on which a real dockerd with Compose v2 runs. */
export async function startDockerMachine(): Promise<DockerMachine> {
  const docker = await startDocker();
  try {
    const folder = join(docker.folder, 'machine');
    await mkdir(folder);
    const server = await startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder }, maxSessions: 10 });
    await docker.installCompose(join(folder, 'root'));
    return {
      docker,
      server,
      access: { host: hostOf(server), socketPath: docker.socket },
      stop: async () => {
        await closeSessions();
        await server.stop();
        await docker.stop();
      },
    };
  } catch (error) {
    await docker.stop();
    throw error;
  }
}
