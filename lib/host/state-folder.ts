import { createHash } from 'node:crypto';
import { Failure } from '../failure';
import type { Task } from '../task';
import type { CommandResult } from './command';
import { describeHost, type Host } from './host';
import { runCommand } from './run';

/**
 * Opens every script that touches the records a host keeps of its own jobs, locks, claims and hold. They live in
 * /var/lib/selfhost for root and in the user's state folder for everybody else; the user decides, no setting does.
 *
 * The folder itself is 0755, because the hold in it must be readable by every login; all folders below are 0700.
 */
export const STATE_FOLDER = `
export LC_ALL=C
umask 077
refuse() { printf 'selfhost: %s\\n' "$*" >&2; exit 120; }
system_state=/var/lib/selfhost
user_state=\${XDG_STATE_HOME:-\${HOME:-/nonexistent}/.local/state}/selfhost
if [ "$EUID" = 0 ]; then state=$system_state; else state=$user_state; fi
case $state in /*) ;; *) refuse "the state folder $state is not an absolute path" ;; esac
jobs=$state/jobs

prepare_state() {
  mkdir -p -- "$state" || refuse "$state cannot be made"
  [ ! -L "$state" ] && [ -O "$state" ] || refuse "$state is a link or belongs to somebody else"
  chmod 755 -- "$state" && mkdir -p -- "$state"/{jobs,locks,claims,consumers,state} || refuse "$state cannot be written"
}

# Standard input becomes the file, durably: all of it or nothing.
put() {
  local draft
  draft=$(mktemp -- "$1.new.XXXXXX") || return 1
  if cat > "$draft" && sync -- "$draft" && mv -fT -- "$draft" "$1" && sync -- "\${1%/*}"; then return 0; fi
  rm -f -- "$draft"
  return 1
}

# The same, but never in place of a file that is there: then it answers 1.
place() {
  local draft
  draft=$(mktemp -- "$1.new.XXXXXX") || refuse "$1 cannot be written"
  if ! cat > "$draft" || ! sync -- "$draft"; then rm -f -- "$draft"; refuse "$1 cannot be written"; fi
  if ln -T -- "$draft" "$1" 2>/dev/null; then
    rm -f -- "$draft"; sync -- "\${1%/*}"; return 0
  fi
  rm -f -- "$draft"
  [ -e "$1" ] || refuse "$1 cannot be written"
  return 1
}

# lock_file FILE SECONDS [-s]: locks the file of that name and leaves its descriptor in REPLY; 1 when somebody else
# holds it, 2 when it cannot be opened. The file that was opened may have been removed while we waited: then once more.
lock_file() {
  local fd; REPLY=
  while :; do
    { exec {fd}>>"$1"; } 2>/dev/null || return 2
    flock \${3+"$3"} -w "$2" "$fd" || { exec {fd}>&-; return 1; }
    if [ "/proc/self/fd/$fd" -ef "$1" ]; then REPLY=$fd; return 0; fi
    exec {fd}>&-
  done
}

# The first line of a file, or nothing.
line_of() { REPLY=; { IFS= read -r REPLY < "$1"; } 2>/dev/null || :; }

now_ms() { local now=\${EPOCHREALTIME/[.,]/}; REPLY=\${now%???}; }
`;

/** The user who keeps the records of a host: root where the identity can become root, otherwise the login user. */
export function keeperIsRoot({ identity }: Host): boolean {
  return identity.sudo.mode !== 'none' || identity.user === 'root';
}

export interface StateScript {
  /** Constant; STATE_FOLDER is put in front of it. */
  readonly script: string;
  readonly arguments?: readonly string[];
  readonly input?: Buffer;
  readonly timeoutMs?: number;
  readonly acceptExitCodes?: readonly number[];
  /** The hold is read as the login user, who sees both folders. Everything else is the keeper's. */
  readonly asLogin?: boolean;
}

const REFUSED = 120;
const ANSWER_BYTES = 32 * 1024 * 1024;

/** Runs one script on the host's records and returns what it answered, whole. */
export async function runStateScript(host: Host, ask: StateScript, task: Task): Promise<CommandResult> {
  const accepted = ask.acceptExitCodes ?? [0];
  const result = await runCommand(
    host,
    {
      script: STATE_FOLDER + ask.script,
      arguments: ask.arguments,
      input: ask.input,
      ...(ask.asLogin === true && { runAs: 'login' as const }),
    },
    {
      timeoutMs: ask.timeoutMs ?? 60_000,
      maxOutputBytes: ANSWER_BYTES,
      acceptExitCodes: [...accepted, REFUSED],
    },
    task,
  );
  const subject = describeHost(host);
  if (result.exitCode === REFUSED) {
    const why = /^selfhost: (.*)$/m.exec(result.stderr)?.[1] ?? 'no reason was given';
    throw new Failure({
      code: 'state_refused',
      subject,
      message: `${subject} refused: ${why}`,
      nextStep: 'Look at the folder and the programs it names on that host (/var/lib/selfhost for root).',
    });
  }
  if (result.truncated) {
    throw new Failure({
      code: 'state_answer_too_long',
      subject,
      message: `The records of ${subject} are longer than ${ANSWER_BYTES} bytes`,
      nextStep: 'Clean up old jobs, or narrow the filter.',
    });
  }
  return result;
}

/** A file name for a name that people chose: readable, and never the same for two names. */
export function fileNameFor(...parts: readonly [string, ...string[]]): string {
  const slug = parts
    .join('-')
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  const hash = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
  return `${slug === '' ? 'unnamed' : slug}-${hash}`;
}

export function unreadableRecord(host: Host, what: string): Failure {
  return new Failure({
    code: 'record_unreadable',
    subject: describeHost(host),
    message: `${describeHost(host)} keeps a record that cannot be read: ${what}`,
    nextStep: 'It was damaged, or written by a newer version of this pack. Update the pack before removing anything.',
  });
}
