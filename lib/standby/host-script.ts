import type { Readable } from 'node:stream';
import { Failure, isFailure } from '../failure';
import type { CommandResult, RunOptions } from '../host/command';
import { describeHost } from '../host/host';
import { runCommand } from '../host/run';
import { fileNameFor, STATE_FOLDER } from '../host/state-folder';
import { DEFAULT_SOCKET } from '../docker/engine/access';
import type { Task } from '../task';
import { claimOf, describeService, hostAt, type Place, type Service } from './service';

/**
 * Opens every script that works on a service. What a host keeps of it, below `standby/` of the state folder:
 *
 *     told     newest turn it has heard of, and whose that is: `2 home`
 *     placed   turn whose data lie in place
 *     heard    when the last step was begun
 *     begun    turn for which it was started: from then on its data are the newest, and nothing may replace them
 *     swapped  turn whose databases lie in place, one line each: `3 shop`
 *     left     until when data of a turn were written to here, and since when the other host has gone on with them:
 *              `1 2 1763700000000 1763700060000`, of turn 1, stopped for turn 2; `-` while it has not
 *     silent   newest turn of the other host for which it was proven that nothing of it runs here
 *     asides   paths whose former content was kept as `<path>.before-<turn>`
 *     finished turn with which all is done, names and all
 *     away     directory of its Compose files, while it is the turn of the other host: no deploy starts it there
 */
export const SERVICE_PRELUDE = `
file=$1 place=$2 directory=$3
export DOCKER_HOST=unix://$4
shift 4
dir=$state/standby/$file
# The word before the colon becomes the code of the Failure.
stop_with() { refuse "$1: $2"; }
[ "$EUID" = 0 ] || docker version >/dev/null 2>&1 || stop_with not_allowed "this needs root, or a login that may use Docker"

open_records() {
  prepare_state
  mkdir -p -- "$dir" || stop_with records_unwritable "$dir cannot be made"
  lock_file "$dir/lock" 120 || stop_with busy "something else is done with this service there, and does not end"
}

# Containers of the project, whoever brought it up.
containers() {
  timeout 30 docker ps --quiet --no-trunc --filter "label=com.docker.compose.project.working_dir=$directory" "$@" ||
    stop_with docker_silent "Docker does not answer there"
}

# hear TURN PLACE: an earlier turn is refused, and so is the same one of somebody else. The standby's host has the claims.
hear() {
  local newest
  line_of "$dir/told"
  if [ -n "$REPLY" ]; then
    if ((\${REPLY%% *} > $1)) || { ((\${REPLY%% *} == $1)) && [ "\${REPLY#* }" != "$2" ]; }; then
      stop_with turn_over "it has heard of turn \${REPLY%% *} (\${REPLY#* }), and this is turn $1 ($2)"
    fi
  fi
  newest=("$state/claims/$file/"????????????)
  newest=\${newest[-1]##*/}
  case $newest in
    *[!0-9]*) ;;
    *) ((10#$newest == $1)) || stop_with turn_over "turn $((10#$newest)) was taken, and this is turn $1" ;;
  esac
  : > "$dir/heard"
  [ "$REPLY" = "$1 $2" ] || printf '%s %s\\n' "$1" "$2" | put "$dir/told" || stop_with records_unwritable "$dir/told cannot be written"
}

# read_left: of which turn, stopped for which, until when, and since when elsewhere; nothing when it has been started since.
read_left() {
  local of
  line_of "$dir/begun"; of=$REPLY
  line_of "$dir/left"
  read -r left_of left_for left_until left_over <<< "$REPLY"
  [ -n "$of" ] && [ "$left_of" = "$of" ] || left_of= left_for= left_until= left_over=
}

# spare_newer MADE: what was made then, in ms, is not laid over what was written to here after that.
spare_newer() {
  local at
  [ "$1" != any ] || return 0
  read_left
  [ -n "$left_until" ] || return 0
  printf -v at '%(%F %T)T' "$((left_until / 1000))"
  [ -n "$1" ] || stop_with newer_here "what lies there was the newest until $at, and nobody says how old the backup is"
  if [ "$left_over" = - ]; then
    (($1 <= left_until)) || stop_with newest_unclear "what lies there was the newest until $at, and nobody has noted whether its other host had gone on with it when the backup was made"
  elif (($1 / 1000 >= left_over / 1000)); then return 0
  fi
  stop_with newer_here "what lies there was the newest until $at, and the backup is older, or of data from before that"
}

# Docker must not start them by itself: after a crash nobody here knows whose turn it is.
keep_down() {
  local ids
  ids=$(containers --all)
  [ -z "$ids" ] || timeout 60 docker update --restart=no $ids >/dev/null || stop_with docker_failed "the restart policy could not be changed"
}
`;

export interface ServiceScript {
  /** Constant; STATE_FOLDER and SERVICE_PRELUDE are put in front of it. */
  readonly script: string;
  readonly arguments?: readonly string[];
}

/** Runs one script on one of the hosts of a service. */
export async function runOnHost(
  service: Service,
  place: Place,
  ask: ServiceScript,
  options: RunOptions,
  task: Task,
  input?: Readable,
): Promise<CommandResult> {
  const host = hostAt(service, place);
  try {
    return await runCommand(host, { ...commandOf(service, place, ask), input }, options, task);
  } catch (error) {
    throw retold(service, place, error);
  }
}

export function commandOf(service: Service, place: Place, { script, arguments: more = [] }: ServiceScript) {
  const socket = service.sockets?.[hostAt(service, place).target.name] ?? DEFAULT_SOCKET;
  return {
    script: STATE_FOLDER + SERVICE_PRELUDE + script,
    arguments: [fileNameFor(claimOf(service)), place, service.directory, socket, ...more],
  };
}

const NEXT: Readonly<Record<string, string>> = {
  turn_over: 'Somebody else has the turn now. Look at the status of the service before you do anything.',
  too_late: 'Begin again: this step was held up for so long that nobody knows any more whose turn it is.',
  busy: 'Wait, and look at the status of the service.',
  docker_silent: 'Look at Docker on that host (systemctl status docker), and begin again.',
  still_runs: 'Stop it first; its data were not touched.',
  newer_here:
    'Start it with what lies there: that is newer. Only when you know better, put the backup in place whatever is there.',
  newest_unclear:
    'Choose: start it with what lies there, or put the backup in place whatever is there. What it replaces is kept beside it.',
  compose_failed: 'Read the logs of the container it names, and begin again: what is done already is not done twice.',
};

/** What a script refused, as the sentence it meant. */
export function retold(service: Service, place: Place, error: unknown): unknown {
  if (!isFailure(error, 'command_failed') || error.details.exitCode !== 120) return error;
  const { stderr } = error.details;
  const [, code = 'refused', why = 'no reason was given'] =
    /^selfhost: (?:([a-z_]+): )?(.*)$/m.exec(typeof stderr === 'string' ? stderr : '') ?? [];
  return new Failure({
    code,
    subject: `${describeService(service)} on ${describeHost(hostAt(service, place))}`,
    message: `${describeService(service)} on ${describeHost(hostAt(service, place))} was left as it is: ${why}`,
    nextStep: NEXT[code] ?? 'Look at that host, and begin again: what is done already is not done twice.',
    cause: error,
  });
}
