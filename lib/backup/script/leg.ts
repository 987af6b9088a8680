/**
 * One leg carries the queue to one destination, with its own retries, pace and end; nothing it does or fails to do is
 * felt by the others. Parts go to `<name>.uploading`, which becomes `<name>` in one move when the dump is known to be
 * good; the manifest follows last, and only its name makes the run a backup. Everything may be repeated.
 */
export const LEG = `
# far ARGUMENTS: rclone towards this leg's destination, never beyond its deadline.
far() {
  local left=$((leg_deadline - SECONDS))
  [ "$left" -gt 0 ] || { echo 'its time was up' >> "$leg_errors"; return 124; }
  timeout --foreground -k 5 "$left" rclone --retries 1 --low-level-retries 3 --contimeout 15s --timeout "$leg_idle" \\
    --log-level ERROR --buffer-size 4M --use-mmap "\${leg_flags[@]}" "$@" 2>> "$leg_errors" {lock}>&-
}

# moving ARGUMENTS: as far, but ends as a whole when hardly a byte has moved for the idle time. When nobody answers, rclone
# by itself goes on to the next file, and waits for that one, too.
moving() {
  local pid at key value moved=0 since=$SECONDS idle=\${leg_idle%s}
  rclone --retries 1 --low-level-retries 3 --contimeout 15s --timeout "$leg_idle" \\
    --log-level ERROR --buffer-size 4M --use-mmap "\${leg_flags[@]}" "$@" 2>> "$leg_errors" {lock}>&- &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    nap 0.2
    at=0
    while read -r key value; do case $key in rchar: | wchar:) at=$((at + value)) ;; esac; done 2>/dev/null < "/proc/$pid/io"
    if [ "$at" = 0 ] || [ "$((at - moved))" -gt "$((16384 + 512 * idle))" ]; then
      moved=$at since=$SECONDS
    elif [ "$((SECONDS - since))" -gt "$((idle + 1))" ]; then
      echo "nothing has moved for $idle s" >> "$leg_errors"
      kill -KILL "$pid"
    fi
    [ "$SECONDS" -lt "$leg_deadline" ] || { echo 'its time was up' >> "$leg_errors"; kill -KILL "$pid"; }
    [ ! -e "$work/legs/$n.dropped" ] && [ ! -e "$work/failed.\${i:-none}" ] || kill -KILL "$pid"
  done 2>/dev/null
  wait "$pid" 2>/dev/null
}

leg() {
  local n=$1 line kind i path rest queue at=0 batch batch_source name folder
  local remote=\${P[leg.$n.remote]} leg_idle=\${P[leg.$n.idle]-60}s leg_deadline=$((SECONDS + \${P[leg.$n.deadline]-86400}))
  local manifest_line= sent= leg_errors=$work/legs/$n.errors leg_flags=() type=none proof attempts=\${P[leg.$n.attempts]-4} pause=\${P[leg.$n.pause]-10}
  trap - EXIT
  [ -z "\${P[leg.$n.bandwidth]-}" ] || leg_flags+=(--bwlimit "\${P[leg.$n.bandwidth]}")
  : > "$leg_errors"
  rm -f -- "$work/legs/$n.failed"
  choose_hash "$n"
  exec {queue}<"$work/queue"
  batch=()
  while :; do
    [ ! -e "$work/legs/$n.dropped" ] || { leg_failed 'it was left behind'; return; }
    if ! read -r -u "$queue" line; then
      if [ "\${#batch[@]}" -gt 0 ]; then send_batch || return; continue; fi
      kill -0 "$$" 2>/dev/null || return
      nap 0.2
      continue
    fi
    read -r kind i path rest <<< "$line"
    if [ "$kind" = part ]; then
      batch+=("$line")
      [ "\${#batch[@]}" -lt 16 ] || send_batch || return
      continue
    fi
    [ "\${#batch[@]}" = 0 ] || send_batch || return
    at=$((at + 1))
    case $kind in
      manifest) manifest_line=$line ;;
      commit) patiently commit_source "$i" || { leg_failed "source \${P[source.$i.id]} could not be finished: $REPLY"; return; } ;;
      abandon) place_of "$i" && [ "$sent" = "$i" ] && far purge "$uploading" || : ;;
      end) break ;;
    esac
    printf '%s\\n' "$at" > "$work/legs/$n.at"
  done
  : > "$work/legs/$n.ended"
}

leg_failed() {
  local why=$1
  # Whatever it was doing when it was left behind, this is why.
  [ ! -e "$work/legs/$n.dropped" ] || why='it was so slow that the spool had to go on without it'
  printf '%s\\n' "$why" > "$work/legs/$n.failed"
  say "\${P[leg.$n.name]}: failed: $why"
}

# The remote's own hashes, best first. Without any, equal sizes prove nothing: then reading back does, where it is wanted.
choose_hash() {
  local has kind features
  type=none
  [ "\${P[leg.$1.proof]-}" != read-back ] || { type=read-back; return; }
  features=$(far backend features "$remote" | tr -d ' \\n\\t')
  has=$(sed -n 's/.*"Hashes":\\[\\([^]]*\\)\\].*/\\1/p' <<< "$features" | tr -d '"')
  [ -n "$has" ] && own_hashes "$(sed -n 's/.*"Name":"\\([^"]*\\)".*/\\1/p' <<< "$features")" || return 0
  for kind in sha256 sha1 md5 \${has//,/ }; do
    case ,$has, in *",$kind,"*) if comparable "$kind"; then type=$kind; return; fi ;; esac
  done
}

# A hash is proof only where the remote makes it of what it keeps. These give back what they were told, or keep none.
own_hashes() {
  local name=\${1%%'{'*} kind
  case $name in
    :*) kind=\${name#:} ;;
    *) kind=$(rclone listremotes --long 2>/dev/null | awk -v name="$name:" 'index($0, name) == 1 { print $NF }') ;;
  esac
  case $kind in webdav | hasher | chunker | compress | cache | union | combine) return 1 ;; esac
}

# patiently COMMAND...: until it succeeds, or the attempts or the time are used up; then REPLY says why.
patiently() {
  local attempt wait=$pause
  for ((attempt = 1; ; attempt++)); do
    if "$@"; then return 0; fi
    reason "$leg_errors"
    if [ "$attempt" -ge "$attempts" ] || [ "$((SECONDS + wait))" -ge "$leg_deadline" ]; then return 1; fi
    [ ! -e "$work/legs/$n.dropped" ] || return 1
    say "\${P[leg.$n.name]}: trying again in $wait s: $REPLY"
    nap "$wait"
    [ "$wait" -ge 120 ] || wait=$((wait * 3))
  done
}

# place_of SOURCE: where its files lie at the destination, and in the spool.
place_of() {
  local paths
  paths=$(cat -- "$work/places.$1") || return 1
  here=$work/ready/\${paths%% *}
  beneath "$remote" "\${paths%% *}"; final=$REPLY
  beneath "$remote" "\${paths#* }"; uploading=$REPLY
}

send_batch() {
  local first=\${batch[0]}
  local here final uploading again=()
  read -r _ i _ <<< "$first"
  place_of "$i"
  list_batch
  [ ! -e "$work/failed.$i" ] || { batch_done; return 0; }
  [ -z "\${P[retry]-}" ] || ! in_place "$final" || { batch_done; return 0; }
  sent=$i
  if ! patiently upload; then leg_failed "a part could not be uploaded: $REPLY"; return 1; fi
  batch_done
}

list_batch() {
  local line path
  for line in "\${batch[@]}"; do read -r _ _ path _ <<< "$line"; printf '%s\\n' "\${path##*/}"; done > "$work/legs/$n.batch"
}

batch_done() {
  at=$((at + \${#batch[@]}))
  batch=()
  printf '%s\\n' "$at" > "$work/legs/$n.at"
}

upload() {
  moving copy --files-from-raw "$work/legs/$n.batch" --no-traverse --ignore-checksum --transfers 2 --checkers 2 --size-only "\${again[@]}" "$here" "$uploading" || [ -e "$work/failed.$i" ] || return 1
  # Nobody needs the rest of a dump that is known to be bad.
  [ ! -e "$work/failed.$i" ] || return 0
  # What is there but wrong is sent again even though its size fits.
  again=()
  if in_place "$uploading"; then return 0; fi
  again=(--ignore-times)
  return 1
}

# in_place FOLDER: whether every part of the batch is there, with the right size and hash.
in_place() {
  local line path size hashes want got sum list
  declare -A there=()
  if [ "$type" = none ] || [ "$type" = read-back ]; then
    list=$(far lsf --files-only --format sp --separator ' ' "$1") || return 1
    while read -r got path; do there[$path]="- $got"; done <<< "$list"
  else
    list=$(far lsf --files-only --format hsp --hash "$type" --separator ' ' --files-from-raw "$work/legs/$n.batch" "$1") || return 1
    while read -r sum got path; do there[\${path:-none}]="$sum $got"; done <<< "$list"
  fi
  for line in "\${batch[@]}"; do
    read -r _ _ path size hashes <<< "$line"
    read -r sum got <<< "\${there[\${path##*/}]-}"
    if [ -z "\${got-}" ]; then echo "\${path##*/} is not there" >> "$leg_errors"; return 1; fi
    if [ "$got" != "$size" ]; then echo "\${path##*/} has $got bytes there instead of $size" >> "$leg_errors"; return 1; fi
    case $type in
      none) continue ;;
      read-back) sum=$(far cat "\${1%/}/\${path##*/}" | sha256sum) || return 1; sum=\${sum%% *}; want=sha256 ;;
      *) want=$type ;;
    esac
    case " $hashes " in
      *" $want="*) want=\${hashes##*"$want="}; want=\${want%% *} ;;
      # It could not be asked when the run began, so nobody made this hash.
      *) hash_of "$want" "$work/ready/$path" || return 1; want=$REPLY ;;
    esac
    if [ "$sum" != "$want" ]; then echo "\${path##*/} is not there as it was sent" >> "$leg_errors"; return 1; fi
  done
}

commit_source() {
  local i=$1 here final uploading again=() list line
  place_of "$i"
  local batch=("$manifest_line") manifest; read -r _ _ manifest _ <<< "$manifest_line"; manifest=\${manifest##*/}
  if [ "$sent" = "$i" ] || ! all_there "$i" "$final"; then
    # One move of the folder where it is new; where parts lie there already, each that was sent takes its place.
    far moveto --ignore-times "$uploading" "$final" || return 1
    sent=
    all_there "$i" "$final" || { echo 'not all parts came through the last move' >> "$leg_errors"; return 1; }
  fi
  list_batch
  upload || return 1
  far moveto "$uploading/$manifest" "$final/$manifest" || return 1
  in_place "$final" || return 1
  far rmdir "$uploading" || :
  case $type in none) proof=unproven ;; *) proof=proven ;; esac
  printf '%s %s %s\\n' "$i" "$proof" "$type" >> "$work/legs/$n.committed"
  say "\${P[leg.$n.name]}: \${P[source.$i.id]} is complete and $proof"
}

# all_there SOURCE FOLDER: whether it holds every part of the source with its size.
all_there() {
  local kind i path size rest list
  list=" $(far lsf --files-only --format sp --separator / "$2" 2>/dev/null | tr '\\n' ' ')"
  while read -r kind i path size rest; do
    [ "$kind" = part ] && [ "$i" = "$1" ] || continue
    case $list in *" $size/\${path##*/} "*) ;; *) return 1 ;; esac
  done < "$work/queue"
}
`;
