import { Failure } from '../../failure';
import { readFacts } from '../../host/facts/read-facts';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { HetznerApi } from '../../hetzner/api';
import { command } from '../../hetzner/change';
import { findItem, getItem } from '../../hetzner/read';
import { servers } from '../../hetzner/resources/compute';
import type { Task } from '../../task';
import type { Member } from './cluster';
import type { OutsideFence } from './failover';

const POWER_MS = 90_000;

/**
 * Cuts the power of the old primary's server at Hetzner and waits until it says that it is off. The server has to have
 * an address by which the member is known: the wrong one would die for nothing, and prove nothing.
 */
export function powerOffFence(api: HetznerApi, reference: string, from: Member): OutsideFence {
  return {
    name: `power off of server ${reference}`,
    silence: async (task) => {
      const server = await findItem(api, servers, reference, task);
      const own = [server.ipv4, server.ipv6?.replace(/\/\d+$/, '') ?? null, ...server.privateIps];
      if (!own.some((one) => one === from.address || one === from.host.target.address)) {
        throw new Failure({
          code: 'other_server',
          subject: `server ${server.name}`,
          message: `The server ${server.name} has neither the address of ${from.name} (${from.address}) nor that of its host (${from.host.target.address})`,
          nextStep: 'Name the server that the old primary runs on.',
        });
      }
      const place = { id: server.id };
      if (server.status !== 'off') {
        await command(
          api,
          servers,
          { place, command: 'poweroff' },
          { wait: true, timeoutMs: POWER_MS, lockedMs: 15_000 },
          task,
        );
      }
      const { now, wait } = api.surroundings;
      const end = now() + POWER_MS;
      for (;;) {
        const { status } = await getItem(api, servers, place, task);
        if (status === 'off') return `server ${server.name} (${server.id}) is off`;
        if (now() > end) {
          throw new Failure({
            code: 'still_running',
            subject: `server ${server.name}`,
            message: `The power of server ${server.name} was cut, and after ${POWER_MS / 1000} s it is ${status}`,
            nextStep: 'Look at it in the Hetzner Console.',
          });
        }
        await wait(200, task.signal, `server ${server.name}`);
      }
    },
  };
}

/** What else would end with the power of that host: every program that listens to others. */
export async function whatElseDies(host: Host, task: Task): Promise<readonly string[] | null> {
  try {
    const { ports } = await readFacts(host, { sections: ['ports'] }, task);
    if (ports === null || ports === undefined) return null;
    const heard = ports.filter(({ reach }) => reach !== 'loopback');
    return [...new Set(heard.map(({ process, port, protocol }) => `${process ?? 'unknown'} (${protocol} ${port})`))];
  } catch (error) {
    if (task.signal.aborted) throw error;
    return null;
  }
}

const COMMAND_MS = 120_000;

/** A command of the user's own, which proves by its exit code 0 that the old primary is silent. */
export function commandFence(host: Host, script: string, from: Member): OutsideFence {
  return {
    name: `own command on ${describeHost(host)}`,
    silence: async (task) => {
      const ask = { script, arguments: [from.name, from.address, String(from.port)] };
      const { stdout } = await runCommand(host, ask, { timeoutMs: COMMAND_MS }, task);
      return stdout.trim().split('\n').at(-1)?.slice(0, 200) || 'it ended with 0';
    },
  };
}
