import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeHost, type Host } from '../host';
import { runCommand } from '../run';

const NO_SYSTEMD = 90;

/**
 * Begins every script of this folder: times in UTC, whatever the host's zone, and journal lines as JSON. `journal` says
 * `unreadable` behind a NUL when the journal hides something from this user.
 */
const PREAMBLE = `
export LC_ALL=C TZ=UTC SYSTEMD_PAGER= SYSTEMD_COLORS=0
if ! [ -d /run/systemd/system ] || ! type -P systemctl > /dev/null; then exit ${NO_SYSTEMD}; fi
exec 4>&1
journal() {
  local complaint
  complaint=$(timeout --foreground 10 journalctl --no-pager --output=json "$@" 2>&1 >&4) || complaint+=unreadable
  case $complaint in *'not seeing'* | *permission* | *unreadable*) printf '\\0unreadable' ;; esac
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
