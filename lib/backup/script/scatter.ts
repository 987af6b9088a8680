import { FINISH } from './finish';
import { LEG } from './leg';
import { NOTICES, PAUSES } from './notices';
import { privately } from './prelude';
import { SOURCES } from './sources';
import { SPOOL } from './spool';

/**
 * The whole of one run, a job on the source host. Sources are dumped one after the other while all legs carry away what
 * is ready, so the next dump overlaps the last upload. The last line of standard output is `report` and JSON.
 *
 * Exit status: 0 ok, 3 degraded, 4 failed, 5 another run of the set is going, 120 refused before anything was done.
 */
const SCATTER_BODY = `${SPOOL}${SOURCES}${LEG}${NOTICES}${PAUSES}${FINISH}
say() {
  now
  printf '%s %s %s\\n' "$REPLY" "$run" "$*"
  [ -z "$log" ] || printf '%s %s %s\\n' "$REPLY" "$run" "$*" >> "$log" 2>/dev/null || :
}

main() {
  read_plan
  need zstd split find flock awk timeout df du tail stat sha256sum md5sum sha1sum setpriv
  run=\${P[run]} log=\${P[log]-} set_folder=\${P[spool]}/\${P[set]} work=$set_folder/$run
  source_count=\${P[sources]} leg_count=\${P[legs]} quorum=\${P[quorum]}
  part_bytes=\${P[partBytes]} reserve=\${P[reserveBytes]} limit=\${P[limitBytes]} room_wait=\${P[roomWaitSeconds]}
  mkdir -p -- "$set_folder" && [ -O "$set_folder" ] || refuse "the spool folder $set_folder cannot be made or is not ours"
  exec {lock}>>"$set_folder/lock"
  if ! flock -n "$lock"; then
    say "another run of \${P[set]} is going; this one did nothing"
    exit 5
  fi
  open_config
  for ((i = 0; i < source_count; i++)); do hide_password "$i"; done
  forget_old_runs
  if [ -n "\${P[retry]-}" ]; then
    [ -e "$work/queue" ] || refuse "nothing of run $run is left in the spool: take a good copy as the source instead"
    recall_sources
  else
    mkdir -- "$work" "$work/new" "$work/ready" "$work/legs" || refuse "the spool folder $work cannot be made"
    : > "$work/queue"; : > "$work/cut"; : > "$work/hashed"
    # Given up when the disk is full, so that there is room to write down what happened.
    head -c 262144 /dev/urandom > "$work/ballast" || refuse "the spool $work cannot be written"
    for ((i = 0; i < source_count; i++)); do printf '%s\\n' "\${P[source.$i.id]}"; done > "$work/sources"
  fi
  mkfifo -- "$work/bell" && exec {bell}<>"$work/bell" && rm -f -- "$work/bell" || refuse "no fifo can be made in $work"
  trap stop_all TERM INT HUP
  export SHELL=$BASH vault work part_bytes reserve limit room_wait quorum leg_count bell
  export -f cut_part no_room settle_part wait_for_room nap progress free_parts drop_slowest crypt

  say "start: $source_count sources, $leg_count destinations"
  now; began=$REPLY
  begun_at=$EPOCHSECONDS
  check_room
  [ -n "\${P[retry]-}" ] || probe_hashes
  (trap - EXIT; notice start) & telling=$!
  legs_running=()
  for ((n = 0; n < leg_count; n++)); do
    if [ -n "\${P[retry]-}" ] && [ -e "$work/legs/$n.ended" ]; then continue; fi
    rm -f -- "$work/legs/$n.dropped" "$work/legs/$n.at"
    leg "$n" &
    legs_running+=("$!")
  done
  if [ -z "\${P[retry]-}" ]; then
    hash_parts & hasher=$!
    for ((i = 0; i < source_count; i++)); do dump_source "$i"; done
    echo end >> "$work/cut"
    wait "$hasher" || :
    echo 'end - -' >> "$work/queue"
  fi
  for n in "\${legs_running[@]}"; do wait "$n" || :; done
  finish
}

stop_all() {
  trap '' TERM INT HUP
  say 'stopped: nothing that was not complete has got its name'
  kill -TERM 0
  notice fail
  exit 143
}

# The queue knows sources by their number in the run; the plan may have others by now.
recall_sources() {
  local ids
  mapfile -t ids < "$work/sources"
  source_count=\${#ids[@]}
  for ((i = 0; i < source_count; i++)); do P[source.$i.id]=\${ids[i]}; done
}

# A run that ended is kept for its retry until it is too old; of one that was killed nothing is any use.
forget_old_runs() {
  local old
  for old in "$set_folder"/*/; do
    old=\${old%/}
    [ -e "$old/queue" ] && [ "$old" != "$work" ] || continue
    if [ ! -e "$old/report" ] || [ -n "$(find "$old/report" -mmin +"$((\${P[keepHours]} * 60))")" ]; then
      rm -rf -- "$old"
    fi
  done
}

check_room() {
  local disk
  disk=$(df --output=avail -B1 -- "$work" | tail -n 1)
  if [ "$disk" -lt "$((reserve + 2 * part_bytes))" ]; then
    rm -rf -- "$work"
    notice fail
    refuse "the disk of the spool $work has $disk bytes left; two parts and the reserve need $((reserve + 2 * part_bytes))"
  fi
  [ "$limit" -gt 0 ] || limit=$((disk - reserve))
  [ "$limit" -ge "$((2 * part_bytes))" ] || limit=$((2 * part_bytes))
}

# Asks every destination which hashes it has, while the first dump has begun already.
probe_hashes() {
  local n
  probing=yes
  for ((n = 0; n < leg_count; n++)); do
    (
      trap - EXIT TERM
      leg_errors=/dev/null leg_flags=() leg_idle=20s leg_deadline=$((SECONDS + 20))
      ! choose_hash_of "$n" > "$work/legs/$n.asked" || mv -- "$work/legs/$n.asked" "$work/legs/$n.hash"
      : > "$work/legs/$n.probed"
    ) &
  done
}

# The hashes that any of them has, in hash_types, for whoever hashes parts.
await_probes() {
  local n
  [ -z "\${hash_types+known}" ] || return 0
  for ((n = 0; n < leg_count; n++)); do
    while [ ! -e "$work/legs/$n.probed" ]; do kill -0 "$$" 2>/dev/null || return 1; nap 0.1; done
  done
  hash_types=$(cat -- "$work"/legs/*.hash 2>/dev/null | cut -d ' ' -f 1 | grep -vxE 'none|read-back|sha256' | sort -u | tr '\\n' ' ')
}
# Whatever a destination asks for can be made from the spool.
comparable() { :; }
choose_hash_of() { local remote=\${P[leg.$1.remote]} type beside; choose_hash "$1" && echo "$type $beside"; }

# dump_source NUMBER: produces, compresses, cuts and encrypts; then the queue says commit or abandon, never both.
dump_source() {
  source=$1
  local status cut=0 bad= began place base plain
  export source folder=\${P[source.$1.folder]} name
  now; began=$REPLY
  name=\${began%.*}Z; name=\${name//:/}
  : > "$work/errors.$source"; : > "$work/facts.$source"; : > "$work/producers.$source"
  echo "name $name" > "$work/names.$source"
  say "\${P[source.$source.id]}: dump begins"
  if ! wait_while_held; then
    bad="this host was on hold for $room_wait s"
  elif ! places "$source"; then
    bad='the names could not be encrypted'
  else
    (produce "$source"; exit "$?") 2>> "$work/errors.$source" |
      dd bs=128K iflag=fullblock 2> "$work/plain.$source" |
      zstd -q "-\${P[level]}" --single-thread -c 2>> "$work/errors.$source" |
      split --bytes="$part_bytes" --suffix-length=5 --numeric-suffixes=1 --filter=cut_part - "$name.part-" 2>> "$work/errors.$source"
    status=("\${PIPESTATUS[@]}")
    : > "$work/dumped.$source"
    await_probes
    printf '%s\\n' "dd \${status[1]}" "zstd \${status[2]}" "split \${status[3]}" >> "$work/producers.$source"
    bad=$(judge "\${status[0]}")
    cut=$(grep -c "^$source " "$work/cut") || :
    while [ "$(grep -c "^$source " "$work/hashed")" -lt "$cut" ] && kill -0 "$hasher" 2>/dev/null; do nap 0.1; done
    plain=$(sed -n 's/^\\([0-9][0-9]*\\) bytes.*/\\1/p' "$work/plain.$source")
    [ -n "$bad" ] || [ "\${plain:-0}" -gt 0 ] || bad='it produced nothing at all'
    [ -n "$bad" ] || [ "$(grep -c "^part $source " "$work/queue")" = "$cut" ] || bad='not every part could be hashed'
    [ -n "$bad" ] || write_manifest "$source" "$began" "$plain" || bad='its manifest could not be written'
  fi
  if [ -z "$bad" ]; then
    echo "commit $source -" >> "$work/queue"
    say "\${P[source.$source.id]}: dump is good: $plain bytes in $cut parts"
  else
    printf '%s\\n' "$bad" > "$work/failed.$source"
    echo "abandon $source -" >> "$work/queue"
    say "\${P[source.$source.id]}: failed: $bad"
  fi
  rm -rf -- "$work/new" && mkdir -- "$work/new"
}

# judge STATUS: prints why the dump is not good, with what the guilty program said; nothing when it is good.
judge() {
  local program code found=0 said
  reason "$work/errors.$source"; said=\${REPLY:+: $REPLY}
  # When the spool breaks off, all before it die of the broken pipe; it is the one to name.
  while read -r program code; do
    [ "$program" != split ] || [ "$code" = 0 ] || [ -e "$work/gave-up.$source" ] || { echo "the spool could not be written$said"; return; }
  done < "$work/producers.$source"
  while read -r program code; do
    case $program in dd | zstd | split) ;; *) found=1 ;; esac
    [ "$code" != 0 ] || continue
    if [ "$code" -gt 128 ]; then echo "$program was killed by SIG$(kill -l "$((code - 128))")$said"; else echo "$program ended with $code$said"; fi
    return
  done < "$work/producers.$source"
  [ "$1" = 0 ] && [ "$found" = 1 ] || echo "the source was killed$said"
}

# places NUMBER: the encrypted paths of its final folder, of the one it is uploaded to, and the name of its manifest.
places() {
  local answer
  answer=$(rclone --log-level ERROR cryptdecode --reverse "$vault:" "$folder/$name/x" "$folder/$name.uploading/x" "$folder/$name/$name.manifest.json" 2>> "$work/errors.$source") || return 1
  awk -F ' \\t ' '{ sub(NR < 3 ? "/[^/]*$" : "^.*/", "", $2); printf "%s%s", $2, NR < 3 ? " " : "\\n" }' <<< "$answer" > "$work/places.$source"
  [ "$(wc -w < "$work/places.$source")" = 3 ]
}

# The manifest in canonical JSON (sorted keys, no white space), hashed by its own checksum, encrypted like a part. It gets
# its name at the destination, when all the rest is there.
write_manifest() {
  local i=$1 began=$2 plain=$3 text facts tables parts= producers= hashes= type number=0 kind path size sums program code sum
  now
  local finished=$REPLY
  while read -r kind _ path size sums; do
    number=$((number + 1))
    printf -v path '%s.part-%05d' "$name" "$number"
    sum=\${sums#sha256=}
    parts+="\${parts:+,}{\\"name\\":\\"$path\\",\\"sha256\\":\\"\${sum%% *}\\",\\"size\\":$size}"
  done < <(grep "^part $i " "$work/queue")
  while read -r program code; do
    json "$program"
    producers+="\${producers:+,}{\\"exitCode\\":$code,\\"name\\":$REPLY,\\"signal\\":null}"
  done < "$work/producers.$i"
  for type in $(printf '%s\\n' $hash_types | sort); do
    hashes+="\${hashes:+,}\\"$type\\":[$(sed -n "s/^part $i .* $type=\\([^ ]*\\).*/\\"\\1\\"/p" "$work/queue" | paste -sd ,)]"
  done
  tables=$(grep '^{' "$work/facts.$i" | paste -sd ,)
  facts=$({
    grep -v '^{' "$work/facts.$i"
    json "\${P[source.$i.kind]}"; echo "\\"kind\\":$REPLY"
    printf '"hashes":{%s}\\n' "$hashes"
    echo "\\"plainBytes\\":$plain"
    [ -z "\${P[source.$i.database]-}" ] || { json "\${P[source.$i.database]}"; echo "\\"database\\":$REPLY"; }
    case \${P[source.$i.kind]} in postgres | sqlite | mysql) printf '"tables":[%s]\\n' "$tables" ;; esac
  } | sort | paste -sd ,)
  json "\${P[source.$i.id]}"
  text="\\"facts\\":{$facts},\\"finishedAt\\":\\"$finished\\",\\"format\\":\\"selfhost-backup\\",\\"parts\\":[$parts],\\"producers\\":[$producers],\\"runId\\":\\"$run\\",\\"source\\":$REPLY,\\"startedAt\\":\\"$began\\",\\"version\\":1}"
  sum=$(printf '{%s' "$text" | sha256sum)
  crypt "$work/new"
  printf '{"checksum":"sha256:%s",%s\\n' "\${sum%% *}" "$text" |
    rclone --ignore-checksum --log-level ERROR rcat "$REPLY$folder/$name/$name.manifest.uploading" 2>> "$work/errors.$i" || return 1
  settle_part && enqueue manifest "$i" "$REPLY"
}

main
`;

export const SCATTER = privately(SCATTER_BODY);
