import { basename, dirname } from 'node:path/posix';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Failure } from '../failure';
import { describeHost } from '../host/host';
import { startCommand } from '../host/start';
import type { Task } from '../task';
import { commandOf, runOnHost } from './host-script';
import { lookAt } from './look';
import { type BackupOf, madeWord } from './newest';
import { describeService, hostAt, otherPlace, type Place, type Service } from './service';
import type { Turn } from './turn';

/** Something on the host that the service writes to. */
export interface DataPlace {
  /** Its service and the path inside the container: the same on both hosts. */
  readonly name: string;
  /** Where it lies on this host. */
  readonly path: string;
}

// What a container may write to, once each: volumes and binds, but no sockets and nothing of the system itself.
const DATA = `
open_records
[ -d "$directory" ] || stop_with project_missing "there is no $directory"
said=$(docker compose --ansi never --project-directory "$directory" create 2>&1) || stop_with compose_failed "docker compose create: $(tail -n 1 <<< "$said" | cut -c1-400)"
keep_down
ids=$(containers --all)
[ -n "$ids" ] || exit 0
timeout 60 docker inspect --format '{{$service := index .Config.Labels "com.docker.compose.service"}}{{range .Mounts}}{{if .RW}}{{.Type}}{{"\\t"}}{{$service}}:{{.Destination}}{{"\\t"}}{{.Source}}{{"\\n"}}{{end}}{{end}}' $ids |
  sort -u | while IFS=$'\\t' read -r type name path; do
    [ -n "$path" ] || continue
    # A volume is data wherever Docker keeps it.
    case $type:$path in bind:/ | bind:/etc | bind:/proc* | bind:/sys* | bind:/dev* | bind:/run* | bind:/var/run*) continue ;; esac
    if [ -d "$path" ] || [ -f "$path" ]; then printf '%s\\t%s\\n' "$name" "$path"; fi
  done
`;

export async function dataPlaces(service: Service, place: Place, task: Task): Promise<readonly DataPlace[]> {
  const { stdout } = await runOnHost(service, place, { script: DATA }, { timeoutMs: 600_000 }, task);
  const found = new Map<string, DataPlace>();
  for (const line of stdout.split('\n')) {
    const [name = '', path = ''] = line.split('\t');
    // Two containers may share it.
    if (path !== '' && !found.has(path)) found.set(path, { name, path });
  }
  return [...found.values()];
}

// The whole of it, as it is: owners by number, holes, attributes. It must not run, or the copy would be of no moment.
const SEND = `
turn=$1 to=$2 path=$3
open_records
hear "$turn" "$to"
[ -z "$(containers)" ] || stop_with still_runs "it runs, so its data would change while they are carried away"
exec {sum}> >(sha256sum >&2)
summing=$!
tar --create --numeric-owner --sparse --xattrs --acls --directory "\${path%/*}" -- "./\${path##*/}" | tee "/dev/fd/$sum"
exec {sum}>&-
wait "$summing"
`;

const RECEIVE = `
turn=$1 to=$2 incoming=$3
open_records
hear "$turn" "$to"
[ -z "$(containers)" ] || stop_with still_runs "it runs there already"
# Beside the place it is meant for, so that putting it there is a rename. What an attempt before has left goes.
rm -rf -- "$incoming"
mkdir -- "$incoming"
exec {sum}> >(sha256sum >&2)
summing=$!
tee "/dev/fd/$sum" | tar --extract --numeric-owner --preserve-permissions --same-owner --xattrs --acls --directory "$incoming"
exec {sum}>&-
wait "$summing"
sync -f -- "$incoming"
`;

export interface PlacedData {
  /** False: the data of this turn lie there already, or it has been started with them. */
  readonly changed: boolean;
  /** What was there before, and is kept. */
  readonly keptAside: readonly string[];
}

// Pairs of what is to come and where it is to be. Each is two renames, and a run that was killed goes on between them.
const PLACE = `
turn=$1 to=$2 made=$3
shift 3
[ "$to" = "$place" ] || stop_with turn_over "it is not its turn"
open_records
hear "$turn" "$to"
line_in() { grep -qsxF -- "$2" "$1"; }
# What a run that was killed, or came second, has restored and nobody needs.
sweep() {
  local path
  for path in "$@"; do case \${path##*/} in .selfhost-restored-*) rm -rf -- "$path" ;; esac; done
}
# A restored file is root's alone. Whoever is to open it owns what was there before, or else the folder.
own_alike() {
  [ -f "$1" ] && [ "$EUID" = 0 ] || return 0
  if [ -f "$2" ]; then chmod --reference="$2" -- "$1" && chown --reference="$2" -- "$1"; else chown --reference="$3" -- "$1"; fi
}
line_of "$dir/begun"; [ "$REPLY" != "$turn" ] || { sweep "$@"; echo begun; exit 0; }
line_of "$dir/placed"; [ "$REPLY" != "$turn" ] || { sweep "$@"; echo placed; exit 0; }
spare_newer "$made"
[ -z "$(containers)" ] || stop_with still_runs "it runs, so its data cannot be put in place"
for ((at = 1; at < $#; at += 2)); do
  incoming=\${!at} next=$((at + 1)); path=\${!next}
  [ -e "$incoming" ] || [ -e "$path.before-$turn" ] || stop_with data_missing "$incoming is not there"
done
while [ $# -gt 0 ]; do
  incoming=$1 path=$2 aside=$2.before-$turn
  shift 2
  if [ -e "$incoming" ]; then
    # What a run that was killed has put there already was never started, and goes with its other leftovers.
    if [ -e "$path" ] && [ -e "$aside" ]; then mv -T -- "$path" "\${path%/*}/.selfhost-restored-$turn-again-$RANDOM-\${path##*/}"; fi
    if [ -e "$path" ]; then mv -T -- "$path" "$aside"; fi
    # SQLite would play what lies beside the former file into the new one. It stays with what it belongs to.
    for tail in -wal -shm -journal; do
      if [ -f "$incoming" ] && [ -f "$path$tail" ]; then mv -T -- "$path$tail" "$aside$tail"; fi
    done
    case \${incoming##*/} in .selfhost-restored-*) own_alike "$incoming" "$aside" "\${path%/*}" ;; esac
    line_in "$dir/asides" "$path" || printf '%s\\n' "$path" >> "$dir/asides"
    mv -T -- "$incoming" "$path" || stop_with data_not_placed "$path is in the way"
    rmdir -- "\${incoming%/*}" 2>/dev/null || :
    sync -- "\${path%/*}"
  fi
  [ ! -e "$aside" ] || printf 'aside %s\\n' "$aside"
done
printf '%s\\n' "$turn" | put "$dir/placed" || stop_with records_unwritable "$dir/placed cannot be written"
echo now
`;

/**
 * Puts what was restored or carried in the place of what is there. Once a turn: after that the data are the newest. Where
 * newer data lie there, a backup that is older than those, or of an unknown age, is refused.
 */
export async function placeData(
  service: Service,
  turn: Pick<Turn, 'number' | 'at'>,
  moves: readonly { readonly from: string; readonly to: string }[],
  task: Task,
  made?: BackupOf,
): Promise<PlacedData> {
  const { stdout } = await runOnHost(
    service,
    turn.at,
    {
      script: PLACE,
      arguments: [String(turn.number), turn.at, madeWord(made), ...moves.flatMap(({ from, to }) => [from, to])],
    },
    { timeoutMs: 600_000 },
    task,
  );
  const lines = stdout.split('\n');
  return {
    changed: lines.includes('now'),
    keptAside: lines.flatMap((line) => (line.startsWith('aside ') ? [line.slice(6)] : [])),
  };
}

/**
 * Carries everything the service writes to from the one host to the other, while it runs on neither, and puts it in
 * place there. Nothing that was acknowledged is lost: what is copied is what the stopped service left.
 */
export async function carryData(
  service: Service,
  turn: Pick<Turn, 'number' | 'at'>,
  task: Task,
): Promise<PlacedData & { readonly carried: readonly CarriedData[] }> {
  const [source, target] = [otherPlace(turn.at), turn.at];
  const sight = await lookAt(service, target, task);
  if (sight.kind === 'seen' && (sight.begun === turn.number || sight.placed === turn.number))
    return { changed: false, keptAside: [], carried: [] };
  const [from, to] = await Promise.all([dataPlaces(service, source, task), dataPlaces(service, target, task)]);
  const pairs = from.map(({ name, path }) => ({ name, path, to: to.find((one) => one.name === name)?.path }));
  const carried: CarriedData[] = [];
  const moves: { from: string; to: string }[] = [];
  for (const pair of pairs) if (pair.to === undefined) throw otherShape(service, target, pair.name);
  for (const { name, path, to: wanted = '' } of pairs) {
    task.progress({ message: `Carrying ${name}`, fraction: carried.length / pairs.length });
    const incoming = `${dirname(wanted)}/.selfhost-incoming-${turn.number}-${basename(wanted)}`;
    carried.push({ name, bytes: await carryOne(service, turn, { source, target, path, incoming }, task) });
    moves.push({ from: `${incoming}/${basename(path)}`, to: wanted });
  }
  return { ...(await placeData(service, turn, moves, task, 'whatever is there')), carried };
}

export interface CarriedData {
  readonly name: string;
  readonly bytes: number;
}

interface Way {
  readonly source: Place;
  readonly target: Place;
  readonly path: string;
  readonly incoming: string;
}

/** The bytes pass through here, and never all at once. */
async function carryOne(service: Service, turn: Pick<Turn, 'number' | 'at'>, way: Way, task: Task): Promise<number> {
  const { source, target, path, incoming } = way;
  const of = [String(turn.number), turn.at];
  const sending = await startCommand(
    hostAt(service, source),
    commandOf(service, source, { script: SEND, arguments: [...of, path] }),
    task,
  );
  try {
    const said: Buffer[] = [];
    sending.stderr.on('data', (chunk: Buffer) => said.push(chunk)).resume();
    let bytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        done(null, chunk);
      },
    });
    // Whoever reads hears of an end that came too early by the hash.
    const stream = pipeline(sending.stdout, counted).catch(() => undefined);
    const received = await runOnHost(
      service,
      target,
      { script: RECEIVE, arguments: [...of, incoming] },
      { timeoutMs: CARRY_MS },
      task,
      counted,
    );
    await stream;
    const { code } = await sending.exit;
    await sending.closed;
    const complaint = Buffer.concat(said).toString('utf8');
    if (code !== 0) throw notCarried(service, way, complaint.trim().slice(0, 400), code);
    const [sent, got] = [hashIn(complaint), hashIn(received.stderr)];
    if (sent === undefined || sent !== got) throw notCarried(service, way, 'what arrived is not what was sent', code);
    return bytes;
  } finally {
    sending.release();
  }
}

const CARRY_MS = 12 * 3_600_000;

function hashIn(text: string): string | undefined {
  return /^([0-9a-f]{64})\s+-$/m.exec(text)?.[1];
}

function notCarried(service: Service, { source, path }: Way, why: string, code: number | null): Failure {
  const host = describeHost(hostAt(service, source));
  const [, word = 'data_not_carried', refused = why] = /^selfhost: ([a-z_]+): (.*)$/m.exec(why) ?? [];
  return new Failure({
    code: word,
    subject: `${describeService(service)} on ${host}`,
    message: `${path} of ${describeService(service)} could not be carried away from ${host}: ${refused}`,
    nextStep: 'Nothing was replaced. Begin again: what has been done is not done twice.',
    details: { exitCode: code },
  });
}

function otherShape(service: Service, target: Place, name: string): Failure {
  const host = describeHost(hostAt(service, target));
  return new Failure({
    code: 'data_has_no_place',
    subject: `${describeService(service)} on ${host}`,
    message: `${describeService(service)} keeps data in ${name}, and its Compose files on ${host} know no such place`,
    nextStep: `Deploy the same commit on both hosts, and begin again. Nothing was replaced.`,
  });
}
