/**
 * How a run is examined. The order matters: the lock is taken (shared) before the files are read and kept while they
 * are, so that "no runner and no exit status" is a fact and not a moment between two facts. A run that was made but
 * never began is settled as such for good: should its runner still turn up, it finds the verdict and leaves.
 */
const EXAMINE = `
start_of() {
  local line fields
  REPLY=
  { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 0
  fields=(\${line##*) })
  REPLY=\${fields[19]}
}

# members JOB/RUN GROUP START: the live processes of a run, in found. They carry its mark in their environment; those
# that cleared it are known by their group as long as its leader lives.
members() {
  local path pid line fields seen=' '
  found=()
  while IFS= read -r path; do
    pid=\${path%/environ}; seen+="$pid "; found+=("$pid")
  done < <(cd /proc && grep -lzsxF -e "SELFHOST_RUN=$1" -- [0-9]*/environ)
  start_of "\${2-}"
  [ -n "\${3-}" ] && [ "$REPLY" = "\${3-}" ] || return 0
  for path in /proc/[0-9]*/stat; do
    { read -r line < "$path"; } 2>/dev/null || continue
    fields=(\${line##*) })
    [ "\${fields[2]}" = "$2" ] || continue
    case \${fields[0]} in Z | X) continue ;; esac
    pid=\${path%/stat}; pid=\${pid##*/}
    case $seen in *" $pid "*) ;; *) found+=("$pid") ;; esac
  done
}

# enter_job ID: looks who is inside, and keeps new ones out as long as we read.
enter_job() {
  dir=$jobs/$1 inside=nobody lock= mutex=
  [ -d "$dir" ] || return 1
  line_of "$dir/current"; current=$REPLY
  if lock_file "$dir/lock" 0 -s; then lock=$REPLY; else inside=runner; fi
  if lock_file "$dir/start" 0 -s; then mutex=$REPLY; elif [ "$inside" = nobody ]; then inside=starter; fi
  return 0
}
leave_job() {
  [ -z "$lock" ] || exec {lock}>&-
  [ -z "$mutex" ] || exec {mutex}>&-
  lock= mutex=
}

# examine RUN: sets verdict to running, settled or lost, and what the files say.
examine() {
  folder=$dir/runs/$1
  line_of "$folder/started"; started=$REPLY
  line_of "$folder/exit"; outcome=$REPLY
  if [ -n "$outcome" ]; then verdict=settled; return 0; fi
  if [ "$inside" = runner ] && [ "$1" = "$current" ]; then verdict=running; return 0; fi
  if [ -n "$started" ]; then verdict=lost; return 0; fi
  if [ "$inside" != nobody ]; then verdict=running; return 0; fi
  now_ms
  printf 'never %s the start was broken off\\n' "$REPLY" | place "$folder/exit" || :
  rm -f -- "$folder/command"
  line_of "$folder/exit"; outcome=$REPLY; verdict=settled
}

# tell ID RUN: one record, a line for each fact.
tell() {
  local boot alive=no file size last_out= last_err= number
  line_of "$folder/journal"; printf 'run %s %s\\njournal %s\\n' "$1" "$2" "$REPLY"
  line_of "$folder/limit"; printf 'limit %s\\n' "$REPLY"
  [ -z "$started" ] || printf 'started %s\\n' "$started"
  if [ -e "$folder/cancel" ]; then line_of "$folder/cancel"; printf 'cancel %s\\n' "$REPLY"; fi
  [ -z "$outcome" ] || printf 'exit %s\\n' "$outcome"
  if [ "$verdict" = lost ]; then
    line_of /proc/sys/kernel/random/boot_id; boot=$REPLY
    set -- "$1" "$2" $started
    if [ "$4" = "$boot" ]; then
      members "$1/$2" "\${7-}" "\${8-}"
      [ "\${#found[@]}" = 0 ] || alive=yes
      verdict="lost killed $alive"
    else
      verdict="lost rebooted no"
    fi
  fi
  for file in "$folder"/stdout.1????????; do [ ! -e "$file" ] || last_out=$file; done
  for file in "$folder"/stderr.1????????; do [ ! -e "$file" ] || last_err=$file; done
  for file in "$last_out" "$last_err"; do
    if [ -z "$file" ]; then printf 'pieces 0 0\\n'; continue; fi
    number=\${file##*.}
    size=$(stat -c %s -- "$file" 2>/dev/null) || size=0
    printf 'pieces %s %s\\n' "$((number - 100000000))" "$size"
  done
  printf 'state %s\\nend\\n' "$verdict"
}
`;

/**
 * start.sh ID TOKEN AGAIN(yes|no) LOG_BYTES INPUT(yes|no) USER. Input: runner, journal, the command's fields behind their number,
 * each ended by NUL; then, to the end, what becomes the command's input.
 */
export const START_JOB = `${EXAMINE}
id=$1 token=$2 again=$3 limit=$4 with_input=$5 user=$6
input=
trap '[ -z "$input" ] || rm -f -- "$input"' EXIT
field() { IFS= read -r -d '' "$1" || refuse "the request broke off"; }
field runner; field journal; field count
fields=()
for ((; count > 0; count--)); do field item; fields+=("$item"); done
for program in flock setsid split sync stat mkfifo mktemp getent setpriv; do
  command -v "$program" > /dev/null || refuse "$program is missing; install util-linux and coreutils"
done
[ -z "$user" ] || id -u -- "$user" > /dev/null 2>&1 || refuse "there is no user $user"
prepare_state
dir=$jobs/$id
until mkdir -p -- "$dir/runs" && { lock_file "$dir/start" 30 || [ "$?" = 2 ]; } && [ -n "$REPLY" ]; do
  [ "$SECONDS" -lt 45 ] || refuse "somebody else has been starting this job for 45 s"
done
starting=$REPLY
line_of "$dir/current"; current=$REPLY
inside=nobody lock=
answer() { printf 'changed %s\\n' "$1"; tell "$id" "$2"; exit 0; }

if [ -n "$current" ] && [ -d "$dir/runs/$current" ]; then
  if lock_file "$dir/lock" 0; then lock=$REPLY; else inside=runner; fi
  examine "$current"
  case $current in *"-$token") answer yes "$current" ;; esac
  if [ "$verdict" = running ]; then answer no "$current"; fi
  if [ "$again" = no ]; then
    case $outcome in never*) ;; *) answer no "$current" ;; esac
  fi
  if [ "$verdict" = lost ]; then
    members "$id/$current" $(cut -d' ' -f5,6 <<< "$started")
    [ "\${#found[@]}" = 0 ] || { echo orphans; tell "$id" "$current"; exit 0; }
  fi
  [ -z "$lock" ] || exec {lock}>&-
fi

# What starts that were killed have left: half-made runs, and inputs that nobody holds any more.
rm -rf -- "$dir"/.new.*
for place in /run /dev/shm; do
  [ -d "$place" ] && [ -w "$place" ] && [ "$(stat -f -c %T -- "$place")" = tmpfs ] || continue
  memory=\${memory-$place}
  # One that goes meanwhile, because its job has read it, is no failure of ours.
  { find "$place" -maxdepth 1 -type f -user "$EUID" -name 'selfhost-input.*' -mmin +1 -print0 2>/dev/null || :; } |
    while IFS= read -r -d '' stale; do
      flock -n -- "$stale" rm -f -- "$stale" || :
    done
done

name=$(date -u +%Y%m%dT%H%M%SZ)-$token
draft=$(mktemp -d -- "$dir/.new.XXXXXX")
printf '%s\\n' "$journal" > "$draft/journal"
printf '%s\\n' "$limit" > "$draft/limit"
printf '%s' "$runner" > "$draft/runner"
printf '%s\\0' "$id/$name" "\${fields[@]}" > "$draft/command"
printf '%255s\\n' '' > "$draft/exit.new"
if [ "$with_input" = yes ]; then
  [ -n "\${memory-}" ] || refuse "neither /run nor /dev/shm is a tmpfs we may write to, and secret input must not touch a disk"
  input=$(mktemp -- "$memory/selfhost-input.$token.XXXXXXXX")
  exec {holding}>"$input"
  flock -n "$holding"
  cat >&"$holding"
  printf '%s\\n' "$input" > "$draft/input"
fi
sync -- "$draft"/* "$draft"
mv -T -- "$draft" "$dir/runs/$name"
sync -- "$dir/runs"
printf '%s\\n' "$name" | put "$dir/current"
current=$name folder=$dir/runs/$name

line_of /proc/1/comm
if [ "$EUID" = 0 ] && [ "$REPLY" = systemd ] && [ -d /run/systemd/system ] && command -v systemd-run > /dev/null; then
  systemd-run --quiet --collect --no-ask-password --unit="selfhost-job-$id-$token" --description="selfhost job $id" \\
    --service-type=exec -- bash --noprofile --norc "$folder/runner" "$limit" "$user" >&2 || refuse "systemd did not start the job"
else
  holding=\${holding-}
  (
    exec {starting}>&-
    [ -z "$holding" ] || exec {holding}>&-
    exec setsid -f bash --noprofile --norc "$folder/runner" "$limit" "$user"
  ) < /dev/null > /dev/null 2>&1
fi

for ((waited = 0; waited < 1000; waited++)); do
  [ ! -e "$folder/started" ] && [ ! -e "$folder/exit" ] || break
  sleep 0.02
done
if [ ! -e "$folder/started" ] && lock_file "$dir/lock" 0; then lock=$REPLY; else inside=runner; fi
examine "$name"
case $outcome in never*) refuse "the job was not started: $outcome" ;; esac
answer yes "$name"
`;

/** read.sh ID RUN: one run, or the newest one for an empty RUN. Prints nothing when there is none. */
export const READ_JOB = `${EXAMINE}
enter_job "$1" || exit 0
run=\${2:-$current}
[ -n "$run" ] && [ -d "$dir/runs/$run" ] || exit 0
examine "$run"
tell "$1" "$run"
`;

/** list.sh PREFIX: every run of every job whose id begins with it. */
export const LIST_JOBS = `${EXAMINE}
for path in "$jobs"/"$1"*/; do
  [ -d "$path/runs" ] || continue
  id=\${path%/}; id=\${id##*/}
  enter_job "$id" || continue
  for each in "$dir"/runs/*/; do
    [ -e "$each/journal" ] || continue
    each=\${each%/}
    examine "\${each##*/}"
    tell "$id" "\${each##*/}"
  done
  leave_job
done
`;

/**
 * take.sh PREFIX CONSUMER EARLIER(yes|no): ended runs which that consumer has not acknowledged. Its first call
 * acknowledges what has ended before, unless that is wanted too; no clock decides what "before" is.
 */
export const TAKE_FINISHED = `${EXAMINE}
prefix=$1 consumer=$2 earlier=$3
prepare_state
lock_file "$state/consumers/.lock" 30 || refuse "another consumer holds the list of consumers"
first=no
if [ ! -e "$state/consumers/$consumer" ]; then first=yes; fi
for path in "$jobs"/"$prefix"*/; do
  [ -d "$path/runs" ] || continue
  id=\${path%/}; id=\${id##*/}
  dir=$jobs/$id
  entered=no
  for each in "$dir"/runs/*/; do
    each=\${each%/}
    [ -e "$each/journal" ] && [ ! -e "$each/seen.$consumer" ] || continue
    [ "$entered" = yes ] || enter_job "$id" || continue
    entered=yes
    examine "\${each##*/}"
    [ "$verdict" != running ] || continue
    case $outcome in never*) continue ;; esac
    if [ "$first" = yes ] && [ "$earlier" = no ]; then
      echo earlier | place "$each/seen.$consumer" || :
    else
      tell "$id" "\${each##*/}"
    fi
  done
  [ "$entered" = no ] || leave_job
done
if [ "$first" = yes ]; then now_ms; echo "$REPLY" | place "$state/consumers/$consumer" || :; fi
`;

/** acknowledge.sh ID RUN CONSUMER */
export const ACKNOWLEDGE = `
folder=$jobs/$1/runs/$2
[ -d "$folder" ] || { echo missing; exit 0; }
now_ms
if echo "$REPLY" | place "$folder/seen.$3"; then echo changed; else echo unchanged; fi
`;

/** cancel.sh ID RUN GRACE_MS, and who asks as one JSON line on standard input. */
export const CANCEL_JOB = `${EXAMINE}
id=$1 run=$2 grace=$3
enter_job "$id" || exit 0
run=\${run:-$current}
[ -n "$run" ] && [ -d "$dir/runs/$run" ] || exit 0
examine "$run"
leave_job
settle() {
  enter_job "$id"; examine "$run"; printf 'changed %s\\n' "$1"; tell "$id" "$run"; exit 0
}
[ "$verdict" != settled ] || settle no
changed=yes
if [ "$verdict" = running ]; then
  place "$folder/cancel" || changed=no
  for ((waited = 0; waited < 500; waited++)); do
    [ ! -e "$folder/started" ] && [ ! -e "$folder/exit" ] || break
    sleep 0.02
  done
  line_of "$folder/started"; started=$REPLY
fi
read -r _ boot _ _ group start <<< "$started" || :
line_of /proc/sys/kernel/random/boot_id
if [ -n "$started" ] && [ "$boot" = "$REPLY" ]; then
  # finish SIGNAL MS: asks all of them, and looks for up to MS whether anything is left.
  finish() {
    local waited pid
    for ((waited = 0; waited <= $2; waited += 50)); do
      members "$id/$run" "$group" "$start"
      [ "\${#found[@]}" != 0 ] || return 0
      if [ "$waited" = 0 ] || [ "$1" = KILL ]; then
        for pid in "\${found[@]}"; do kill "-$1" "$pid" 2>/dev/null || :; done
      fi
      sleep 0.05
    done
    return 1
  }
  [ "$verdict" = running ] || { members "$id/$run" "$group" "$start"; [ "\${#found[@]}" != 0 ] || changed=no; }
  finish TERM "$grace" || finish KILL 5000 || { echo alive; settle "$changed"; }
fi
# The runner writes down what became of it.
if [ "$verdict" = running ]; then
  for ((waited = 0; waited < 500; waited++)); do
    [ ! -e "$folder/exit" ] || break
    if lock_file "$dir/lock" 0 -s; then fd=$REPLY; exec {fd}>&-; break; fi
    sleep 0.02
  done
fi
settle "$changed"
`;

/** clean.sh CUTOFF_MS KEEP PREFIX: removes ended runs; prints each. CUTOFF_MS is an age. */
export const CLEAN_JOBS = `${EXAMINE}
age=$1 keep=$2 prefix=$3 dry=$4
now_ms; cutoff=$((REPLY - age))
for path in "$jobs"/"$prefix"*/; do
  [ -d "$path/runs" ] || continue
  id=\${path%/}; id=\${id##*/}
  dir=$jobs/$id
  # Alone in the job: nobody starts it, nothing runs. A job that is busy is left for the next time.
  lock_file "$dir/start" 0 || continue
  mutex=$REPLY
  if ! lock_file "$dir/lock" 0; then exec {mutex}>&-; continue; fi
  lock=$REPLY inside=nobody
  line_of "$dir/current"; current=$REPLY
  [ "$dry" = yes ] || rm -rf -- "$dir"/.new.* "$dir"/.gone.*
  runs=("$dir"/runs/*/)
  [ -d "\${runs[0]}" ] || runs=()
  for ((at = 0; at < \${#runs[@]} - keep; at++)); do
    run=\${runs[at]%/}; run=\${run##*/}
    examine "$run"
    set -- $outcome
    ended=\${2-}
    # A lost run has no end; the last that is known of it is its start.
    [ -n "$ended" ] || ended=\${started%% *}
    [ "$ended" -lt "$cutoff" ] || continue
    if [ "$verdict" = lost ]; then
      members "$id/$run" $(cut -d' ' -f5,6 <<< "$started")
      [ "\${#found[@]}" = 0 ] || continue
    fi
    [ "$dry" = yes ] || mv -T -- "$folder" "$dir/.gone.$run"
    printf 'removed %s %s\\n' "$id" "$run"
  done
  [ "$dry" = yes ] || rm -rf -- "$dir"/.gone.*
  if [ "$dry" = no ] && [ -z "$(ls -A -- "$dir/runs")" ]; then rm -rf -- "$dir"; fi
  exec {lock}>&- {mutex}>&-
done
`;

/** logs.sh ID RUN STREAM FROM MAX: prints "piece bytes, size, offset" and then the bytes, gaps left out. */
export const READ_LOG = `
folder=$jobs/$1/runs/$2 stream=$3 from=$4 max=$5
line_of "$folder/limit"
[ -n "$REPLY" ] || exit 0
piece=$((REPLY / 16))
size=0 numbers=()
for file in "$folder/$stream".1????????; do
  [ -e "$file" ] || continue
  number=\${file##*.}; number=$((number - 100000000)); numbers+=("$number")
done
if [ "\${#numbers[@]}" != 0 ]; then
  last=\${numbers[-1]}
  bytes=$(stat -c %s -- "$folder/$stream.$((100000000 + last))")
  size=$((last * piece + bytes))
fi
if [ "$from" -lt 0 ]; then from=$((size + from)); fi
if [ "$from" -lt 0 ]; then from=0; fi
if [ "$from" -gt "$size" ]; then from=$size; fi
printf '%s\\n' "$size"
for number in \${numbers[@]+"\${numbers[@]}"}; do
  begin=$((number * piece))
  [ "$max" -gt 0 ] && [ "$((begin + piece))" -gt "$from" ] || continue
  skip=0
  [ "$from" -le "$begin" ] || skip=$((from - begin))
  # Into a variable and back would lose NUL bytes: the text goes as base64, one line for each piece.
  data=$(tail -c "+$((skip + 1))" -- "$folder/$stream.$((100000000 + number))" 2>/dev/null | head -c "$max" | base64 -w 0) || :
  [ -n "$data" ] || continue
  printf '%s %s\\n' "$((begin + skip))" "$data"
  max=$((max - \${#data} / 4 * 3))
done
`;
