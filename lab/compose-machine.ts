import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../lib/host/run';
import { composePlugin } from './compose-plugin';
import { type Daemon, startDaemon } from './docker-pair';
import { hostOf } from './hosts/as-host';
import type { Ledger } from './hosts/ledger';
import type { Network } from './hosts/network';
import { endMachine } from './power';

const quiet = { signal: new AbortController().signal, progress: () => undefined, owner: 'lab' };

/** A machine gets a folder of this one as its /srv, Compose v2, and a dockerd of its own. */
export async function startComposeMachine<Name extends string>(
  network: Pick<Network<Name>, 'hosts' | 'address'>,
  ledger: Ledger,
  of: Name,
  srv: string,
): Promise<Daemon> {
  // The machines do not see the home of this one.
  const plugin = join(ledger.folder, 'docker-compose');
  await copyFile(await composePlugin(), plugin);
  await runCommand(hostOf(network.hosts[of]), { script: FURNISH, arguments: [srv, plugin] }, {}, quiet);
  return startDaemon(network, ledger, of);
}

const FURNISH = `
mount --bind "$1" /srv
install -D -m 755 -- "$2" /root/.docker/cli-plugins/docker-compose
`;

export interface Power<Name extends string> {
  /** The power of that machine is gone: its Docker and all containers end at once, and nobody is told. */
  readonly powerOff: (of: Name) => Promise<void>;
  /** It is back, and its Docker starts what it would start after any crash. */
  readonly powerOn: (of: Name) => Promise<void>;
}

export function powerOf<Name extends string>(
  network: Pick<Network<Name>, 'cut' | 'heal' | 'hosts' | 'address'>,
  ledger: Ledger,
  daemons: Readonly<Record<Name, Daemon>>,
): Power<Name> {
  return {
    async powerOff(of) {
      await network.cut(of);
      await endMachine(ledger, of, daemons[of]);
    },
    async powerOn(of) {
      // Docker is started over the network; nothing of it runs yet. It is the same one, so its socket and folder are.
      await network.heal(of);
      await startDaemon(network, ledger, of);
    },
  };
}
