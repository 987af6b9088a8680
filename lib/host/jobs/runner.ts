import { STATE_FOLDER } from '../state-folder';

/**
 * What a job becomes on its host: a process of its own that outlives whoever started it. It is written into the folder
 * of the run and started from there (`bash <run folder>/runner <log bytes> <user>`).
 *
 * - The job's lock is held by this process alone, from before the command starts until its exit status is durable.
 * - The command waits at a gate until the run is written down as started, so nothing ever runs unrecorded.
 * - Input and command file are unlinked before the command starts.
 * - Output goes through `split`, which cuts it into pieces; the first and the last ones are kept. A full disk drops
 *   output and never breaks the command.
 * - `jobs -l` tells `exit 143` from a SIGTERM, which the status of `wait` does not. bash forgets that as soon as it runs
 *   anything else in the foreground, so between the start and the end of the command there are only builtins; a CHLD trap
 *   would be the obvious way, but bash 5.2 garbles command substitutions that one interrupts.
 * - Room for the exit status is taken at the start, so that a full disk cannot swallow it.
 */
export const RUNNER = `${STATE_FOLDER}
main() {
  local limit=$1 user=$2 run=\${BASH_SOURCE[0]%/runner} dir lock current in command gate out err as inner code
  local child= ended= stopping= how bell
  dir=\${run%/runs/*}
  cd /
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  local home; home=$(getent passwd "$EUID" | cut -d: -f6) && export HOME=\${home:-/}
  lock_file "$dir/lock" 15 || exit 1
  lock=$REPLY
  # Somebody who found this run without its runner may have settled it, or begun another.
  line_of "$dir/current"
  if [ -e "$run/exit" ] || [ "$REPLY" != "\${run##*/}" ]; then forget_input; exit 0; fi

  trap 'stopping=1' TERM INT HUP

  if [ -e "$run/input" ]; then
    line_of "$run/input"
    if ! { exec {in}<"$REPLY"; } 2>/dev/null; then record never 'its input was gone'; exit 1; fi
    forget_input
  else
    exec {in}</dev/null
  fi
  exec {command}<"$run/command"
  rm -f -- "$run/command"
  mkfifo -- "$run/gate" "$run/bell" && exec {gate}<>"$run/gate" {bell}<>"$run/bell" || { record never 'no gate'; exit 1; }
  keep_output out stdout; local out_pid=$!
  keep_output err stderr; local err_pid=$!

  as=()
  if [ -n "$user" ]; then
    as=(setpriv --reuid="$user" --regid="$(id -g -- "$user")" --init-groups --reset-env --)
  fi
  IFS= read -r -d '' inner <<'INNER' || :
read -r go <&4 || exit 125
exec 4<&-
f() { IFS= read -r -d "" "$1" <&5 || exit 125; }
f mark; f kind; f text; f directory
f n; e=(); for ((; n > 0; n--)); do f i; e+=("$i"); done
f n; a=(); for ((; n > 0; n--)); do f i; a+=("$i"); done
exec 5<&-
cd -- "\${directory:-\${HOME:-/}}" || exit 125
export SELFHOST_RUN=$mark
unset LC_ALL
for i in "\${e[@]}"; do export -- "$i"; done
[ "$kind" = argv ] && exec -- "\${a[@]}"
[ "$kind" = careful ] && x=(-eu -o pipefail) || x=()
exec 3< <(printf %s "$text")
exec bash --noprofile --norc "\${x[@]}" /dev/fd/3 "\${a[@]}"
INNER
  # Job control gives it a process group of its own, with no signal ignored.
  set -m
  launch 4<"$run/gate" 5<&"$command" <&"$in" >&"$out" 2>&"$err" \
    {lock}>&- {gate}>&- {bell}>&- {command}<&- {in}<&- {out}>&- {err}>&- &
  child=$!
  set +m
  exec {in}<&- {command}<&- {out}>&- {err}>&-

  local boot self group
  line_of /proc/sys/kernel/random/boot_id; boot=$REPLY
  start_of "$$"; self=$REPLY
  start_of "$child"; group=$REPLY
  now_ms
  if printf '%s %s %s %s %s %s\\n' "$REPLY" "$boot" "$$" "$self" "$child" "$group" | put "$run/started"; then
    [ -n "$stopping" ] || echo go >&"$gate"
  else
    stopping=1
  fi

  local nap=5 asked=
  while [ -z "$ended" ]; do
    look "$nap"
    [ -z "$ended" ] || break
    # Only before the gate has opened can it end unseen, and only by a signal.
    kill -0 "$child" 2>/dev/null || { look 100; break; }
    if [ -n "$stopping" ]; then
      if [ -z "$asked" ]; then asked=$SECONDS; kill -TERM -- "-$child" 2>/dev/null; fi
      [ "$((SECONDS - asked))" -lt 10 ] || kill -KILL -- "-$child" 2>/dev/null
    fi
    [ "$nap" -ge 200 ] || nap=$((nap + nap / 4))
  done
  wait "$child"
  code=$?
  [ -n "$ended" ] || [ "$code" -gt 128 ] || ended=Exit
  if [ -n "$stopping" ]; then
    now_ms
    printf '{"by":"a signal to its runner","at":%s}\\n' "$REPLY" | place "$run/cancel" || :
  fi

  # What it left running may hold its output open; nobody waits long for that.
  for ((waited = 0; waited < 100; waited++)); do
    kill -0 "$out_pid" 2>/dev/null || kill -0 "$err_pid" 2>/dev/null || break
    sleep 0.02
  done
  case $ended in
    Done*) how="code 0" ;;
    Exit*) how="code $code" ;;
    *) how="signal $(kill -l "$((code - 128))")" ;;
  esac
  if [ -e "$run/cancel" ]; then record cancelled "$how"; else record finished "$how"; fi
  rm -f -- "$run/gate" "$run/bell"
}

# The last link before the command; everything in it is data, read behind the gate.
launch() { exec "\${as[@]}" bash --noprofile --norc -c "$inner" selfhost-job; }

# look MS: reads what bash knows of the command, and waits so long for more. The news is told once, so no line is dropped.
look() {
  local number pid how seconds
  printf -v seconds '0.%03d' "$1"
  jobs -l >&"$bell"
  while [ -z "$ended" ] && read -r -t "$seconds" -u "$bell" number pid how; do
    [ "$pid" = "$child" ] || continue
    case $how in Running* | Stopped*) ;; *) ended=$how ;; esac
  done
}

forget_input() {
  [ -e "$run/input" ] || return 0
  line_of "$run/input"
  rm -f -- "$REPLY" "$run/input"
}

start_of() {
  local line fields
  REPLY=
  { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 0
  fields=(\${line##*) })
  REPLY=\${fields[19]}
}

# keep_output VARIABLE NAME: opens a stream that is cut into pieces of which the first 4 and the last 12 are kept.
keep_output() {
  exec {REPLY}> >(
    exec {lock}>&- {gate}>&- {bell}>&-
    trap '' TERM INT HUP
    export SHELL=/bin/sh
    exec split --bytes="$((limit / 16))" --suffix-length=9 --numeric-suffixes=100000000 --filter='
      number=\${FILE##*.} && old=$((number - 12))
      [ "$old" -lt 100000004 ] || rm -f -- "\${FILE%.*}.$old"
      cat 2>/dev/null > "$FILE" || cat > /dev/null' - "$run/$2."
  )
  printf -v "$1" %s "$REPLY"
}

# record OUTCOME DETAIL: into the room that was kept for it.
record() {
  local try
  now_ms
  for ((try = 0; try < 700; try++)); do
    if printf '%s %s %s\\n' "$1" "$REPLY" "$2" 1<>"$run/exit.new" && sync -- "$run/exit.new" &&
      mv -fT -- "$run/exit.new" "$run/exit" && sync -- "$run"; then return 0; fi
    sleep 5
  done
}

main "$@"
exit
`;
