import type { Duplex } from 'node:stream';
import { inspectContainer } from '../docker/engine/containers';
import { type DockerAccess, describeDocker } from '../docker/engine/access';
import { connectEngine } from '../docker/engine/engine';
import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { openSocket } from '../host/socket';
import type { Task } from '../task';

/** Where a server listens, seen from a host: no port has to be open to the outside. */
export type Reach =
  | { readonly kind: 'port'; readonly host: Host; readonly address: string; readonly port: number }
  /** A container is asked for at its own address, so it need not publish its port. */
  | { readonly kind: 'container'; readonly docker: DockerAccess; readonly container: string; readonly port: number };

export function describeReach(reach: Reach): string {
  return reach.kind === 'port'
    ? `${reach.address}:${reach.port} of ${describeHost(reach.host)}`
    : `container ${reach.container}, port ${reach.port}, of ${describeDocker(reach.docker)}`;
}

export function hostOfReach(reach: Reach): Host {
  return reach.kind === 'port' ? reach.host : reach.docker.host;
}

export async function openReach(reach: Reach, task: Task): Promise<Duplex> {
  if (reach.kind === 'port') return openSocket(reach.host, { host: reach.address, port: reach.port }, task);
  const { docker, container, port } = reach;
  const { networks, networkMode, state } = await inspectContainer(await connectEngine(docker, task), container, task);
  const own = networks.find(({ address }) => address !== '')?.address;
  const address = networkMode === 'host' ? '127.0.0.1' : own;
  if (address === undefined) {
    throw new Failure({
      code: 'container_unreachable',
      subject: `container ${container}`,
      message: `Container ${container} has no address to be reached at: it is ${state}, on network ${networkMode}`,
      nextStep: 'Start it, or give the address and port at which its host reaches it.',
    });
  }
  return openSocket(docker.host, { host: address, port }, task);
}
