import { Duplex } from 'node:stream';
import type { Task } from '../task';
import type { Host } from './host';
import { openForward, type SocketAddress } from './sessions';

/**
 * A socket on the host, as the login user: a Unix path, or a port that need not be open to the outside. It is carried by
 * the pooled connection; whoever opened it closes it.
 */
export async function openSocket(host: Host, address: SocketAddress, task: Task): Promise<Duplex> {
  const { channel, lost, release } = await openForward(host, address, task);
  const onLost = () => {
    // ssh2's own destroy() drops the error, and whoever reads would take what came so far for the whole.
    Duplex.prototype.destroy.call(channel, lost.reason as Error);
  };
  lost.addEventListener('abort', onLost, { once: true });
  channel.once('close', () => {
    lost.removeEventListener('abort', onLost);
    release();
  });
  return channel;
}
