import { Failure, messageOf } from '../../failure';
import { readFacts } from '../../host/facts/read-facts';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { HetznerApi } from '../../hetzner/api';
import { command } from '../../hetzner/change';
import { findItem, getItem } from '../../hetzner/read';
import { servers } from '../../hetzner/resources/compute';
import type { Task } from '../../task';
import type { Cluster, Member } from './cluster';
import type { OutsideFence } from './failover';
import { runOnMember } from './member-script';
import { answersFrom } from './silence';
import { connectionOf } from './standby-folder';

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

// The port that others know: a container's own may be another. Before addresses are translated, so that ports which a container engine publishes are covered as well; and whatever
// state a connection is in, so that those which are open hear nothing more.
const CLOSE = `
port=$1
if command -v nft > /dev/null; then
  printf 'add table inet selfhost_fence\\ndelete table inet selfhost_fence\\ntable inet selfhost_fence {\\n  chain before {\\n    type filter hook prerouting priority -310; policy accept;\\n    tcp dport %s drop\\n  }\\n}\\n' "$port" | nft -f - ||
    stop_with firewall_failed "nft refuses the rule"
elif command -v iptables > /dev/null; then
  for tool in iptables ip6tables; do
    "$tool" -w 5 -t raw -C PREROUTING -p tcp --dport "$port" -m comment --comment selfhost-fence -j DROP 2>/dev/null ||
      "$tool" -w 5 -t raw -I PREROUTING -p tcp --dport "$port" -m comment --comment selfhost-fence -j DROP ||
      stop_with firewall_failed "$tool refuses the rule"
  done
else stop_with firewall_missing "neither nft nor iptables is installed there"; fi
`;

const OPEN = `
port=$1
if command -v nft > /dev/null; then nft delete table inet selfhost_fence 2>/dev/null || :; fi
for tool in iptables ip6tables; do
  command -v "$tool" > /dev/null || continue
  while "$tool" -w 5 -t raw -D PREROUTING -p tcp --dport "$port" -m comment --comment selfhost-fence -j DROP 2>/dev/null; do :; done
done
`;

/**
 * Lets nobody reach the old primary's port any more, which the candidate's host then proves by a login that fails. Not
 * covered: programs on that host itself (by its socket, or from container to container), and the time after a reboot.
 */
export function firewallFence(cluster: Cluster, from: Member, to: Member): OutsideFence {
  return {
    name: `firewall on the host of ${from.name}`,
    silence: async (task) => {
      await runOnMember(cluster, from, { script: CLOSE, arguments: [String(from.port)] }, task);
      if (await answersFrom(cluster, to, connectionOf(cluster, to, from), 2, task)) {
        throw new Failure({
          code: 'still_answers',
          subject: `firewall on the host of ${from.name}`,
          message: `${to.name} can still log in to ${from.name}, past the rule`,
          nextStep: 'Look for another way in, such as a proxy or a tunnel.',
        });
      }
      return `port ${from.port} of ${from.name} takes nothing in any more, and ${to.name} cannot log in`;
    },
  };
}

/** Takes the rule away again; without one nothing happens. What goes wrong is told and stops nobody. */
export async function liftFirewall(cluster: Cluster, member: Member, task: Task): Promise<void> {
  await runOnMember(cluster, member, { script: OPEN, arguments: [String(member.port)] }, task).catch(
    (error: unknown) => {
      if (task.signal.aborted) throw error;
      task.progress({ message: `The firewall of ${member.name} could not be opened: ${messageOf(error)}` });
    },
  );
}
