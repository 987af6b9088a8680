import { Failure, isFailure } from '../failure';
import { describeHost } from '../host/host';
import type { Task } from '../task';
import { runOnHost } from './host-script';
import { lookAt } from './look';
import { describeService, hostAt, type Place, type Service } from './service';
import type { Turn } from './turn';

// What Docker would start by itself after a reboot is what makes twins.
const ARM = `
open_records
before=$(containers --all)
[ -z "$before" ] || before=$(timeout 30 docker inspect --format '{{or .HostConfig.RestartPolicy.Name "no"}}' $before | grep -cvx no || :)
keep_down
printf '%s\\n' "\${before:-0}"
`;

/** From now on the containers of the service start on that host when n8n or a person says so, and never by themselves. */
export async function keepDown(service: Service, place: Place, task: Task): Promise<{ readonly changed: boolean }> {
  const { stdout } = await runOnHost(service, place, { script: ARM }, { timeoutMs: 240_000 }, task);
  return { changed: Number(stdout.trim()) > 0 };
}

const SILENCE = `
turn=$1 to=$2 patience=$3
open_records
hear "$turn" "$to"
line_of "$dir/silent"; before=$REPLY
proven() { [ "$before" = "$turn" ] || printf '%s\\n' "$turn" | put "$dir/silent" || stop_with records_unwritable "$dir/silent cannot be written"; }
printf '%s\\n' "$directory" | put "$dir/away" || stop_with records_unwritable "$dir/away cannot be written"
keep_down
ids=$(containers)
# Whoever has to choose between these data and a backup has to know how new they are.
leave() {
  line_of "$dir/begun"
  [ -n "$REPLY" ] && [ "$REPLY" != "$turn" ] || return 0
  local of=$REPLY
  read_left
  [ -z "$left_until" ] || { [ "$left_for" = "$turn" ] && [ "$left_over" = - ] && [ -n "$ids" ]; } || return 0
  now_ms
  printf '%s %s %s -\\n' "$of" "$turn" "$REPLY" | put "$dir/left" || stop_with records_unwritable "$dir/left cannot be written"
}
leave
[ -n "$ids" ] || { proven; echo silent; exit 0; }
# In the order of its dependencies, where Compose can still read the project.
[ ! -d "$directory" ] || timeout $((patience + 60)) docker compose --project-directory "$directory" stop --timeout "$patience" >/dev/null 2>&1 || :
ids=$(containers)
[ -z "$ids" ] || timeout $((patience + 60)) docker stop --time "$patience" $ids >/dev/null 2>&1 || :
ids=$(containers)
[ -z "$ids" ] || timeout 60 docker kill $ids >/dev/null 2>&1 || :
# Proven, not believed.
ids=$(containers)
[ -z "$ids" ] || stop_with still_runs "it does not stop: $(docker inspect --format '{{.Name}}' $ids | tr '\\n' ' ')"
ids=stopped
leave
proven
[ "$before" = "$turn" ] && echo again || echo stopped
`;

// From here on a backup may have what the data that were left here have not.
const WENT_ON = `
open_records
hear "$1" "$2"
read_left
[ "$left_over" = - ] || exit 0
now_ms
printf '%s %s %s %s\\n' "$left_of" "$left_for" "$left_until" "$REPLY" | put "$dir/left" || stop_with records_unwritable "$dir/left cannot be written"
`;

const HEARD = `
open_records
hear "$1" "$2"
`;

export interface Silence {
  /** Proven. False: the host could not be reached, so it may still run where nobody of us sees it. */
  readonly silent: boolean;
  readonly changed: boolean;
  /** It had been silent there for this turn: somebody or something has started it since. False: it may have run on. */
  readonly again: boolean;
  readonly why: string | null;
}

/** Codes of a host that says nothing: whether the service runs there, nobody knows. */
export const UNREACHED: readonly string[] = [
  'host_unreachable',
  'connection_lost',
  'command_timeout',
  'exit_status_missing',
  'docker_silent',
];

/** Stops the service on the host whose turn it is not (any more), keeps it down, and looks that nothing of it is left. */
export async function silence(
  service: Service,
  turn: Pick<Turn, 'number' | 'at'>,
  place: Place,
  { graceSeconds = 60 }: { readonly graceSeconds?: number },
  task: Task,
): Promise<Silence> {
  if (turn.at === place) throw ownTurn(service, place);
  try {
    const { stdout } = await runOnHost(
      service,
      place,
      { script: SILENCE, arguments: [String(turn.number), turn.at, String(graceSeconds)] },
      { timeoutMs: (graceSeconds * 2 + 400) * 1000 },
      task,
    );
    const outcome = stdout.trim();
    return { silent: true, changed: outcome !== 'silent', again: outcome === 'again', why: null };
  } catch (error) {
    if (!isFailure(error) || !UNREACHED.includes(error.code)) throw error;
    // Whoever else looks has to see that somebody is at work on it, which so far has left no trace there.
    await runOnHost(service, turn.at, { script: HEARD, arguments: [String(turn.number), turn.at] }, {}, task);
    return { silent: false, changed: false, again: false, why: error.message };
  }
}

/** How long a permission to start is good for. Whoever could not reach the other host waits longer than that. */
export const TICKET_SECONDS = 15;

const START = `
turn=$1 to=$2 wait=$3 ticket=$4 seconds=$5 proven=$6
[ "$to" = "$place" ] || stop_with turn_over "it is not its turn"
open_records
read -r boot < /proc/sys/kernel/random/boot_id; read -r up _ < /proc/uptime
[ "\${ticket%/*}" = "$boot" ] && ((\${up%.*} - \${ticket##*/} <= seconds)) 2>/dev/null || stop_with too_late "the permission to start it is older than $seconds s"
hear "$turn" "$to"
# Where the other host could not be asked, a permission that was given there may still be good.
if [ "$proven" = no ]; then
  claims=("$state/claims/$file/"????????????)
  line_of "\${claims[-1]}"
  read -r _ claimed _ <<< "$REPLY"
  now_ms
  left=$((seconds + 5 - (REPLY - \${claimed:-REPLY}) / 1000))
  if ((left > 0)); then sleep "$((left < seconds + 5 ? left : seconds + 5))"; fi
fi
[ -d "$directory" ] || stop_with project_missing "there is no $directory"
rm -f -- "$dir/away"
# What stood there for a restore.
apart=$(containers --all --filter label=com.docker.compose.oneoff=True)
[ -z "$apart" ] || { timeout 180 docker stop --time 120 $apart && docker rm $apart; } >/dev/null 2>&1 || stop_with still_runs "what was started for the restore does not end"
running=$(containers)
compose() { docker compose --ansi never --project-directory "$directory" "$@"; }
said=$(compose create 2>&1) || stop_with compose_failed "docker compose create: $(tail -n 1 <<< "$said" | cut -c1-400)"
keep_down
# Written before anything can take a write: from here on nothing may be laid over its data.
line_of "$dir/begun"
[ "$REPLY" = "$turn" ] || printf '%s\\n' "$turn" | put "$dir/begun" || stop_with records_unwritable "$dir/begun cannot be written"
said=$(compose up --detach --wait --wait-timeout "$wait" 2>&1) || stop_with compose_failed "docker compose up: $(tail -n 1 <<< "$said" | cut -c1-400)"
keep_down
[ "$(containers | sort)" = "$(sort <<< "$running")" ] && echo same || echo started
`;

export interface StartWish {
  readonly waitSeconds?: number;
  /** The other host is known to run nothing of it: it was stopped there, or is without power. */
  readonly otherIsSilent: boolean;
}

/**
 * Starts the service on the host whose turn it is and waits until it is well. The permission is asked of the host first
 * and is good for some seconds by its own clock, so a run that was frozen in between starts nothing.
 */
export async function startService(
  service: Service,
  turn: Pick<Turn, 'number' | 'at'>,
  { waitSeconds = 300, otherIsSilent }: StartWish,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const place = turn.at;
  let sight = await lookAt(service, place, task);
  if (sight.kind === 'seen' && place === 'home' && turn.number > 0 && sight.begun !== turn.number) {
    await noteAtStandby(service, turn, task);
    sight = await lookAt(service, place, task);
  }
  if (sight.kind === 'unseen') throw unseen(service, place, sight.why);
  const { stdout } = await runOnHost(
    service,
    place,
    {
      script: START,
      arguments: [
        ...[String(turn.number), place, String(waitSeconds), sight.ticket, String(TICKET_SECONDS)],
        otherIsSilent ? 'yes' : 'no',
      ],
    },
    { timeoutMs: (waitSeconds + 2_400) * 1000 },
    task,
  );
  return { changed: stdout.trim() !== 'same' };
}

/** Where the standby cannot be told, it will not be clear to anybody there which data are the newest, and they will ask. */
async function noteAtStandby(service: Service, turn: Pick<Turn, 'number' | 'at'>, task: Task): Promise<void> {
  const ask = { script: WENT_ON, arguments: [String(turn.number), turn.at] };
  try {
    await runOnHost(service, 'standby', ask, { timeoutMs: 30_000 }, task);
  } catch (error) {
    if (!isFailure(error) || !UNREACHED.includes(error.code)) throw error;
  }
}

function ownTurn(service: Service, place: Place): Failure {
  const host = describeHost(hostAt(service, place));
  return new Failure({
    code: 'own_turn',
    subject: describeService(service),
    message: `It is the turn of ${host} to run ${describeService(service)}, so it is not stopped there`,
    nextStep: 'Take the turn for the other host first.',
  });
}

function unseen(service: Service, place: Place, why: string): Failure {
  return new Failure({
    code: 'host_unseen',
    subject: `${describeService(service)} on ${describeHost(hostAt(service, place))}`,
    message: `${describeService(service)} was not started: ${why}`,
    nextStep: 'Bring that host within reach, and begin again.',
  });
}
