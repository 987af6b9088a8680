import { LEG } from './leg';
import { privately } from './prelude';
import { SPOOL } from './spool';
import { STORED_NAMES } from './stored-names';

/**
 * Carries one backup from a destination that has it to one that has not: ciphertext through the host's memory, judged by
 * the manifest, with the same temporary names and the manifest last. It is a leg whose spool is another destination.
 */
export const FILL = privately(`${SPOOL}${LEG}${STORED_NAMES}
say() { printf '%s\\n' "$*"; }

place_of() {
  here=$origin manifest=$stored_manifest
  beneath "$remote" "$stored_folder"; final=$REPLY
  beneath "$remote" "$stored_uploading"; uploading=$REPLY
}

# The manifest is here already, under the name it has until all the rest is there.
apart=yes
transfer() {
  case \${batch[0]} in
    manifest*) far copyto --ignore-times "$work/ready/$staged_path" "$uploading/\${staged_path##*/}" ;;
    *) moving copy --files-from-raw "$list_file" --no-traverse --ignore-checksum --transfers 2 --checkers 2 --size-only "\${again[@]}" "$here" "$uploading" ;;
  esac
}

main() {
  read_plan
  need rclone sha256sum timeout
  open_config
  folder=\${P[folder]} name=\${P[name]} part_count=\${P[parts]} log=
  work=$private/fill
  mkdir -p -- "$work/legs" "$work/ready"
  mkfifo -- "$work/bell" && exec {bell}<>"$work/bell" {lock}</dev/null
  encrypt_names || refuse "the names of the parts could not be encrypted: $(cat -- "$work/errors")"
  local k type line
  read -r stored_uploading stored_manifest staged_path < <(rclone --log-level ERROR cryptdecode --reverse "$vault:" "$folder/$name.uploading/x" "$folder/$name/$name.manifest.json" "$folder/$name/$name.manifest.uploading" 2> "$work/errors" |
    awk -F ' \\t ' '{ if (NR < 3) sub(NR == 1 ? "/[^/]*$" : "^.*/", "", $2); printf "%s%s", $2, NR < 3 ? " " : "\\n" }')
  [ -n "\${staged_path-}" ] || refuse "the names could not be encrypted: $(cat -- "$work/errors")"
  beneath "\${P[origin]}" "$stored_folder"; origin=$REPLY
  for ((k = 0; k < part_count; k++)); do
    line="part 0 $stored_folder/\${stored_names[k]} \${P[part.$k.size]} sha256=\${P[part.$k.sha256]}"
    for type in \${P[hashes]-}; do line+=" $type=\${P[part.$k.$type]}"; done
    printf '%s\\n' "$line"
  done > "$work/queue"
  # The manifest is small: it is kept here as it is stored, so that any hash of it can be made.
  mkdir -p -- "$work/ready/\${staged_path%/*}"
  rclone --log-level ERROR cat "$origin/$stored_manifest" > "$work/ready/$staged_path" 2> "$work/errors" && [ -s "$work/ready/$staged_path" ] || refuse "the manifest could not be read: $(tail -n 1 -- "$work/errors")"
  line=$(sha256sum -- "$work/ready/$staged_path")
  printf '%s\\n' "manifest 0 $staged_path $(stat -c %s -- "$work/ready/$staged_path") sha256=\${line%% *}" 'commit 0 -' 'end - -' >> "$work/queue"
  leg 0
  local proof=missing failure=null
  [ ! -e "$work/legs/0.committed" ] || read -r _ proof _ < "$work/legs/0.committed"
  if [ "$proof" = missing ]; then
    json "$(cat -- "$work/legs/0.failed" 2>/dev/null || echo 'it ended without a word')"
    failure=$REPLY
  fi
  case $private in */selfhost-private.*) rm -rf -- "$private" ;; esac
  printf 'report {"copy":"%s","failure":%s}\\n' "$proof" "$failure"
}
main
`);
