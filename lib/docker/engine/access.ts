import { Duplex } from 'node:stream';
import { Failure, isFailure, messageOf } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import type { RunAs } from '../../host/command';
import { runCommand } from '../../host/run';
import { openSocket } from '../../host/socket';
import { startCommand } from '../../host/start';
import { openDirectly } from './direct';
import type { Task } from '../../task';

export const DEFAULT_SOCKET = '/var/run/docker.sock';

/** A Docker Engine on a host; no port is open for it. */
export interface DockerAccess {
  readonly host: Host;
  readonly socketPath: string;
}

/** A Docker Engine of this machine, by its socket. */
export interface LocalDocker {
  readonly localSocket: string;
}

/** A Docker Engine that listens on a port of its own, where both sides prove who they are by certificates. */
export interface RemoteDocker {
  readonly address: string;
  readonly port: number;
  /** PEM; the authority is the only one that is trusted. */
  readonly authority: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** Compose, deploys and everything else that is done on the host needs the first. */
export type DockerPlace = DockerAccess | LocalDocker | RemoteDocker;

/** How its socket is reached: forwarded by sshd, or by the client program that passes bytes on. */
export type Way =
  { readonly kind: 'direct' } | { readonly kind: 'forward' } | { readonly kind: 'dial'; readonly runAs: RunAs };

export function describeDocker(place: DockerPlace): string {
  if ('host' in place) return `Docker on ${describeHost(place.host)}`;
  if ('localSocket' in place) return `Docker at ${place.localSocket}`;
  return `Docker at ${place.address}:${place.port}`;
}

const LOOK = `
if [ ! -S "$1" ]; then echo missing; elif [ -r "$1" ] && [ -w "$1" ]; then echo open; else echo forbidden; fi
command -v docker >/dev/null && echo client || echo none
`;

/** Finds out once which way works, and says what is in the way when none does. */
export async function findWay(access: DockerPlace, task: Task): Promise<Way> {
  if (!('host' in access)) return { kind: 'direct' };
  const { host, socketPath } = access;
  const refusal = await openSocket(host, { path: socketPath }, task).then(
    (socket) => {
      socket.on('error', () => undefined).destroy();
      return undefined;
    },
    (error: unknown) => error,
  );
  if (refusal === undefined) return { kind: 'forward' };
  if (!isFailure(refusal, 'channel_refused')) throw refusal instanceof Error ? refusal : new Error(messageOf(refusal));
  const asked: readonly RunAs[] = host.identity.sudo.mode === 'none' ? ['login'] : ['login', 'root'];
  let state = 'missing';
  for (const runAs of asked) {
    const { stdout } = await runCommand(
      host,
      { script: LOOK, arguments: [socketPath], runAs },
      { timeoutMs: 15_000 },
      task,
    );
    const [socket = 'missing', client] = stdout.split('\n');
    if (socket === 'open' && client === 'client') return { kind: 'dial', runAs };
    // What root sees is the truth; somebody else may not see into the folder.
    state = socket === 'open' ? 'no client' : socket;
  }
  throw unreachable(access, state, refusal);
}

export async function openDocker(access: DockerPlace, way: Way, task: Task): Promise<Duplex> {
  if (!('host' in access)) return await openDirectly(access, task);
  const { host, socketPath } = access;
  if (way.kind !== 'dial') {
    const socket = await openSocket(host, { path: socketPath }, task);
    // Between two requests nobody listens; a connection that breaks then concerns nobody.
    return socket.on('error', () => undefined);
  }
  const running = await startCommand(
    host,
    {
      argv: ['docker', 'system', 'dial-stdio'],
      environment: { DOCKER_HOST: `unix://${socketPath}` },
      runAs: way.runAs,
    },
    task,
  );
  running.stderr.resume();
  const socket = Duplex.from({ readable: running.stdout, writable: running.stdin });
  socket.on('error', () => undefined);
  // The program ends when its input does, and so does the request it carries.
  socket.once('close', running.release);
  running.exit.catch((error: unknown) => socket.destroy(error as Error));
  return socket;
}

function unreachable(access: DockerAccess, state: string, cause: unknown): Failure {
  const { host, socketPath } = access;
  const user = host.identity.user;
  const sentences: Readonly<Record<string, readonly [string, string]>> = {
    missing: [
      `there is no socket at ${socketPath}`,
      'Check that Docker is installed and running (systemctl status docker), and the socket path.',
    ],
    forbidden: [
      `${user} may not open ${socketPath}`,
      `Give the credential a sudo mode, or add ${user} to the group docker (which is as much as root).`,
    ],
    'no client': [
      'sshd does not forward the socket, and there is no docker program to do it instead',
      'Set AllowStreamLocalForwarding yes in sshd_config, or install the docker client on the host.',
    ],
  };
  const [why, nextStep] = sentences[state] ?? [state, 'Check Docker on the host.'];
  return new Failure({
    code: state === 'forbidden' ? 'docker_forbidden' : 'docker_unreachable',
    subject: describeDocker(access),
    message: `${describeDocker(access)} cannot be reached: ${why}`,
    nextStep,
    cause,
  });
}
