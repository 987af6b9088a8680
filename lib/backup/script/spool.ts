/**
 * The spool of one run, a folder that holds ciphertext only:
 *
 *     new/        the part that is being encrypted
 *     ready/      finished parts, under the encrypted paths they have at every destination
 *     cut         paths of finished parts, one a line, until `end`
 *     queue       what the legs work through: part, manifest, commit, abandon, end
 *     legs/       how far each leg is
 *
 * Lines are appended whole and never change, so everybody may read behind the writer.
 */
export const SPOOL = `
# The filter of split: encrypts what comes as one complete crypt file. Only this process and rclone see it in plain.
cut_part() {
  wait_for_room || return 1
  crypt "$work/new"
  rclone --ignore-checksum --log-level ERROR rcat "$REPLY$folder/$name/$FILE" 2>> "$work/errors.$source" && settle_part || { no_room; return 1; }
  printf '%s %s\\n' "$source" "$REPLY" >> "$work/cut"
}

# Says so when the disk is what was missing; a full one takes no word before something goes.
no_room() {
  local disk
  rm -f -- "$work/ballast"
  disk=$(df --output=avail -B1 -- "$work" | tail -n 1)
  [ "$((disk - 262144))" -ge "$part_bytes" ] || echo "the disk of the spool $work is full" >> "$work/errors.$source"
}

# Moves the one file below new/ to ready/ and leaves its path in REPLY.
settle_part() {
  local path
  path=$(find "$work/new" -type f -printf '%P')
  case $path in '' | *$'\\n'* | *' '*) echo "encrypting did not make one file: $path" >> "$work/errors.$source"; return 1 ;; esac
  mkdir -p -- "$work/ready/\${path%/*}" && mv -T -- "$work/new/$path" "$work/ready/$path" || return 1
  REPLY=$path
}

# Room is what the limit leaves, and what the disk has beyond the reserve. Waiting for it holds the dump back, nothing else.
wait_for_room() {
  local used disk waited=$SECONDS
  while :; do
    used=$(du -sb -- "$work/ready" | cut -f 1)
    disk=$(df --output=avail -B1 -- "$work" | tail -n 1)
    [ "$((used + part_bytes))" -gt "$limit" ] || [ "$((part_bytes + reserve))" -gt "$disk" ] || return 0
    # Nobody needs the rest of a dump that is known to be bad.
    if [ -e "$work/bad.$source" ]; then : > "$work/gave-up.$source"; return 1; fi
    free_parts || drop_slowest || nap 0.2
    if [ "$((SECONDS - waited))" -gt "$room_wait" ]; then
      no_room
      echo "the spool $work has had no room for $room_wait s" >> "$work/errors.$source"
      return 1
    fi
  done
}

# progress: for every leg that is still going the lines of the queue it has done, as "lines leg", fewest first, in legs.
progress() {
  local n at
  legs=()
  for ((n = 0; n < leg_count; n++)); do
    [ ! -e "$work/legs/$n.failed" ] && [ ! -e "$work/legs/$n.dropped" ] || continue
    at=$(cat -- "$work/legs/$n.at" 2>/dev/null) || at=0
    legs+=("$at $n")
  done
  [ "\${#legs[@]}" = 0 ] || mapfile -t legs < <(printf '%s\\n' "\${legs[@]}" | sort -n)
}

# Removes parts that every leg has; true when there were any.
free_parts() {
  local done_to freed kind path rest line=0 any=1
  progress
  [ "\${#legs[@]}" -gt 0 ] || return 1
  done_to=\${legs[0]%% *}
  freed=$(cat -- "$work/freed" 2>/dev/null) || freed=0
  [ "$done_to" -gt "$freed" ] || return 1
  while read -r kind _ path rest; do
    line=$((line + 1))
    [ "$line" -le "$done_to" ] || break
    [ "$line" -gt "$freed" ] && [ "$kind" = part ] || continue
    rm -f -- "$work/ready/$path" && any=0
  done < "$work/queue"
  printf '%s\\n' "$done_to" > "$work/freed"
  return "$any"
}

# A leg that is not half as far as the fastest, which has nothing left to do, is left behind: it can be filled later from
# a good copy. Never so many that the quorum is out of reach.
drop_slowest() {
  local lines slowest fastest
  progress
  [ "\${#legs[@]}" -gt "$quorum" ] && [ "\${#legs[@]}" -gt 1 ] || return 1
  lines=$(wc -l < "$work/queue")
  slowest=\${legs[0]} fastest=\${legs[-1]%% *}
  [ "$fastest" -ge "$lines" ] && [ "$((\${slowest%% *} * 2))" -lt "$fastest" ] || return 1
  : > "$work/legs/\${slowest#* }.dropped"
}

# Runs beside the encryption: hashes each finished part and hands it to the legs.
hash_parts() {
  local cut line
  trap - EXIT
  exec {cut}<"$work/cut"
  while :; do
    if ! read -r -u "$cut" line; then kill -0 "$$" 2>/dev/null || return 1; nap 0.1; continue; fi
    [ "$line" != end ] || return 0
    enqueue part "\${line%% *}" "\${line#* }" || { echo "\${line%% *}" >> "$work/unhashed"; }
    echo "$line" >> "$work/hashed"
  done
}

# enqueue KIND SOURCE PATH: appends the line with size, SHA-256 and whatever else the destinations can compare.
enqueue() {
  local file=$work/ready/$3 size sum type line
  await_probes || return 1
  size=$(stat -c %s -- "$file") && sum=$(sha256sum -- "$file") || return 1
  line="$1 $2 $3 $size sha256=\${sum%% *}"
  for type in $hash_types; do
    [ "$type" != sha256 ] || continue
    hash_of "$type" "$file" || return 1
    line+=" $type=$REPLY"
  done
  printf '%s\\n' "$line" >> "$work/queue"
}

hash_of() {
  case $1 in
    md5 | sha1 | sha256) REPLY=$("\${1}sum" -- "$2") || return 1 ;;
    *) REPLY=$(rclone hashsum "$1" "$2") || return 1 ;;
  esac
  REPLY=\${REPLY%% *}
  [ -n "$REPLY" ]
}
`;
