import type { Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';
import type { Member } from './cluster';

/** Who refuses lives as well as who answers. */
export type Heard = 'an answer' | 'a refusal' | 'nothing';

// Three, a little apart: one packet that is lost proves nothing.
const KNOCKS = `
export LC_ALL=C
knock() {
  sleep "$4"
  if complaint=$(timeout "$3" bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$1" "$2" 2>&1); then echo answer
  else case $complaint in *refused*) echo refusal ;; esac; fi
}
for delay in 0 0.1 0.2; do knock "$1" "$2" "$3" "$delay" & done
wait
echo ended
`;

const LONGEST_MS = 5_000;

/** What another host hears when it knocks at the port of a member. */
export async function knockAt(
  { address, port }: Pick<Member, 'address' | 'port'>,
  { by, seconds }: { readonly by: Host; readonly seconds: number },
  task: Task,
): Promise<Heard> {
  const argv = ['bash', '-c', KNOCKS, 'knocks', address, String(port), String(seconds)] as const;
  const { stdout } = await runCommand(by, { argv: [...argv] }, { timeoutMs: LONGEST_MS }, task);
  if (stdout.includes('answer')) return 'an answer';
  return stdout.includes('refusal') ? 'a refusal' : 'nothing';
}

/** Longer than any way around the earth and back. */
const SECONDS = 0.35;

/**
 * Whether nothing at all comes back from a member's machine, as another host sees it. A host whose network is slow or
 * loses packets is not deaf: it deserves more time. Whoever cannot be asked says nothing of that.
 */
export async function isDeafTo(host: Host, member: Pick<Member, 'address' | 'port'>, task: Task): Promise<boolean> {
  try {
    return (await knockAt(member, { by: host, seconds: SECONDS }, task)) === 'nothing';
  } catch (error) {
    if (task.signal.aborted) throw error;
    return false;
  }
}
