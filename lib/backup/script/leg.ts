/**
 * One leg carries the queue to one destination, with its own retries, pace and end; nothing it does or fails to do is
 * felt by the others. Parts and the manifest, which is not called that yet, go to `<name>.uploading`; it becomes `<name>`
 * in one move when the dump is known to be good; then the manifest gets its name, and only that makes the run a backup.
 * To move is to delete, at a remote without folders. So where nothing can be deleted parts go to their names at once, and
 * the manifest follows when all is good.
 * Everything may be repeated. Every start of rclone is a login at the remote, so as few as possible; and while one batch
 * is compared with the hashes of the remote the next is on its way already, unless two logins at a time could take away
 * each other's token.
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
  local checking= checked=() beside=
  carry "$1"
  [ -z "$checking" ] || wait "$checking" 2>/dev/null || :
}

carry() {
  local n=$1 line kind i path rest queue at=0 batch batch_source name folder
  local remote=\${P[leg.$n.remote]} leg_idle=\${P[leg.$n.idle]-60}s leg_deadline=$((SECONDS + \${P[leg.$n.deadline]-86400}))
  local final_at_once=\${P[leg.$n.undeletable]-}
  local sent= turn=0 leg_errors=$work/legs/$n.errors leg_flags=() type=none proof attempts=\${P[leg.$n.attempts]-4} pause=\${P[leg.$n.pause]-10}
  trap - EXIT
  [ -z "\${P[leg.$n.bandwidth]-}" ] || leg_flags+=(--bwlimit "\${P[leg.$n.bandwidth]}")
  : > "$leg_errors"
  rm -f -- "$work/legs/$n.failed"
  known_hash || choose_hash "$n"
  exec {queue}<"$work/queue"
  batch=()
  while :; do
    [ ! -e "$work/legs/$n.dropped" ] || { leg_failed 'it was left behind'; return; }
    if ! read -r -u "$queue" line; then
      kill -0 "$$" 2>/dev/null || return
      if [ "\${#batch[@]}" -gt 0 ] && ! manifest_follows "\${batch[0]}"; then send_batch || return; continue; fi
      [ -z "$checking" ] || await_check || return
      nap 0.1
      continue
    fi
    read -r kind i path rest <<< "$line"
    case $kind in
      part | manifest)
        [ "$kind$apart" != manifestyes ] || send_batch || return
        if [ "$kind$final_at_once" = manifestyes ]; then
          send_batch && await_check || return
          at=$((at + 1))
          continue
        fi
        batch+=("$line")
        [ "\${#batch[@]}" -lt 16 ] || send_batch || return
        continue
        ;;
    esac
    send_batch && await_check || return
    at=$((at + 1))
    case $kind in
      commit) patiently commit_source "$i" || { leg_failed "source \${P[source.$i.id]} could not be finished: $REPLY"; return; } ;;
      abandon) place_of "$i" && [ "$sent$final_at_once" = "$i" ] && far purge "$uploading" || : ;;
      end) break ;;
    esac
    printf '%s\\n' "$at" > "$work/legs/$n.at"
  done
  : > "$work/legs/$n.ended"
}

# Where the manifest comes from another place than the parts, it goes by itself.
apart=

# Whoever began the run has asked for the hashes already, unless this leg did not answer then.
known_hash() {
  [ -n "\${probing-}" ] || return 1
  while [ ! -e "$work/legs/$n.probed" ]; do kill -0 "$$" 2>/dev/null || return 1; nap 0.1; done
  [ -s "$work/legs/$n.hash" ] && read -r type beside < "$work/legs/$n.hash"
}

# A small source is dumped before its first part is on its way: its manifest comes in a moment and goes with it.
manifest_follows() {
  local i
  read -r _ i _ <<< "$1"
  [ -e "$work/dumped.$i" ]
}

leg_failed() {
  local why=$1
  # Whatever it was doing when it was left behind, this is why.
  [ ! -e "$work/legs/$n.dropped" ] || why='it was so slow that the spool had to go on without it'
  printf '%s\\n' "$why" > "$work/legs/$n.failed"
  say "\${P[leg.$n.name]}: failed: $why"
}

# The remote's own hashes, best first. Without any, equal sizes prove nothing: then reading back does, where it is wanted.
# Also whether two of us may be logged in at a time, in beside.
choose_hash() {
  local has kind features
  type=none beside=
  [ "\${P[leg.$1.proof]-}" != read-back ] || { type=read-back; return; }
  features=$(far backend features "$remote" | tr -d ' \\n\\t')
  [ -n "$features" ] || return 1
  has=$(sed -n 's/.*"Hashes":\\[\\([^]]*\\)\\].*/\\1/p' <<< "$features" | tr -d '"')
  [ -n "$has" ] && own_hashes "$(sed -n 's/.*"Name":"\\([^"]*\\)".*/\\1/p' <<< "$features")" || return 0
  for kind in sha256 sha1 md5 \${has//,/ }; do
    case ,$has, in *",$kind,"*) if comparable "$kind"; then type=$kind; return; fi ;; esac
  done
}

# A hash is proof only where the remote makes it of what it keeps. These give back what they were told, or keep none.
own_hashes() {
  local name=\${1%%'{'*} kind=local
  case $remote in
    /*) ;;
    *)
      case $name in
        :*) kind=\${name#:} ;;
        *) kind=$(rclone listremotes --long 2>/dev/null | awk -v name="$name:" 'index($0, name) == 1 { print $NF }') ;;
      esac
      ;;
  esac
  # With keys, and so without tokens that whoever comes second finds used.
  case $kind in local | sftp | s3 | b2 | azureblob | swift) beside=yes ;; esac
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

# place_of SOURCE: where its files lie at the destination, and in the spool; what its manifest is called in the end.
place_of() {
  local one other
  read -r one other manifest < "$work/places.$1" || return 1
  here=$work/ready/$one
  beneath "$remote" "$one"; final=$REPLY
  beneath "$remote" "$other"; uploading=$REPLY
}

# Where nothing can be deleted nothing can be moved either.
where_to_send() { [ -z "$final_at_once" ] || uploading=$final; }

# Where the remote has hashes of its own, a batch counts only when they have been compared; the next need not wait for it.
send_batch() {
  [ "\${#batch[@]}" -gt 0 ] || return 0
  local here final uploading manifest again=()
  read -r _ i _ <<< "\${batch[0]}"
  place_of "$i" && where_to_send
  list_batch
  if [ -e "$work/failed.$i" ] || { [ -n "\${P[retry]-}" ] && in_place "$final"; }; then
    await_check || return 1
    batch_done "\${#batch[@]}"
    batch=()
    return 0
  fi
  sent=$i
  local way=upload
  [ "$type" = read-back ] || [ -z "$beside" ] || way=transfer
  if ! patiently "$way"; then leg_failed "a part could not be uploaded: $REPLY"; return 1; fi
  await_check || return 1
  if [ "$way" = transfer ]; then
    checked=("\${batch[@]}")
    in_place "$uploading" & checking=$!
  else
    batch_done "\${#batch[@]}"
  fi
  batch=()
}

# await_check: the batch that is being compared is right, or is sent again until it is.
await_check() {
  [ -n "$checking" ] || return 0
  local pid=$checking batch=("\${checked[@]}")
  checking=
  local i here final uploading manifest again=(--ignore-times)
  read -r _ i _ <<< "\${batch[0]}"
  if ! wait "$pid" && [ ! -e "$work/failed.$i" ]; then
    place_of "$i" && where_to_send
    list_batch
    if ! patiently upload; then leg_failed "a part could not be uploaded: $REPLY"; return 1; fi
  fi
  batch_done "\${#batch[@]}"
}

# The names of a batch, for rclone; each batch has a list of its own, because the one before may still be in use.
list_batch() {
  local line path
  turn=$((turn + 1))
  list_file=$work/legs/$n.batch.$((turn % 4))
  for line in "\${batch[@]}"; do
    read -r _ _ path _ <<< "$line"
    printf '%s\\n' "\${path##*/}"
    case $line in manifest*) printf '%s\\n' "$manifest" ;; esac
  done > "$list_file"
}

batch_done() {
  at=$((at + $1))
  printf '%s\\n' "$at" > "$work/legs/$n.at"
}

transfer() {
  moving copy --files-from-raw "$list_file" --no-traverse --ignore-checksum --transfers 2 --checkers 2 --size-only "\${again[@]}" "$here" "$uploading" || [ -e "$work/failed.$i" ]
}

upload() {
  transfer || return 1
  # Nobody needs the rest of a dump that is known to be bad.
  [ ! -e "$work/failed.$i" ] || return 0
  # What is there but wrong is sent again even though its size fits.
  again=()
  if in_place "$uploading"; then return 0; fi
  again=(--ignore-times)
  return 1
}

# in_place FOLDER: whether all of the batch is there, with the right size and hash; the manifest under either name.
in_place() {
  local line kind path size hashes want got sum list name
  trap - EXIT
  declare -A there=()
  if [ "$type" = none ] || [ "$type" = read-back ]; then
    list=$(far lsf --files-only --format sp --separator ' ' "$1") || return 1
    while read -r got path; do there[$path]="- $got"; done <<< "$list"
  else
    list=$(far lsf --files-only --format hsp --hash "$type" --separator ' ' --files-from-raw "$list_file" "$1") || return 1
    while read -r sum got path; do there[\${path:-none}]="$sum $got"; done <<< "$list"
  fi
  for line in "\${batch[@]}"; do
    read -r kind _ path size hashes <<< "$line"
    name=\${path##*/}
    [ "$kind" != manifest ] || [ -n "\${there[$name]-}" ] || name=$manifest
    read -r sum got <<< "\${there[$name]-}"
    if [ -z "\${got-}" ]; then echo "$name is not there" >> "$leg_errors"; return 1; fi
    if [ "$got" != "$size" ]; then echo "$name has $got bytes there instead of $size" >> "$leg_errors"; return 1; fi
    case $type in
      none) continue ;;
      read-back) sum=$(far cat "\${1%/}/$name" | sha256sum) || return 1; sum=\${sum%% *}; want=sha256 ;;
      *) want=$type ;;
    esac
    case " $hashes " in
      *" $want="*) want=\${hashes##*"$want="}; want=\${want%% *} ;;
      # It could not be asked when the run began, so nobody made this hash.
      *) hash_of "$want" "$work/ready/$path" || return 1; want=$REPLY ;;
    esac
    if [ "$sum" != "$want" ]; then echo "$name is not there as it was sent" >> "$leg_errors"; return 1; fi
  done
}

# May be repeated at any point: after the move, and after the manifest has got its name and the answer was lost.
commit_source() {
  local i=$1 here final uploading manifest staged
  place_of "$i"
  if [ -n "$final_at_once" ]; then
    send_manifest || return 1
    sent=
  elif [ "$sent" = "$i" ]; then
    # One move of the folder where it is new; where parts lie there already, each that was sent takes its place.
    far moveto --ignore-times "$uploading" "$final" || return 1
    sent=
  fi
  all_there "$i" "$final" || { echo 'not all of it came through the last move' >> "$leg_errors"; return 1; }
  [ -z "$staged" ] || far moveto --ignore-times "$final/$staged" "$final/$manifest" || return 1
  case $type in none) proof=unproven ;; *) proof=proven ;; esac
  printf '%s %s %s\\n' "$i" "$proof" "$type" >> "$work/legs/$n.committed"
  say "\${P[leg.$n.name]}: \${P[source.$i.id]} is complete and $proof"
}

# Under its own name, to where all of its parts have been compared.
send_manifest() {
  local line path
  line=$(grep "^manifest $i " "$work/queue") || return 1
  local batch=("$line")
  read -r _ _ path _ <<< "$line"
  list_batch
  far copyto --ignore-times "$work/ready/$path" "$final/$manifest" && in_place "$final"
}

# all_there SOURCE FOLDER: whether it holds all of the source with its size. In staged what its manifest is still called.
all_there() {
  local kind i path size rest list name
  list=" $(far lsf --files-only --format sp --separator / "$2" 2>/dev/null | tr '\\n' ' ')"
  staged=
  while read -r kind i path size rest; do
    case $kind in part | manifest) ;; *) continue ;; esac
    [ "$i" = "$1" ] || continue
    name=\${path##*/}
    case $list in
      *" $size/$name "*) [ "$kind" = part ] || staged=$name ;;
      *" $size/$manifest "*) [ "$kind" = manifest ] || return 1 ;;
      *) return 1 ;;
    esac
  done < "$work/queue"
}
`;
