import { join } from 'node:path';
import { openLedger } from './ledger';
import type { Network } from './network';
import { startSshHost, type SshHost } from './ssh-host';
import { ip } from './subnet';
import { sshBanner, until } from './waiting';

/**
 * The switch between the hosts of a network as a machine that one can log in to: `ip link set to-bruno nomaster` is its
 * way to close a port, and `master switch` opens it again.
 */
export async function manageSwitch(network: Pick<Network<string>, 'address' | 'wire'>): Promise<SshHost> {
  const ledger = await openLedger();
  const address = network.address.replace(/\d+$/, '250');
  await ip([`addr add ${address}/24 dev switch`], network.wire);
  const machine = { hostname: 'switch', folder: join(ledger.folder, 'switch') };
  try {
    const host = await startSshHost({ name: 'switch', namespace: network.wire, address, port: 22, machine });
    await until('the switch answers over the network', 10_000, () => sshBanner(address, 22));
    return { ...host, stop: () => host.stop().finally(() => ledger.clear()) };
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}
