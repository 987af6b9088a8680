import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeHost, type Host } from '../host';
import { runCommand } from '../run';

const NO_SYSTEMD = 90;

/**
 * Begins every script of this folder: times in UTC, whatever the host's zone, and journal lines as JSON. `journal` says
 * `unreadable` behind a NUL when this user may not read the system's journal, which journalctl does not mention.
 */
const PREAMBLE = `
export LC_ALL=C TZ=UTC SYSTEMD_PAGER= SYSTEMD_COLORS=0
if ! [ -d /run/systemd/system ] || ! type -P systemctl > /dev/null; then exit ${NO_SYSTEMD}; fi
journal() {
  local file readable=
  [ "$EUID" != 0 ] || readable=yes
  for file in /var/log/journal/*/system.journal /run/log/journal/*/system.journal; do
    if [ -r "$file" ]; then readable=yes; fi
  done
  if [ -n "$readable" ] && timeout --foreground 10 journalctl --quiet --no-pager --output=json "$@"; then return 0; fi
  printf '\\0unreadable'
}
`;

export interface SystemdCall {
  readonly script: string;
  readonly arguments?: readonly string[];
  readonly timeoutMs?: number;
}

/** What the script printed, split at its NULs. */
export async function runSystemd(
  host: Host,
  { script, arguments: list = [], timeoutMs = 30_000 }: SystemdCall,
  task: Task,
): Promise<readonly string[]> {
  const result = await runCommand(
    host,
    { script: `${PREAMBLE}${script}`, arguments: list },
    { timeoutMs, acceptExitCodes: [0, NO_SYSTEMD], maxOutputBytes: 4 * 1024 * 1024 },
    task,
  );
  if (result.exitCode !== NO_SYSTEMD) return result.stdout.split('\0');
  throw new Failure({
    code: 'systemd_missing',
    subject: describeHost(host),
    message: `systemd does not run on ${describeHost(host)}`,
    nextStep: 'Services need systemd as the first process. Use Run Command with the tools of that system instead.',
  });
}
