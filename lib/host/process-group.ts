import type { RunAs } from './command';
import type { Host } from './host';
import { startCommand, type RunningCommand } from './start';

export type KillOutcome = 'gone' | 'not verified';

const GRACE_MS = 1_000;
const PATIENCE_MS = 4_000;

/**
 * Asks the group to end, then makes it. The start time keeps it from hitting a stranger: a group number is free for
 * others only once no member is left. Zombies count as gone: they run nothing.
 */
const END_GROUP = `
group=$1 start=$2 grace=$3
alive() {
  local stat line fields
  for stat in /proc/[0-9]*/stat; do
    { read -r line < "$stat"; } 2>/dev/null || continue
    fields=(\${line##*) })
    [ "\${fields[2]}" = "$group" ] && [ "\${fields[0]}" != Z ] && [ "\${fields[0]}" != X ] && return 0
  done
  return 1
}
if { read -r line < "/proc/$group/stat"; } 2>/dev/null; then
  fields=(\${line##*) })
  [ "\${fields[19]}" = "$start" ] || { echo gone; exit 0; }
fi
kill -TERM -- "-$group" 2>/dev/null
for ((waited = 0; waited < grace; waited += 50)); do
  alive || { echo gone; exit 0; }
  sleep 0.05
done
kill -KILL -- "-$group" 2>/dev/null
for ((waited = 0; waited < 1000; waited += 50)); do
  alive || { echo gone; exit 0; }
  sleep 0.05
done
echo alive
`;

/** Ends what a command started, by a channel of its own, and verifies it. */
export async function endProcessGroup(
  host: Host,
  { group }: Pick<RunningCommand, 'group'>,
  runAs: RunAs | undefined,
  owner: string,
): Promise<KillOutcome> {
  // Stop was pressed already: this has its own short deadline instead.
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const killer = await startCommand(
      host,
      { script: END_GROUP, arguments: [group.id, group.startTime, String(GRACE_MS)], strict: false, runAs },
      { signal, owner, progress: () => undefined },
      'control',
    );
    killer.stdin.end();
    killer.stderr.resume();
    let said = '';
    killer.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    killer.stdout.resume();
    await Promise.race([
      killer.closed,
      new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true });
      }),
    ]);
    killer.release();
    return said.includes('gone') ? 'gone' : 'not verified';
  } catch {
    return 'not verified';
  }
}
