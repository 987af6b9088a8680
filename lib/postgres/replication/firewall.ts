import { Failure, messageOf } from '../../failure';
import type { Task } from '../../task';
import type { Cluster, Member } from './cluster';
import type { OutsideFence } from './failover';
import { knockAt } from './knock';
import { runOnMember } from './member-script';
import { answersFrom } from './silence';
import { connectionOf } from './standby-folder';

// The port that others know: a container's own may be another. What comes in is dropped before addresses are translated
// and what goes out after that, so that ports which a container engine publishes are covered as well; and whatever state
// a connection is in, so that those which are open hear nothing more: not even that a commit under way has succeeded.
const CLOSE = `
port=$1
if nft --version > /dev/null 2>&1; then
  printf 'add table inet selfhost_fence\\ndelete table inet selfhost_fence\\ntable inet selfhost_fence {\\n  chain before {\\n    type filter hook prerouting priority -310; policy accept;\\n    tcp dport %s drop\\n  }\\n  chain after {\\n    type filter hook postrouting priority 310; policy accept;\\n    tcp sport %s drop\\n  }\\n}\\n' "$port" "$port" | nft -f - ||
    stop_with firewall_failed "nft refuses the rule"
elif command -v iptables > /dev/null; then
  close_with() {
    local tool=$1 table=$2 chain=$3
    shift 3
    "$tool" -w 5 -t "$table" -C "$chain" -p tcp "$@" -m comment --comment selfhost-fence -j DROP 2>/dev/null ||
      "$tool" -w 5 -t "$table" -I "$chain" -p tcp "$@" -m comment --comment selfhost-fence -j DROP ||
      stop_with firewall_failed "$tool refuses the rule"
  }
  for tool in iptables ip6tables; do
    close_with "$tool" raw PREROUTING --dport "$port"
    # Here answers of a container still come from its own port; the connection knows which one was asked for.
    close_with "$tool" mangle POSTROUTING --sport "$port"
    [ "$kind" != docker ] || close_with "$tool" mangle POSTROUTING -m conntrack --ctorigdstport "$port" --ctdir REPLY
  done
else stop_with firewall_missing "neither nft nor iptables is installed there"; fi
`;

const OPEN = `
port=$1
if nft --version > /dev/null 2>&1; then nft delete table inet selfhost_fence 2>/dev/null || :; fi
open_with() {
  local tool=$1 table=$2 chain=$3
  shift 3
  while "$tool" -w 5 -t "$table" -D "$chain" -p tcp "$@" -m comment --comment selfhost-fence -j DROP 2>/dev/null; do :; done
}
for tool in iptables ip6tables; do
  command -v "$tool" > /dev/null || continue
  open_with "$tool" raw PREROUTING --dport "$port"
  open_with "$tool" mangle POSTROUTING --sport "$port"
  [ "$kind" != docker ] || open_with "$tool" mangle POSTROUTING -m conntrack --ctorigdstport "$port" --ctdir REPLY
done
`;

/** A slow network must not be taken for a rule that holds. */
const KNOCK_SECONDS = 2;

/**
 * Lets nothing in or out of the old primary's port any more, which the candidate's host then proves: it gets no answer
 * there. Not covered: programs on that host itself (by its socket, or from container to container), and the time after
 * a reboot.
 */
export function firewallFence(cluster: Cluster, from: Member, to: Member): OutsideFence {
  return {
    name: `firewall on the host of ${from.name}`,
    silence: async (task) => {
      await runOnMember(cluster, from, { script: CLOSE, arguments: [String(from.port)] }, task);
      const [heard, answers] = await Promise.all([
        // A hung server takes connections all the same, which its kernel does. Behind the rule nobody answers at all, so
        // even to be refused shows that something is reached past it.
        knockAt(from, { by: to.host, seconds: KNOCK_SECONDS }, task),
        // A container may have ways that its host has not.
        answersFrom(cluster, to, connectionOf(cluster, to, from), 2, task),
      ]);
      if (heard !== 'nothing' || answers) {
        await liftFirewall(cluster, from, task);
        const what = heard === 'a refusal' ? 'is still refused by' : 'still gets through to';
        throw new Failure({
          code: 'still_answers',
          subject: `firewall on the host of ${from.name}`,
          message: `${to.name} ${what} ${from.address}:${from.port}, past the rule, which was taken away again`,
          nextStep: 'Look for another way in, such as a proxy, a tunnel or another address.',
        });
      }
      return `nothing goes in or out of port ${from.port} of ${from.name} any more, and ${to.name} gets no answer there`;
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
