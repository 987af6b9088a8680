import { privately } from './prelude';

/**
 * Removes backups at their destinations, all destinations at once, one backup after the other: first the manifest, so
 * that what is left when this breaks off is no backup any more; then the parts it names, and only those; then the folder,
 * where it is empty. A backup whose manifest stays, stays whole.
 */
export const REMOVE_STORED = privately(`
remove_leg() {
  local n=$1 view k place name errors=$private/$1.errors list=$private/$1.files left
  local far=(timeout --foreground -k 5 "\${P[deadline]}" rclone --retries 3 --low-level-retries 5 --contimeout 15s --timeout 60s --log-level ERROR)
  trap - EXIT TERM INT HUP
  crypt "\${P[leg.$n.remote]}"; view=$REPLY
  for ((k = 0; k < \${P[leg.$n.removals]}; k++)); do
    place=\${P[leg.$n.$k.place]} name=\${P[leg.$n.$k.name]}
    : > "$errors"
    printf '%s\\n' "\${P[leg.$n.$k.files]}" > "$list"
    if grep -qxF -- "$name.manifest.json" "$list" && ! "\${far[@]}" deletefile "$view$place/$name.manifest.json" 2>> "$errors"; then
      # Somebody may have been here before us; then the rest goes too.
      left=$("\${far[@]}" lsf --files-only "$view$place" 2>> "$errors")
      if [ "$?" != 0 ] || grep -qxF -- "$name.manifest.json" <<< "$left"; then failed; continue; fi
    fi
    grep -vxF -- "$name.manifest.json" "$list" > "$list.parts"
    if [ -s "$list.parts" ]; then "\${far[@]}" delete --files-from-raw "$list.parts" "$view$place" 2>> "$errors" || { failed; continue; }; fi
    left=$("\${far[@]}" lsf "$view$place" 2>> "$errors")
    case $? in
      0) if grep -qxFf "$list" <<< "$left"; then echo 'some of its files are still there' >> "$errors"; failed; continue; fi ;;
      3) left= ;;
      *) failed; continue ;;
    esac
    [ -n "$left" ] || "\${far[@]}" rmdir "$view$place" 2>/dev/null || :
    printf 'removed %s %s\\n' "$n" "$k"
  done
}

failed() {
  reason "$errors"
  printf 'failed %s %s %s\\n' "$n" "$k" "\${REPLY:-no reason was given}"
}

main() {
  read_plan
  need rclone timeout flock
  local set_folder=\${P[spool]}/\${P[set]} n lock
  mkdir -p -- "$set_folder" && [ -O "$set_folder" ] || refuse "the spool folder $set_folder cannot be made or is not ours"
  exec {lock}>>"$set_folder/lock"
  flock -n "$lock" || refuse "a run of \${P[set]} is going; nothing was removed"
  open_config
  for ((n = 0; n < \${P[legs]}; n++)); do remove_leg "$n" > "$private/$n.answer" & done
  wait
  local answer= line
  while IFS= read -r line; do json "$line"; answer+="\${answer:+,}$REPLY"; done < <(cat -- "$private"/*.answer)
  printf 'report [%s]\\n' "$answer"
}
main
`);
