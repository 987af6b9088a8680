import { Failure } from '../failure';
import type { Task } from '../task';
import { describeHost, type Host } from './host';
import { runCommand } from './run';
import { keeperIsRoot, runStateScript, STATE_FOLDER } from './state-folder';

/**
 * A hold is a file on a host that keeps every automatic change away from it. People set and lift it from a shell, too:
 *
 *     printf 'who=%s\nwhy=%s\nuntil=%s\n' "$USER" 'replacing a disk' "$(date -u -d '+2 hours' +%FT%TZ)" |
 *       sudo install -D -m 644 /dev/stdin /var/lib/selfhost/hold
 *     sudo rm /var/lib/selfhost/hold
 *
 * Without sudo the folder is ~/.local/state/selfhost; both are looked at. Every line may be missing. Without `until` it
 * holds until it is lifted, and a file that cannot be understood holds as well: doing nothing is the safe mistake.
 */
export interface HoldNote {
  readonly who?: string;
  readonly why?: string;
  readonly until?: Date;
}

export type Hold =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'held'; readonly path: string } & HoldNote)
  /** It no longer holds; somebody should remove it, and see whether its work was finished. */
  | ({ readonly kind: 'expired'; readonly path: string; readonly warning: string } & HoldNote);

const LIMIT = 4096;

const READ_HOLD = `
printf 'now %s\\n' "$(date +%s)"
for path in "$system_state/hold" "$user_state/hold"; do
  # What cannot even be looked for counts as there.
  if [ ! -e "$path" ] && [ ! -L "$path" ]; then
    folder=\${path%/*}
    [ ! -e "$folder" ] || [ -x "$folder" ] || printf 'unreadable %s\\n' "$path"
    continue
  fi
  if [ -f "$path" ] && text=$(head -c ${LIMIT + 1} -- "$path" 2>/dev/null | base64 -w 0); then
    printf 'hold %s %s\\n' "$text" "$path"
  else
    printf 'unreadable %s\\n' "$path"
  fi
done
`;

const SET_HOLD = `
prepare_state
draft=$(mktemp -- "$state/hold.new.XXXXXX")
trap 'rm -f -- "$draft"' EXIT
cat > "$draft"
chmod 644 -- "$draft"
if [ -f "$state/hold" ] && cmp -s -- "$draft" "$state/hold"; then echo unchanged; exit 0; fi
sync -- "$draft"
mv -fT -- "$draft" "$state/hold"
sync -- "$state"
echo changed
`;

const LIFT_HOLD = `
if [ ! -e "$state/hold" ] && [ ! -L "$state/hold" ]; then echo unchanged; exit 0; fi
rm -- "$state/hold"
sync -- "$state"
echo changed
`;

export async function readHold(host: Host, task: Task): Promise<Hold> {
  // As the login user, who sees both folders; root would not know whose second folder to look into.
  const { stdout } = await runStateScript(host, { script: READ_HOLD, asLogin: true }, task);
  const now = /^now (\d+)$/m.exec(stdout)?.[1];
  if (now === undefined) throw holdUnknown(host);
  const holds = stdout.split('\n').flatMap((line) => parseAnswer(line, new Date(Number(now) * 1000)));
  return holds.find(({ kind }) => kind === 'held') ?? holds[0] ?? { kind: 'none' };
}

/** Throws `held` while somebody keeps automatic changes away from the host; what has expired comes back as a warning. */
export async function refuseWhenHeld(host: Host, task: Task): Promise<{ readonly warning?: string }> {
  const hold = await readHold(host, task);
  if (hold.kind === 'held') throw heldFailure(host, hold);
  if (hold.kind === 'none') return {};
  task.progress({ message: hold.warning });
  return { warning: hold.warning };
}

export async function setHold(
  host: Host,
  { who, why, until }: { readonly who: string; readonly why: string; readonly until?: Date },
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const lines = [
    `who=${oneLine(who)}`,
    `why=${oneLine(why)}`,
    ...(until === undefined ? [] : [`until=${until.toISOString()}`]),
  ];
  const { stdout } = await runStateScript(
    host,
    { script: SET_HOLD, input: Buffer.from(`${lines.join('\n')}\n`) },
    task,
  );
  return { changed: stdout.startsWith('changed') };
}

/** Removes every hold that stands, and fails when one is left. */
export async function liftHold(host: Host, task: Task): Promise<{ readonly changed: boolean; readonly was: Hold }> {
  const was = await readHold(host, task);
  const lift = async (runAs: 'login' | undefined) => {
    const command = { script: STATE_FOLDER + LIFT_HOLD, runAs };
    const { stdout } = await runCommand(host, command, { timeoutMs: 60_000 }, task);
    return stdout.startsWith('changed');
  };
  const ways = keeperIsRoot(host) && host.identity.user !== 'root' ? [undefined, 'login' as const] : [undefined];
  let changed = false;
  for (const way of ways) changed = (await lift(way)) || changed;
  const left = await readHold(host, task);
  if (left.kind !== 'none') {
    throw new Failure({
      code: 'hold_not_lifted',
      subject: describeHost(host),
      message: `The hold ${left.path} on ${describeHost(host)} is still there: user ${host.identity.user} may not remove it`,
      nextStep: `Remove it on the host as root (sudo rm ${left.path}), or give the credential a sudo mode.`,
    });
  }
  return { changed, was };
}

function parseAnswer(line: string, now: Date): Exclude<Hold, { kind: 'none' }>[] {
  const [, kind, rest = ''] = /^(hold|unreadable) (.*)$/.exec(line) ?? [];
  if (kind === 'unreadable') return [garbled(rest, 'the hold is there but cannot be read')];
  if (kind === undefined) return [];
  const space = rest.indexOf(' ');
  return [parseHold(Buffer.from(rest.slice(0, space), 'base64').toString('utf8'), rest.slice(space + 1), now)];
}

/** Reads a hold file. Anything that is not plainly over still holds. */
export function parseHold(text: string, path: string, now: Date): Exclude<Hold, { kind: 'none' }> {
  if (text.length > LIMIT) return garbled(path, 'the hold is longer than 4 KiB');
  const found = new Map<string, string>();
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, key = '', value = ''] = /^(who|why|until)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === '') return garbled(path, `the hold has a line that is not who=, why= or until=: ${line.slice(0, 80)}`);
    if (found.has(key)) return garbled(path, `the hold has two lines ${key}=`);
    found.set(key, value);
  }
  const note = { who: found.get('who'), why: found.get('why') };
  const written = found.get('until');
  if (written === undefined || written === '') return { kind: 'held', path, ...note };
  const until = parseTime(written);
  if (until === undefined)
    return garbled(
      path,
      `the hold ends at "${written.slice(0, 40)}", which is no time like 2026-01-05T22:00:00Z`,
      note,
    );
  if (until > now) return { kind: 'held', path, ...note, until };
  const warning = `The hold ${path}${by(note)} ended at ${until.toISOString()} and was not lifted; remove it when its work is finished`;
  return { kind: 'expired', path, ...note, until, warning };
}

/** Only a time that says which zone it means. */
function parseTime(text: string): Date | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/.test(text)) return undefined;
  const time = new Date(text.replace(/([+-]\d{2})(\d{2})$/, '$1:$2'));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function garbled(path: string, why: string, { who }: HoldNote = {}): { kind: 'held'; path: string } & HoldNote {
  return { kind: 'held', path, ...(who !== undefined && { who }), why };
}

function by({ who, why }: HoldNote): string {
  return `${who === undefined ? '' : ` of ${who}`}${why === undefined ? '' : ` (${why})`}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 500);
}

function heldFailure(host: Host, hold: Extract<Hold, { kind: 'held' }>): Failure {
  const { path, who, why, until } = hold;
  const end = until === undefined ? 'until it is lifted' : `until ${until.toISOString()}`;
  return new Failure({
    code: 'held',
    subject: describeHost(host),
    message: `${describeHost(host)} is on hold${who === undefined ? '' : ` by ${who}`}${why === undefined ? '' : ` (${why})`} ${end}; nothing was changed`,
    nextStep: `Ask ${who ?? 'whoever set it'}, or lift the hold (Host: Hold: Lift, or on the host: sudo rm ${path}).`,
    details: { path, who: who ?? null, why: why ?? null, until: until?.toISOString() ?? null },
  });
}

function holdUnknown(host: Host): Failure {
  return new Failure({
    code: 'held',
    subject: describeHost(host),
    message: `Whether ${describeHost(host)} is on hold could not be found out, so nothing was changed`,
    nextStep: 'Check that the login user has bash and coreutils on that host.',
  });
}
