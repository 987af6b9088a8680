import type { Task } from '../task';
import { runOnHost } from './host-script';
import type { Service } from './service';
import type { Turn } from './turn';

/** How many of the former contents of a path are kept: those of this turn and of the one before it. */
export const KEPT_ASIDES = 2;

const FINISH = `
turn=$1 to=$2 keep=$3
[ "$to" = "$place" ] || stop_with turn_over "it is not its turn"
open_records
hear "$turn" "$to"
line_of "$dir/begun"; [ "$REPLY" = "$turn" ] || stop_with not_begun "it was not started with turn $turn"
line_of "$dir/finished"; before=$REPLY
printf '%s\\n' "$turn" | put "$dir/finished" || stop_with records_unwritable "$dir/finished cannot be written"
[ -f "$dir/asides" ] && while IFS= read -r path; do
  case $path in /?*) ;; *) continue ;; esac
  # What was restored or carried by runs that were killed, or came second.
  rm -rf -- "\${path%/*}"/.selfhost-restored-*-"\${path##*/}" "\${path%/*}"/.selfhost-incoming-*-"\${path##*/}"
  numbers=$(for aside in "$path".before-*; do
    n=\${aside##*.before-}
    case $n in *-wal | *-shm | *-journal) n=\${n%-*} ;; esac
    case $n in '' | *[!0-9]*) ;; *) printf '%s\\n' "$n" ;; esac
  done | sort -rnu | tail -n +"$((keep + 1))")
  for n in $numbers; do rm -rf -- "$path.before-$n" "$path.before-$n"-{wal,shm,journal} && printf 'gone %s\\n' "$path.before-$n"; done
done < "$dir/asides"
[ "$before" = "$turn" ] && echo same || echo finished
`;

/**
 * The move is over: the service runs where it should, and its names point there. Whoever looks later has nothing to go
 * on with. What was put aside by older turns is removed; the newest two of each path stay.
 */
export async function finishTurn(
  service: Service,
  turn: Pick<Turn, 'number' | 'at'>,
  task: Task,
): Promise<{ readonly changed: boolean; readonly removed: readonly string[] }> {
  const { stdout } = await runOnHost(
    service,
    turn.at,
    { script: FINISH, arguments: [String(turn.number), turn.at, String(KEPT_ASIDES)] },
    { timeoutMs: 3_600_000 },
    task,
  );
  const lines = stdout.split('\n');
  return {
    changed: lines.includes('finished'),
    removed: lines.flatMap((line) => (line.startsWith('gone ') ? [line.slice(5)] : [])),
  };
}
