import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { handedKeys } from './cloud-init';
import { startComposeMachine } from '../../lab/compose-machine';
import { composePlugin } from '../../lab/compose-plugin';
import type { KeyPair } from '../../lab/hosts/keys';
import { openLedger } from '../../lab/hosts/ledger';
import type { Network } from '../../lab/hosts/network';
import { run } from '../../lab/hosts/programs';
import { startSshHost, type SshHost } from '../../lab/hosts/ssh-host';
import { sshBanner, until } from '../../lab/hosts/waiting';
import type { Machines } from '../../lab/standins/hetzner';

export interface HandedOut {
  readonly machines: Machines;
  readonly address: string;
  /** Where Docker of the next server will listen. It is in the folder of this lab, and not known to the server itself. */
  readonly dockerSocket: string;
  /** The servers that run now. */
  readonly running: () => readonly string[];
  /** What has been ordered so far. */
  readonly orders: readonly string[];
  readonly docker: (...argv: readonly string[]) => Promise<string>;
  /** A folder of the machine, as it is seen from here: /srv or /var/lib/selfhost. */
  readonly folder: (of: 'srv' | 'state') => string;
  readonly stop: () => Promise<void>;
}

/**
 * Stands behind Hetzner: a server that is ordered is a machine with an sshd, whose only host key is the one that came
 * with its user data, a Docker without anything in it, an empty /srv and an empty /var/lib/selfhost. What is in its
 * registry is there from the start, because a lab has none. One at a time.
 */
export async function handOutServers(
  network: Pick<Network<string>, 'address'>,
  namespace: string,
  login: KeyPair,
  image: string,
): Promise<HandedOut> {
  const ledger = await openLedger();
  // The network gives its ends their addresses in the order in which they were named: this is the third.
  const address = network.address.replace(/\.1$/, '.12');
  const orders: string[] = [];
  let now: { readonly name: string; readonly host: SshHost } | undefined;
  const dockerFolder = join(ledger.folder, 'docker');
  await mkdir(dockerFolder);
  const place = { ...ledger, folder: dockerFolder };
  const socket = join(dockerFolder, 'docker.sock');
  const folder = (of: 'srv' | 'state') => join(ledger.folder, of === 'srv' ? 'srv' : 'machine/state');
  let docker: HandedOut['docker'] = () => Promise.reject(new Error('No server was handed out'));

  const switchOff = async (name: string) => {
    if (now?.name !== name) return;
    const { host } = now;
    now = undefined;
    await host.stop();
    await runCleaner(ledger.folder);
  };
  return {
    address,
    dockerSocket: socket,
    orders,
    running: () => (now === undefined ? [] : [now.name]),
    docker: (...argv) => docker(...argv),
    folder,
    machines: {
      address,
      async handOut(name, userData) {
        if (now !== undefined) throw new Error(`${now.name} stands there still`);
        orders.push(name);
        const { privateKey, publicKey, deletesOthers } = handedKeys(userData);
        if (!deletesOthers) throw new Error('The server would keep host keys that nobody knows');
        const machine = join(ledger.folder, 'machine');
        const srv = folder('srv');
        const plugins = join(machine, 'root', '.docker', 'cli-plugins');
        for (const path of [plugins, srv, dockerFolder]) await mkdir(path, { recursive: true });
        // Whoever logs in at once must not miss it, and fetch it.
        await copyFile(await composePlugin(), join(plugins, 'docker-compose'));
        const host = await startSshHost({
          keys: { host: [{ type: 'ed25519', privateKey, publicKey }], login },
          ...{ name, namespace, address, port: 22, machine: { hostname: name, folder: machine } },
        });
        now = { name, host };
        await until(`${name} answers`, 10_000, () => sshBanner(address, 22));
        const hosts = { hosts: { new: host }, address: network.address };
        const daemon = await startComposeMachine(hosts, place, 'new', srv);
        docker = daemon.docker;
        await daemon.docker('load', '--input', image);
        // Who comes before has to wait for Docker, as on a server that is still being set up.
        await rm(socket, { force: true });
        await symlink(daemon.socket, socket);
      },
      switchOff,
    },
    stop: async () => {
      if (now !== undefined) await switchOff(now.name);
      await ledger.clear();
    },
  };
}

/** The disk of a server that was deleted. */
async function runCleaner(folder: string): Promise<void> {
  await run(['rm', '-rf', '--', ...['machine', 'srv', 'docker'].map((name) => join(folder, name))]);
}
