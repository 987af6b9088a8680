import { Failure, isFailure } from '../../failure';
import type { Task } from '../../task';
import type { CommandResult } from '../../host/command';
import { withLock, type HeldLock } from '../../host/locks/lock';
import { stepUnderLock } from '../../host/locks/step';
import { runCommand } from '../../host/run';
import { fileNameFor, STATE_FOLDER } from '../../host/state-folder';
import { dataFolderInside, describeMember, portInside, type Member, type NamedCluster, type Runtime } from './cluster';

/**
 * Does the work under the lock of the cluster, which everything that changes it takes first. It lies on the host of the
 * member that is, or becomes, the standby.
 */
export function withClusterLock<T>(
  cluster: NamedCluster,
  { host }: Pick<Member, 'host'>,
  { waitMs }: { readonly waitMs: number },
  task: Task,
  work: (lock: HeldLock, task: Task) => Promise<T>,
): Promise<T> {
  return withLock(host, `postgres/${cluster.name}`, { owner: task.owner, waitMs }, task, work);
}

/** The same on the hosts of several members: whichever of them somebody would promote meanwhile, that one waits. */
export async function withClusterLocks<T>(
  cluster: NamedCluster,
  members: readonly Member[],
  request: { readonly waitMs: number },
  task: Task,
  work: (task: Task) => Promise<T>,
): Promise<T> {
  // Always in the same order, so that two of them cannot wait for each other.
  const [first, ...rest] = members.toSorted((one, other) => one.name.localeCompare(other.name));
  if (first === undefined) return work(task);
  return withClusterLock(cluster, first, request, task, (_, inner) =>
    withClusterLocks(cluster, rest, request, inner, work),
  );
}

/**
 * Opens every script that works on a member. Scripts say what they refuse with exit code 120; the word before the
 * colon becomes the code of the Failure.
 */
export const MEMBER_PRELUDE = `
dir=$state/postgres/$1 self=$2 kind=$3 bin=$4 data=$5 owner=$6 role=$7 socket=$8 port=$9 ref=\${10} config=\${11}
# The data folder as PostgreSQL's programs see it: in a container by another name.
inside=\${12}
[ -z "\${13}" ] || export DOCKER_HOST=unix://\${13}
shift 13
export PGAPPNAME=selfhost PGCONNECT_TIMEOUT=5
# Where everybody may stand: PostgreSQL's user could not be in the home of root.
cd /
stop_with() { refuse "$1: $2"; }
# Only they see where a process of the server stands; anybody else would find nobody, and take that for a proof.
[ "$EUID" = 0 ] || { [ "$kind" != docker ] && [ "$(id -un)" = "$owner" ]; } || stop_with not_allowed "this needs root (sudo), or a login as $owner"
# Seldom anything to do, and every program that is started is a moment without a primary.
prepare_member() {
  if [ -d "$dir" ] && [ ! -L "$state" ] && [ -O "$state" ]; then return 0; fi
  prepare_state
  mkdir -p -- "$dir"
}
utc_now() { TZ=UTC0 printf -v REPLY '%(%Y-%m-%dT%H:%M:%SZ)T' -1; }

# A program of PostgreSQL, as its user, where its programs are. In a container that does not run it gets one of its own,
# with the same image, network and volumes, that is gone afterwards.
as_owner() {
  local seen tries
  if [ "$kind" = docker ]; then
    # One whose server has just ended counts as running for another moment, and takes no program any more.
    for ((tries = 0; tries < 100; tries++)); do
      seen=$(docker inspect -f '{{.State.Running}} {{.State.Paused}}' -- "$ref" 2>/dev/null || :)
      [ "$seen" = 'true false' ] && [ -z "$(server_pids)" ] || break
      sleep 0.03
    done
    if [ "$seen" = 'true false' ]; then
      docker exec -i -u "$owner" -e PGAPPNAME -e PGCONNECT_TIMEOUT -e LC_ALL "$ref" "$@"
    else one_off --volumes-from "$ref" -- "$@"; fi
  elif [ "$EUID" = 0 ] && [ "$owner" != root ]; then
    setpriv --reuid="$owner" --regid="$owner" --init-groups -- "$@"
  else "$@"; fi
}
# one_off OPTION... -- PROGRAM ARGUMENT...
one_off() {
  local options=() found image network
  found=$(docker inspect -f '{{.Image}} {{.HostConfig.NetworkMode}}' -- "$ref" 2>&1) ||
    stop_with container_missing "its container $ref is not there: \${found##*: }"
  read -r image network <<< "$found"
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  [ -z "\${lent:-}" ] || options+=(-v "$lent:$lent:ro")
  docker run --rm -i --network "$network" -u "$owner" -e PGAPPNAME -e PGCONNECT_TIMEOUT -e LC_ALL "\${options[@]}" \\
    --entrypoint "$1" "$image" "\${@:2}"
}
# within SECONDS PROGRAM...: as_owner, for so long at most.
within() {
  if [ "$kind" = docker ]; then
    timeout -k 0.5 "$1" docker exec -i -u "$owner" -e PGAPPNAME -e PGCONNECT_TIMEOUT -e LC_ALL "$ref" "\${@:2}"
  else as_owner timeout -k 0.5 "$@"; fi
}
# Who files in the data folder belong to. A container's users are not the host's, so there only numbers tell.
give_to_owner() {
  [ "$EUID" = 0 ] || return 0
  local whose=$owner:
  if [ "$kind" = docker ]; then
    if [ -e "$data/PG_VERSION" ]; then whose=$(stat -c %u:%g -- "$data/PG_VERSION")
    else whose=$(one_off -- id -u < /dev/null):$(one_off -- id -g < /dev/null); fi
  fi
  chown -h "$whose" -- "$@"
}
# The path on this host of a file that PostgreSQL names.
host_path() {
  REPLY=$1
  [ "$kind" = docker ] || return 0
  case $1 in
    "$inside"/*) REPLY=$data\${1#"$inside"} ;;
    *) stop_with file_in_image "$1 lies in the image, and not in its data folder, so it cannot be changed" ;;
  esac
}

# SQL comes on standard input and is constant; data goes in as -v name=value, secrets by descriptor 3 (secret=3 sql).
sql() {
  local program=("$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$socket" -p "$port" -U "$role" -d postgres "$@")
  if [ "$kind" != docker ]; then as_owner "\${program[@]}"
  elif [ -z "\${secret:-}" ]; then
    docker exec -i -u "$owner" -e PGAPPNAME -e PGCONNECT_TIMEOUT -e LC_ALL "$ref" "\${program[@]}"
  else
    # Descriptors do not go into a container: it comes as the first line, and becomes one again inside.
    { base64 -w 0 <&3; echo; cat; } | docker exec -i -u "$owner" -e PGAPPNAME -e PGCONNECT_TIMEOUT -e LC_ALL "$ref" \\
      sh -c 'IFS= read -r line; exec 4<&0; printf %s "$line" | base64 -d | "$@" 3<&0 0<&4' sh "\${program[@]}"
  fi
}

# Every process of the server, whatever started it: they all stand in the data folder.
server_pids() {
  local one words
  for one in /proc/[0-9]*; do
    [ "$one/cwd" -ef "$data" ] 2>/dev/null || continue
    mapfile -d '' -t words 2>/dev/null < "$one/cmdline" || continue
    case \${words[*]} in *postgres*) printf '%s\\n' "\${one#/proc/}" ;; esac
  done
}

control() { LC_ALL=C as_owner "$bin/pg_controldata" -D "$inside" < /dev/null; }
control_field() {
  # What an outage waits for is read from the file itself, where every version has it: a container only for this would
  # cost half a second, and one that is just ending can be asked nothing.
  local low high
  case "$kind $1" in
    'docker Database system identifier') od -An -tu8 -N8 -- "$data/global/pg_control" | tr -d ' ' ;;
    'docker Database cluster state')
      case $(od -An -td4 -j16 -N4 -- "$data/global/pg_control" | tr -d ' ') in
        1) echo 'shut down' ;; 2) echo 'shut down in recovery' ;; *) echo 'not shut down' ;;
      esac ;;
    'docker Latest checkpoint location')
      read -r low high < <(od -An -tx4 -j32 -N8 -- "$data/global/pg_control")
      printf '%X/%X\\n' "0x$high" "0x$low" ;;
    *) control | sed -n "s/^$1: *//p" ;;
  esac
}
# A standby's folder; not that of a former primary behind the gate.
is_standby_folder() {
  [ ! -e "$dir/gate" ] && { [ -e "$data/standby.signal" ] || [ -e "$data/recovery.signal" ]; }
}
# The start gate: whoever starts the server from now on (a person, a boot, a supervisor) gets one that is read-only.
make_signal() {
  if [ "$kind" != docker ]; then as_owner touch -- "$data/standby.signal"
  else { [ -e "$data/standby.signal" ] || (set -C; : > "$data/standby.signal"); } && give_to_owner "$data/standby.signal"; fi
}
close_gate() {
  ! is_standby_folder || return 0
  prepare_member
  printf '%s\\n' "$1" | put "$dir/gate" || refuse "$dir/gate cannot be written"
  make_signal && sync -- "$data/standby.signal" "$data" ||
    stop_with gate_not_closed "$data/standby.signal cannot be written"
}
open_gate() {
  [ -e "$dir/gate" ] || return 0
  rm -f -- "$data/standby.signal"
  sync -- "$data"
  rm -f -- "$dir/gate"
}
has_systemd() { [ -d /run/systemd/system ]; }

unit_of() { if [ "$kind" = debian ]; then REPLY=postgresql@\${ref/\\//-}.service; else REPLY=$ref; fi; }

# Whether a reboot brings it back without anybody asking.
autostart() {
  case $kind in
    debian) local line; line=$(sed -n 's/^ *\\([a-z]*\\).*/\\1/p' "/etc/postgresql/$ref/start.conf" 2>/dev/null | head -n 1)
      if [ "\${line:-auto}" = auto ]; then echo yes; else echo no; fi ;;
    systemd) if systemctl is-enabled --quiet -- "$ref"; then echo yes; else echo no; fi ;;
    docker) case $(docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' -- "$ref" 2>/dev/null) in
      ''|no) echo no ;; *) echo yes ;; esac ;;
    plain) echo no ;;
  esac
}
autostart_off() {
  case $kind in
    debian) printf 'manual\\n' | put "/etc/postgresql/$ref/start.conf" && chmod 644 "/etc/postgresql/$ref/start.conf" ;;
    systemd) systemctl disable --quiet -- "$ref" ;;
    docker) timeout 10 docker update --restart=no -- "$ref" > /dev/null ;;
    plain) : ;;
  esac
}

# A container is stopped by taking its policy away first. Who only restarts it gives that back.
keep_autostart() {
  policy=
  [ "$kind" != docker ] || policy=$(docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' -- "$ref" 2>/dev/null || :)
}
give_autostart() {
  case \${policy:-no} in no) ;; *) timeout 10 docker update --restart="$policy" -- "$ref" > /dev/null || : ;; esac
}

# A server that outlives the script must not inherit the locks that the script holds.
without_files() (
  for file in /proc/$BASHPID/fd/*; do
    file=\${file##*/}
    if ((file > 2)); then exec {file}>&- || :; fi
  done
  "$@"
)

# Docker hears of the end of a container a moment after it, and until then a start does nothing.
await_ended_container() {
  local tries
  for ((tries = 0; tries < 50; tries++)); do
    [ -z "$(server_pids)" ] && container_runs || return 0
    sleep 0.2
  done
}
container_runs() { [ "$(docker inspect -f '{{.State.Running}}' -- "$ref")" = true ]; }
# A container has started long before what runs in it answers.
await_container() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    if echo 'select 1' | sql > /dev/null 2>&1; then return 0; fi
    if ((tries % 10 == 9)) && ! container_runs; then
      said='its container has ended'
      return 1
    fi
    sleep 0.2
  done
  said='it answers no login within 2 minutes'
  return 1
}

# Where a server writes that somebody starts by pg_ctl, as long as its own settings say nothing else.
log_of_start() {
  REPLY=
  case $kind in
    plain) REPLY=$ref ;;
    debian)
      REPLY=/etc/postgresql/$ref/log
      [ -L "$REPLY" ] || REPLY=/var/log/postgresql/postgresql-\${ref/\\//-}.log ;;
  esac
}
# said_since SIZE SECOND: what it has written since it was to start. Its own user reads it, who may name any file.
said_since() {
  local file
  case $kind in
    systemd) timeout 10 journalctl --no-pager --output cat --since "@$2" --unit "$ref" < /dev/null | tail -n 200 ;;
    docker) timeout 10 docker logs --since "$2" --tail 200 -- "$ref" 2>&1 ;;
    *) log_of_start
      as_owner tail -c "+$(($1 + 1))" -- "$REPLY" < /dev/null | tail -n 200 ;;
  esac
  # One that collects its log by itself goes on there, once it has understood its settings.
  if [ "$kind" != docker ] && file=$(as_owner sed -n 's/^stderr //p' "$data/current_logfiles" < /dev/null); then
    case $file in '') return 0 ;; /*) ;; *) file=$data/$file ;; esac
    (($(as_owner stat -c %Y -- "$file" < /dev/null) < $2)) || as_owner tail -n 200 -- "$file" < /dev/null
  fi
}
# Its last complaint with what led to it, on one line. What it quotes of its settings may hold a password.
why_not_started() {
  said_since "$1" "$2" 2>/dev/null | LC_ALL=C awk '
    /starting PostgreSQL|listening on|edirecting log output|uture log output|database system (is|was)/ { next }
    /^[[:space:]]*$|STATEMENT: / { next }
    { if (match($0, /(FATAL|PANIC|ERROR|LOG|WARNING|HINT|DETAIL|CONTEXT): /)) $0 = substr($0, RSTART)
      line[++n] = $0 }
    /^(FATAL|PANIC): / { last = n }
    END { if (!last) { last = n; if (n) printf "; its log ends: " }
      for (i = last - 3; i <= last; i++) if (i > 0) printf "%s%s", line[i], (i < last ? "; " : "") }' |
    sed -E -e 's/[[:cntrl:]]+/ /g' -e 's/: +/: /g' -e 's/, near token .*$//' \\
      -e "s/(pass[a-z]*|secret|token|key)( *[=:] *)('[^']*'|[^ ;]+)/\\1\\2***/Ig" \\
      -e 's#([a-z]+://[^:/@ ]*):[^@ ]*@#\\1:***@#g' | cut -c 1-600
}

start_server() {
  local said why size second
  log_of_start
  size=$(stat -L -c %s -- "$REPLY" 2>/dev/null || echo 0)
  TZ=UTC0 printf -v second '%(%s)T' -1
  case $kind in
    plain) said=$(without_files as_owner "$bin/pg_ctl" -D "$data" -s -w -t 120 -l "$ref" start 2>&1 < /dev/null) && return 0 ;;
    debian) said=$(without_files pg_ctlcluster "\${ref%/*}" "\${ref#*/}" start 2>&1 < /dev/null) && return 0 ;;
    systemd) said=$(systemctl start -- "$ref" 2>&1 < /dev/null) && return 0 ;;
    docker) await_ended_container
      said=$(docker start -- "$ref" 2>&1 < /dev/null) && await_container && return 0 ;;
  esac
  why=$(why_not_started "$size" "$second" || :)
  # Without a last complaint of its own, who was to start it knows more.
  case $why in ''|';'*) why=\${said##*$'\\n'}$why ;; esac
  stop_with server_not_started "PostgreSQL of $self did not start: $why"
}

# A server that has written everything down waits for its archiver, and that for a command which may hang. It gets 2 s
# for what is left, and where archiving is known to fail (known) no time at all: clients wait meanwhile.
end_archiving() {
  local one pids title archiver= state grace=2000 until= rounds
  [ "$1" != known ] || grace=0
  while :; do
    if [ -z "$archiver" ] || [ ! -d "/proc/$archiver" ]; then
      archiver= rounds=0
      pids=$(server_pids)
      [ -n "$pids" ] || return 0
      for one in $pids; do
        title=
        { IFS= read -r -d '' title < "/proc/$one/cmdline"; } 2>/dev/null || :
        case $title in *archiver*) archiver=$one ;; esac
      done
      [ -n "$archiver" ] || { sleep 0.1; continue; }
    fi
    sleep 0.02
    # The state in the control file, where every version has it: 1 is "shut down".
    { read -r state < <(od -An -td4 -j16 -N4 -- "$data/global/pg_control"); } 2>/dev/null || state=
    [ "$state" = 1 ] || continue
    now_ms
    : "\${until:=$((REPLY + grace))}"
    ((REPLY >= until)) || continue
    # Asked once, itself as well, or it would begin again a second after each failure. A command that does not end by
    # that, in half a second, is ended; itself never: PostgreSQL would take that for a crash.
    line_of "/proc/$archiver/task/$archiver/children"
    if ((rounds == 0)); then kill -TERM "$archiver" $REPLY 2>/dev/null || :
    elif ((rounds % 25 == 0)) && [ -n "$REPLY" ]; then kill -KILL $REPLY 2>/dev/null || :; fi
    rounds=$((rounds + 1))
  done
}

# A shutdown that writes everything down and sends it to the standbys that are connected: stop_server_cleanly SECONDS
# [WHETHER SOME WAL MAY STAY OUT OF THE ARCHIVE: yes; known where archiving fails anyway].
stop_server_cleanly() {
  local helper= code=0
  if [ "\${2:-no}" != no ]; then end_archiving "$2" > /dev/null 2>&1 & helper=$!; fi
  stop_cleanly "$1" || code=$?
  [ -z "$helper" ] || kill "$helper" 2>/dev/null || :
  return "$code"
}
stop_cleanly() {
  local tries most=250
  if [ "$kind" = docker ]; then
    most=$(($1 * 50))
    if [ -n "$(server_pids)" ]; then
      # A policy of always would have it started again, and the signal of its image may be one that waits for clients.
      autostart_off && timeout "$1" docker kill --signal=INT -- "$ref" > /dev/null || return 1
    fi
  elif [ "$kind" != plain ] && has_systemd; then unit_of; timeout "$1" systemctl stop -- "$REPLY" || return 1
  elif [ -n "$(server_pids)" ]; then as_owner "$bin/pg_ctl" -D "$data" -s -w -t "$1" -m fast stop || return 1; fi
  # The last of its processes may go a moment after the postmaster.
  for ((tries = 0; tries < most; tries++)); do
    [ -n "$(server_pids)" ] || return 0
    sleep 0.02
  done
  return 1
}

# Ends every process of the server and proves it.
end_server() {
  local tries pids patience=0
  # Should dockerd hang, what runs in the container is ended from out here all the same.
  if [ "$kind" = docker ]; then timeout 5 docker kill -- "$ref" > /dev/null 2>&1 || :
  elif [ "$kind" != plain ] && has_systemd; then unit_of; systemctl --no-block stop -- "$REPLY" || :; fi
  pids=$(server_pids)
  for ((tries = 0; tries < 200; tries++)); do
    [ -n "$pids" ] || return 0
    # First what an immediate shutdown is, then what nobody can refuse. A stopped process hears only the second.
    if ((tries == 0)); then
      line_of "$data/postmaster.pid"
      # Where the first of them is gone or stopped nobody would hear it, and every moment is one without a primary.
      case $REPLY in
        ''|*[!0-9]*) ;;
        *) if [ "/proc/$REPLY/cwd" -ef "$data" ] && ! grep -q '^State:.[TZ]' "/proc/$REPLY/status" 2>/dev/null &&
            kill -QUIT "$REPLY" 2>/dev/null; then patience=10; fi ;;
      esac
    fi
    if ((tries >= patience)); then kill -KILL $pids 2>/dev/null || :; fi
    sleep 0.02
    pids=$(server_pids)
  done
  return 1
}

# The record of this host: what it knows about who is the primary.
read_record() {
  local line; r_epoch=0 r_primary= r_promotable=no r_system= r_run=
  [ -e "$dir/record" ] || return 0
  local version=
  while IFS= read -r line; do case $line in
    version=*) version=\${line#*=} ;; epoch=*) r_epoch=\${line#*=} ;; primary=*) r_primary=\${line#*=} ;;
    promotable=*) r_promotable=\${line#*=} ;; system=*) r_system=\${line#*=} ;; run=*) r_run=\${line#*=} ;;
  esac; done < "$dir/record"
  [ "$version" = 1 ] || stop_with record_unreadable "the record $dir/record has version '$version', and this knows 1"
  case $r_epoch in ''|*[!0-9]*) stop_with record_unreadable "the record $dir/record has no epoch" ;; esac
}
# write_record EPOCH PRIMARY PROMOTABLE SYSTEM RUN
write_record() {
  prepare_member
  utc_now
  printf 'version=1\\nepoch=%s\\nprimary=%s\\npromotable=%s\\nsystem=%s\\nrun=%s\\nat=%s\\n' \\
    "$1" "$2" "$3" "$4" "$5" "$REPLY" | put "$dir/record" ||
    stop_with record_unwritable "the record $dir/record cannot be written"
}

# The value of a field of the journal in REPLY; the last one, should there be two.
read_journal() {
  local line found=
  [ ! -e "$dir/journal" ] ||
    while IFS= read -r line; do case $line in "$1="*) found=\${line#*=} ;; esac; done < "$dir/journal"
  REPLY=$found
}
journal_field() { read_journal "$1"; printf '%s\\n' "$REPLY"; }
# journal_set NAME VALUE [NAME VALUE...]: all of them, durably, or none.
journal_set() {
  local names='' lines='' old='' line
  while (($# > 0)); do names+="|$1"; lines+="$1=$2"$'\\n'; shift 2; done
  names+='|'
  [ ! -e "$dir/journal" ] ||
    while IFS= read -r line; do case $names in *"|\${line%%=*}|"*) ;; *) old+=$line$'\\n' ;; esac; done < "$dir/journal"
  printf '%s%s' "$old" "$lines" | put "$dir/journal" ||
    stop_with journal_unwritable "the journal $dir/journal cannot be written"
}
`;

export interface MemberScript {
  /** Constant, for bash -eu -o pipefail, behind MEMBER_PRELUDE. */
  readonly script: string;
  readonly arguments?: readonly string[];
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
  /** Hears when it has begun to speak. */
  readonly onOutput?: () => void;
}

const REFUSED = 120;

/** Runs a script on the host of a member. With a lock it is a step that only the newest holder of it may do. */
export async function runOnMember(
  cluster: NamedCluster,
  member: Member,
  ask: MemberScript,
  task: Task,
  lock?: Pick<HeldLock, 'name' | 'epoch'>,
): Promise<CommandResult> {
  const { timeoutMs = 30_000, maxOutputBytes, onOutput } = ask;
  const options = { timeoutMs, ...(maxOutputBytes && { maxOutputBytes }), ...(onOutput && { onOutput }) };
  const list = [...memberArguments(cluster, member), ...(ask.arguments ?? [])];
  try {
    if (lock !== undefined) {
      const step = { script: MEMBER_PRELUDE + ask.script, arguments: list, input: ask.input };
      return await stepUnderLock(member.host, lock, step, options, task);
    }
    const script = STATE_FOLDER + MEMBER_PRELUDE + ask.script;
    return await runCommand(member.host, { script, arguments: list, input: ask.input }, options, task);
  } catch (error) {
    throw refusalOf(cluster, member, error) ?? error;
  }
}

/** A script for lib/host/jobs, with its arguments. */
export function memberCommand(cluster: NamedCluster, member: Member, ask: Pick<MemberScript, 'script' | 'arguments'>) {
  return {
    script: STATE_FOLDER + MEMBER_PRELUDE + ask.script,
    arguments: [...memberArguments(cluster, member), ...(ask.arguments ?? [])],
  };
}

function memberArguments(cluster: NamedCluster, member: Member): string[] {
  const { runtime } = member;
  return [
    fileNameFor(cluster.name),
    member.name,
    runtime.kind,
    member.programs,
    member.dataFolder,
    member.systemUser,
    member.superuser,
    member.socketFolder,
    String(portInside(member)),
    refOf(runtime),
    member.configFile ?? `${member.dataFolder}/postgresql.conf`,
    dataFolderInside(member),
    runtime.kind === 'docker' ? (runtime.dockerSocket ?? '') : '',
  ];
}

/** How the one who starts and stops it calls it. */
function refOf(runtime: Runtime): string {
  switch (runtime.kind) {
    case 'plain':
      return runtime.log;
    case 'debian':
      return `${runtime.version}/${runtime.cluster}`;
    case 'systemd':
      return runtime.unit;
    case 'docker':
      return runtime.container;
  }
}

/** What a script refused by itself, in its own words. */
function refusalOf(cluster: NamedCluster, member: Member, error: unknown): Failure | undefined {
  if (!isFailure(error, 'command_failed')) return undefined;
  const { stderr, exitCode } = error.details;
  const said = typeof stderr === 'string' ? stderr : '';
  const subject = describeMember(cluster, member);
  const [, code, why] = /^selfhost: (?:([a-z_]+): )?(.*)$/m.exec(said) ?? [];
  if (exitCode === REFUSED && why !== undefined) {
    return new Failure({
      code: code ?? 'state_refused',
      subject,
      message: `${subject}: ${why}`,
      nextStep: NEXT_STEPS[code ?? ''] ?? 'Look at this member on its host, then run the topology again.',
    });
  }
  const complaint =
    /^psql: error: (.*)$/m.exec(said)?.[1] ?? /^(?:psql:.*)?(?:ERROR|FATAL): +(?!\[\d{3}\]: )(.*)$/m.exec(said)?.[1];
  if (complaint === undefined) return undefined;
  return new Failure({
    code: 'database_error',
    subject,
    message: `${subject} answered: ${complaint.slice(0, 300)}`,
    nextStep:
      'Check that PostgreSQL runs there, and that its system user may log in by the local socket (pg_hba.conf: local all all peer).',
  });
}

const NEXT_STEPS: Readonly<Record<string, string>> = {
  container_missing: 'Make its container (docker compose create), stopped and with its volume, then run this again.',
  file_in_image: 'Have the container use the pg_hba.conf of its data folder.',
  not_allowed: 'Give the Host credential a sudo mode, or log in as that user.',
  folder_missing:
    'Look at that host: a disk may be gone. What cannot be seen cannot be proven silent; switch the host off.',
  restore_open: 'Undo the restore, or make a new plan and restore again.',
  server_not_started: 'Put that right on that host; the whole of it is in the log of PostgreSQL there.',
  epoch_taken: 'Somebody else has begun a promotion since. Read the topology, then begin again.',
  journal_open: 'Resume it by running the failover again, or abandon it.',
  journal_not_ours: 'Another run has taken this over. Read the topology, then begin again.',
};
