import { FINISH } from './finish';
import { NOTICES } from './notices';
import { LEG } from './leg';
import { privately } from './prelude';

/** restic over rclone, as every script about trees needs it: its cache and its unfinished packs are ciphertext. */
const RESTIC = `
open_repository() {
  repository=\${P[leg.$1.repository]}
  restic_words=(--repo "rclone:$repository" --password-file "/dev/fd/\${P[passfile]}" --cache-dir "$cache"
    -o "rclone.args=serve restic --stdio --b2-hard-delete --log-level ERROR --contimeout 15s --timeout \${P[leg.$1.idle]-60}s --low-level-retries 3\${P[leg.$1.bandwidth]:+ --bwlimit \${P[leg.$1.bandwidth]}}")
}

# kept ARGUMENTS: restic, never beyond the deadline of this leg.
kept() {
  local left=$((leg_deadline - SECONDS))
  [ "$left" -gt 0 ] || { echo 'its time was up' >> "$leg_errors"; return 124; }
  HOME=/ RESTIC_PROGRESS_FPS=0.1 timeout --foreground -k 10 "$left" restic "\${restic_words[@]}" "$@" 2>> "$leg_errors" {lock}>&-
}

prepare() {
  read_plan
  need restic rclone timeout
  open_config
  make_private
  hide "\${P[password]}"
  P[passfile]=$REPLY
  unset 'P[password]'
  cache=\${P[spool]}/restic-cache
  mkdir -p -- "$cache" || refuse "$cache cannot be made"
  export TMPDIR=$cache
}

begin_leg() {
  n=$1 remote=\${P[leg.$1.remote]-} leg_idle=\${P[leg.$1.idle]-60}s leg_deadline=$((SECONDS + \${P[leg.$1.deadline]-86400})) leg_errors=$work/legs/$1.errors leg_flags=()
  [ -z "\${P[leg.$1.bandwidth]-}" ] || leg_flags+=(--bwlimit "\${P[leg.$1.bandwidth]}")
  : > "$leg_errors"
  open_repository "$1"
}

# told: what restic complained of; its own last words say less than the first.
told() { REPLY=$(grep -aE 'Fatal|ERROR|error' "$leg_errors" | tail -n 2 | tr -cd '\\n -~' | sed -E 's#://[^/@ ]*@#://#g' | tr '\\n' ' ' | head -c 400); [ -n "$REPLY" ] || reason "$leg_errors"; }
`;

const ONE_LEG = `
one_leg() {
  prepare
  work=$private/one
  mkdir -- "$work" "$work/legs" && mkfifo -- "$work/bell" && exec {bell}<>"$work/bell" {lock}</dev/null
  begin_leg 0
}
`;

/**
 * One run of a tree: every destination has a repository of its own and gets what is new in the tree, all side by side.
 * What is new there is read back, or compared by its SHA-256, which is its name; then follow the record of the snapshot
 * and the manifest, as for every other backup. Exit status as of the scatter script.
 */
export const TREE = privately(`${LEG}${NOTICES}${FINISH}${RESTIC}
say() {
  now
  printf '%s %s %s\\n' "$REPLY" "$run" "$*"
  [ -z "$log" ] || printf '%s %s %s\\n' "$REPLY" "$run" "$*" >> "$log" 2>/dev/null || :
}

main() {
  prepare
  need zstd flock find awk sort comm sha256sum
  run=\${P[run]} log=\${P[log]-} set_folder=\${P[spool]}/\${P[set]} work=$private/tree
  source_count=1 leg_count=\${P[legs]} quorum=\${P[quorum]} folder=\${P[source.0.folder]} path=\${P[source.0.path]-} mounted=
  place=\${P[source.0.remote]-$path}
  mkdir -p -- "$set_folder" && [ -O "$set_folder" ] || refuse "the spool folder $set_folder cannot be made or is not ours"
  exec {lock}>>"$set_folder/lock"
  if ! flock -n "$lock"; then
    say "another run of \${P[set]} is going; this one did nothing"
    exit 5
  fi
  mkdir -- "$work" "$work/legs" "$work/new" || refuse "$work cannot be made"
  : > "$work/queue"
  mkfifo -- "$work/bell" && exec {bell}<>"$work/bell"
  trap stop_all TERM INT HUP
  now; began=$REPLY
  begun_at=$EPOCHSECONDS
  name=\${began%.*}Z; name=\${name//:/}
  echo "name $name" > "$work/names.0"
  say "start: tree $place, $leg_count destinations"
  (trap - EXIT; notice start) & telling=$!
  local n legs=()
  if ! mount_remote || why_not_there; then
    # Nothing is said to any destination: an empty mount must not look like a tree that has become empty.
    printf '%s\\n' "$REPLY" > "$work/failed.0"
    for ((n = 0; n < leg_count; n++)); do : > "$work/legs/$n.ended"; done
  elif ! make_record; then
    echo "the record could not be made: $(tail -n 1 -- "$work/errors")" > "$work/failed.0"
  else
    for ((n = 0; n < leg_count; n++)); do tree_leg "$n" & legs+=("$!"); done
    for n in "\${legs[@]}"; do wait "$n" || :; done
    if why_not_there; then printf '%s\\n' "$REPLY" > "$work/failed.0"; fi
  fi
  finish
}

stop_all() {
  trap '' TERM INT HUP
  say 'stopped: what was not complete has no manifest'
  kill -TERM 0
  notice fail
  exit 143
}

# A bucket is read like a folder: through a mount that only we can see, that cannot be written to, and that ends with us.
# False, with the reason, when there is none to read; an empty folder must not be all that is seen of it. Not rclone's
# first kind of mount: it answers whoever asks for extended attributes, as restic does, with an input/output error.
mount_remote() {
  [ -n "\${P[source.0.remote]-}" ] || return 0
  local since=$SECONDS
  path=$private/bucket
  if ! command -v fusermount3 > /dev/null && ! command -v fusermount > /dev/null; then
    REPLY='a bucket is read through a mount, and neither fusermount3 nor fusermount is installed on this host (package fuse3)'
    return 1
  fi
  if ! timeout --foreground -k 5 120 rclone --low-level-retries 3 --retries 2 --contimeout 15s --timeout 60s --log-level ERROR lsf --max-depth 1 -- "$place" > "$work/seen" 2> "$work/errors"; then
    reason "$work/errors"
    REPLY="$place cannot be read: \${REPLY:-rclone gave no reason}"
    return 1
  fi
  if [ ! -s "$work/seen" ]; then REPLY="$place is empty, or not there"; return 1; fi
  mkdir -- "$path" || { REPLY="$path cannot be made"; return 1; }
  setpriv --pdeathsig KILL -- rclone mount2 --read-only --use-server-modtime --vfs-cache-mode off --contimeout 15s --timeout 60s --low-level-retries 5 --log-level ERROR --buffer-size 4M --use-mmap -- "$place" "$path" 2>> "$work/errors" {lock}>&- {bell}>&- &
  mounted=$!
  trap 'unmount_remote; case $private in */selfhost-private.*) rm -rf -- "$private" ;; esac' EXIT
  until mountpoint -q -- "$path"; do
    if ! kill -0 "$mounted" 2>/dev/null || [ "$((SECONDS - since))" -gt 150 ]; then
      reason "$work/errors"
      REPLY="$place could not be mounted: \${REPLY:-rclone gave no reason}"
      return 1
    fi
    nap 0.1
  done
  return 0
}

unmount_remote() {
  [ -n "$mounted" ] || return 0
  kill -TERM "$mounted" 2>/dev/null
  wait "$mounted" 2>/dev/null
  mounted=
}

# why_not_there: true, with the reason, when what should be copied is not there.
why_not_there() {
  if [ ! -d "$path" ]; then REPLY="$place is not there"; return 0; fi
  if [ -n "\${P[source.0.marker]-}" ] && [ ! -e "$path/\${P[source.0.marker]}" ]; then
    REPLY="what should be mounted at $place is not"
    [ -z "$mounted" ] || REPLY='it is not what is meant'
    REPLY="$place/\${P[source.0.marker]} is not there: $REPLY"
    return 0
  fi
  if [ -z "$(find "$path" -mindepth 1 -print -quit)" ]; then REPLY="$place is empty"; return 0; fi
  return 1
}

# settle: the one new file below new/, encrypted; its path, size and hash.
settle() {
  local sum
  settled=$(find "$work/new" -type f -printf '%P')
  case $settled in '' | *$'\\n'*) return 1 ;; esac
  settled_size=$(stat -c %s -- "$work/new/$settled") && sum=$(sha256sum -- "$work/new/$settled") || return 1
  settled_sum=\${sum%% *}
}

# The part of a tree is its record, the same ciphertext for every destination; the files are in the repository.
make_record() {
  json "$place"; local where=$REPLY
  crypt "$work/new"
  printf '{"engine":"restic","path":%s,"tag":"%s"}\\n' "$where" "$name" | zstd -q -c |
    rclone --ignore-checksum --log-level ERROR rcat "$REPLY$folder/$name/$name.part-00001" 2> "$work/errors" && settle || return 1
  record_hashes="{\\"md5\\":[\\"$(md5sum < "$work/new/$settled" | cut -c 1-32)\\"],\\"sha1\\":[\\"$(sha1sum < "$work/new/$settled" | cut -c 1-40)\\"]}"
  record=$work/new/$settled record_path=$settled record_size=$settled_size record_sum=$settled_sum
  mv -- "$work/new" "$work/record" && record=$work/record/$settled
}

tree_leg() {
  local n remote leg_idle leg_deadline leg_errors leg_flags repository restic_words type attempts=\${P[leg.$1.attempts]-4} pause=\${P[leg.$1.pause]-10} proof
  trap - EXIT TERM
  begin_leg "$1"
  if patiently copy_tree; then
    say "\${P[leg.$n.name]}: \${P[source.0.id]} is complete and $proof"
    printf '0 %s %s\\n' "$proof" "$type" >> "$work/legs/$n.committed"
    : > "$work/legs/$n.ended"
  else
    told
    printf '%s\\n' "$REPLY" > "$work/legs/$n.failed"
    say "\${P[leg.$n.name]}: failed: $REPLY"
  fi
}

objects() { far lsf -R --files-only --filter '- locks/**' "$repository" | sort; [ "\${PIPESTATUS[0]}" = 0 ]; }

copy_tree() {
  local list status began_leg fresh=false n_new snapshot list_args=() k answer files bytes added ended_leg
  now; began_leg=$REPLY
  list=$(far lsf --files-only "$repository")
  status=$?
  case $status in 0 | 3) ;; *) return 1 ;; esac
  if ! grep -qx config <<< "$list"; then
    kept init > /dev/null || return 1
    fresh=true
  fi
  kept unlock > /dev/null || return 1
  objects > "$work/legs/$n.before" || return 1
  for ((k = 0; k < \${P[source.0.excludes]-0}; k++)); do list_args+=(--exclude "\${P[source.0.exclude.$k]}"); done
  [ -z "\${P[source.0.oneFileSystem]-}" ] || list_args+=(--one-file-system)
  # A mount numbers its files anew each time; what has changed is told by size and time. And what has gone since the last
  # attempt is not asked for again.
  if [ -n "$mounted" ]; then
    list_args+=(--ignore-inode --ignore-ctime)
    kill -HUP "$mounted"
  fi
  # From within the tree, so that a restore needs no path of this host.
  cd -- "$path" || return 1
  kept backup --json --host "\${P[host]}" --tag "$name" "\${list_args[@]}" . > "$work/legs/$n.said"
  status=$?
  cd /
  # 3: something could not be read. That is a choice of the plan, never silence.
  if [ "$status" = 3 ] && [ "\${P[source.0.tolerateChanges]-}" = yes ]; then status=0; fi
  if [ "$status" = 3 ]; then
    # Nobody must take for a version what is not all of one.
    snapshot=$(sed -n 's/.*"message_type":"summary".*"snapshot_id":"\\([0-9a-f]*\\)".*/\\1/p' "$work/legs/$n.said" | tail -n 1)
    [ -z "$snapshot" ] || kept forget "$snapshot" > /dev/null
    echo 'Fatal: files could not be read' >> "$leg_errors"
  fi
  [ "$status" = 0 ] || return 1
  objects > "$work/legs/$n.after" || return 1
  comm -13 "$work/legs/$n.before" "$work/legs/$n.after" | grep -vx config > "$work/legs/$n.new"
  snapshot=$(sed -n 's#^snapshots/##p' "$work/legs/$n.new")
  case $snapshot in '' | *[!0-9a-f]*) echo 'Fatal: there is not exactly one new snapshot' >> "$leg_errors"; return 1 ;; esac
  prove_new || return 1
  answer=$(grep '"message_type":"summary"' "$work/legs/$n.said" | tail -n 1)
  figure() { sed -n "s/.*\\"$1\\":\\([0-9]*\\).*/\\1/p" <<< "$answer"; }
  files=$(figure total_files_processed) bytes=$(figure total_bytes_processed) added=$(figure data_added)
  now; ended_leg=$REPLY
  write_tree_manifest && return 0
  return 1
}

# Every object is called by the SHA-256 of its content. Those of this run are compared; those before were in theirs.
prove_new() {
  local sum file remote=$repository
  proof=proven
  comparable() { [ "$1" = sha256 ]; }
  choose_hash "$n"
  if [ "$type" = sha256 ]; then
    far lsf -R --files-only --format hp --hash sha256 --separator ' ' --files-from-raw "$work/legs/$n.new" "$repository" > "$work/legs/$n.sums" || return 1
    while read -r sum file; do
      [ "$sum" = "\${file##*/}" ] || { echo "Fatal: $file is not there as it was sent" >> "$leg_errors"; return 1; }
    done < "$work/legs/$n.sums"
    [ "$(wc -l < "$work/legs/$n.sums")" = "$(wc -l < "$work/legs/$n.new")" ] || { echo 'Fatal: not all that is new is there' >> "$leg_errors"; return 1; }
    return 0
  fi
  if [ "\${P[leg.$n.proof]-}" = remote-hash ]; then proof=unproven type=none; return 0; fi
  type=read-back
  while IFS= read -r file; do
    sum=$(far cat "$repository/$file" | sha256sum) || return 1
    [ "\${sum%% *}" = "\${file##*/}" ] || { echo "Fatal: $file is not there as it was sent" >> "$leg_errors"; return 1; }
  done < "$work/legs/$n.new"
}

write_tree_manifest() {
  local text sum kept_at id where
  json "\${P[source.0.id]}"; id=$REPLY
  json "$place"; where=$REPLY
  json "$repository"; kept_at=$REPLY
  text="\\"facts\\":{\\"addedBytes\\":\${added:-0},\\"engine\\":\\"restic\\",\\"files\\":\${files:-0},\\"hashes\\":$record_hashes,\\"kind\\":\\"tree\\",\\"newRepository\\":$fresh,\\"path\\":$where,\\"plainBytes\\":\${bytes:-0},\\"repository\\":$kept_at,\\"snapshot\\":\\"$snapshot\\"},\\"finishedAt\\":\\"$ended_leg\\",\\"format\\":\\"selfhost-backup\\",\\"parts\\":[{\\"name\\":\\"$name.part-00001\\",\\"sha256\\":\\"$record_sum\\",\\"size\\":$record_size}],\\"producers\\":[{\\"exitCode\\":0,\\"name\\":\\"restic\\",\\"signal\\":null}],\\"runId\\":\\"$run\\",\\"source\\":$id,\\"startedAt\\":\\"$began\\",\\"version\\":1}"
  sum=$(printf '{%s' "$text" | sha256sum)
  local work=$work/legs/$n.manifest settled settled_size settled_sum
  rm -rf -- "$work" && mkdir -p -- "$work/new" || return 1
  crypt "$work/new"
  printf '{"checksum":"sha256:%s",%s\\n' "\${sum%% *}" "$text" |
    rclone --ignore-checksum --log-level ERROR rcat "$REPLY$folder/$name/$name.manifest.json" 2>> "$leg_errors" && settle || return 1
  put "$record" "$record_path" "$record_sum" && put "$work/new/$settled" "$settled" "$settled_sum"
}

# put FILE PATH SUM: small files are read back whatever the remote says.
put() {
  local found
  beneath "$remote" "$2"
  far copyto --ignore-times "$1" "$REPLY" || return 1
  found=$(far cat "$REPLY" | sha256sum)
  [ "\${found%% *}" = "$3" ] || { echo 'Fatal: the manifest is not there as it was sent' >> "$leg_errors"; return 1; }
}

main
`);

/** Looks at the repositories themselves, all side by side. One line of result a leg. */
export const CHECK_TREE = privately(`${LEG}${RESTIC}
main() {
  prepare
  need sha256sum
  work=$private/check
  mkdir -- "$work" "$work/legs" && mkfifo -- "$work/bell" && exec {bell}<>"$work/bell" {lock}</dev/null
  local n results=
  for ((n = 0; n < \${P[legs]}; n++)); do (trap - EXIT; check_leg "$n") > "$work/legs/$n.result" & done
  wait
  for ((n = 0; n < \${P[legs]}; n++)); do results+="\${results:+,}$(cat -- "$work/legs/$n.result")"; done
  printf 'report [%s]\\n' "$results"
}

verdict() { json "$2"; printf '{"status":"%s","why":%s}' "$1" "$REPLY"; }

check_leg() {
  local n remote leg_idle leg_deadline leg_errors leg_flags repository restic_words list words=()
  begin_leg "$1"
  [ -z "\${P[subset]-}" ] || words=(--read-data-subset "\${P[subset]}")
  [ "\${P[subset]-}" != 100% ] || words=(--read-data)
  if ! list=$(far lsf --files-only "$repository/snapshots"); then
    told
    case $REPLY in *'not found'*) verdict missing 'the repository is not there' ;; *) verdict unreachable "$REPLY" ;; esac
    return
  fi
  grep -qx "\${P[leg.$n.snapshot]}" <<< "$list" || { verdict missing 'its snapshot is not in the repository'; return; }
  # Its structure first: what is not there at all is found without asking for it again and again.
  if kept check > "$work/legs/$n.said" && { [ "\${#words[@]}" = 0 ] || kept check "\${words[@]}" > "$work/legs/$n.said"; }; then verdict good ''; return; fi
  told
  # What answers and is not right is damaged; only what does not answer is unreachable.
  if far lsf --files-only "$repository" > /dev/null 2>&1 && [ "$SECONDS" -lt "$leg_deadline" ]; then verdict damaged "$REPLY"; else verdict unreachable "$REPLY"; fi
}
main
`);

/** Restores one snapshot into a folder that is not there yet. */
export const RESTORE_TREE = privately(`${LEG}${RESTIC}
main() {
  prepare
  work=$private/restore target=\${P[target]} made=
  mkdir -- "$work" "$work/legs" && mkfifo -- "$work/bell" && exec {bell}<>"$work/bell" {lock}</dev/null
  trap '[ -z "$made" ] || rm -rf -- "$made"; case $private in */selfhost-private.*) rm -rf -- "$private" ;; esac' EXIT
  trap 'exit 143' TERM INT HUP
  begin_leg 0
  local k words=() begun=$EPOCHREALTIME good=false files=0
  for ((k = 0; k < \${P[onlys]-0}; k++)); do words+=(--include "/\${P[only.$k]}"); done
  if [ -e "$target" ] || [ -L "$target" ]; then
    echo "Fatal: $target is there already, and nothing is written over" >> "$leg_errors"
  elif made=$(mktemp -d -- "\${target%/*}/.selfhost-restore.XXXXXX"); then
    if kept restore --verify --target "$made" "\${words[@]}" -- "\${P[leg.0.snapshot]}" > "$work/said"; then
      files=$(find "$made" -type f -printf x | wc -c)
      if [ -z "$(find "$made" -mindepth 1 -print -quit)" ]; then echo 'Fatal: nothing of that is in the snapshot' >> "$leg_errors"
      elif [ -n "\${P[throwaway]-}" ]; then rm -rf -- "$made" && good=true
      elif mv -nT -- "$made" "$target" 2>> "$leg_errors" && [ ! -e "$made" ]; then good=true; fi
      [ "$good" = false ] || made=
    fi
  else
    echo "Fatal: \${target%/*} cannot be written" >> "$leg_errors"
  fi
  told; json "$REPLY"
  printf 'report {"restored":%s,"files":%s,"seconds":%s,"why":%s}\\n' "$good" "$files" "$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }')" "$REPLY"
}
main
`);

/** All snapshots of a repository, as base64 of restic's JSON. Nothing is changed. */
export const LIST_SNAPSHOTS = privately(`${LEG}${RESTIC}
main() {
  one_leg
  if ! kept snapshots --no-lock --json > "$work/said"; then told; refuse "$REPLY"; fi
  printf 'report "%s"\\n' "$(grep -a '^\\[' "$work/said" | tail -n 1 | base64 -w 0)"
}
${ONE_LEG}
main
`);

/** Forgets the snapshots that were named. A manifest goes before what it describes, so that none ever describes nothing. */
export const FORGET_TREE = privately(`${LEG}${RESTIC}
main() {
  one_leg
  local k view path ids=()
  crypt "$remote"; view=$REPLY\${P[folder]}
  for ((k = 0; k < \${P[forgets]}; k++)); do
    ids+=("\${P[forget.$k.snapshot]}")
    path=\${P[forget.$k.name]-}
    [ -n "$path" ] || continue
    far lsf "$view/$path" > /dev/null 2>&1 || continue
    far deletefile "$view/$path/$path.manifest.json" || :
    far purge "$view/$path" || { told; refuse "$REPLY"; }
  done
  if ! { kept unlock && kept forget --prune "\${ids[@]}"; } > "$work/said"; then told; refuse "$REPLY"; fi
  printf 'report "done"\\n'
}
${ONE_LEG}
main
`);
