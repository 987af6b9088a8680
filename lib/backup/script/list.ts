import { privately } from './prelude';

/**
 * Everything that is stored at each destination under names of ours: lines `file N SIZE PATH`, `manifest N BASE64`, and
 * at the end of each either `read N` or `unreachable N WHY`. All destinations at once; a dead one holds nobody up for
 * longer than the deadline.
 */
export const LIST_STORED = privately(`
# Lines of all destinations come out whole, in bundles, whoever is first.
tell() { flock "$turn"; printf %s "$1"; flock -u "$turn"; }

list_leg() {
  local n=$1 view list=$private/$1.list errors=$private/$1.errors code line bundle= turn
  local far=(timeout --foreground -k 5 "\${P[deadline]}" rclone --retries 2 --low-level-retries 3 --contimeout 15s --timeout 60s --log-level ERROR)
  trap - EXIT TERM INT HUP
  exec {turn}<"$private/turn"
  crypt "\${P[leg.$n.remote]}"; view=$REPLY
  "\${far[@]}" lsf -R --files-only --max-depth 3 --format sp --separator ' ' "$view" > "$list" 2> "$errors"
  code=$?
  # A place that nobody has written to yet is empty, and not out of reach.
  if [ "$code" = 3 ]; then tell "read $n"$'\\n'; return; fi
  if [ "$code" != 0 ]; then reason "$errors"; tell "unreachable $n \${REPLY:-rclone ended with $code}"$'\\n'; return; fi
  tell "$(sed "s/^/file $n /" "$list")"$'\\n'
  if grep -q '\\.manifest\\.json$' "$list"; then
    # One process for all of them: each is one line. One that cannot be read is simply not there.
    while IFS= read -r line; do
      bundle+="manifest $n $(printf %s "$line" | base64 -w 0)"$'\\n'
      [ "\${#bundle}" -lt 200000 ] || { tell "$bundle"; bundle=; }
    done < <("\${far[@]}" cat --include '/*/*/*.manifest.json' "$view" 2>> "$errors")
    tell "$bundle"
  fi
  tell "read $n"$'\\n'
}

main() {
  read_plan
  need rclone timeout base64 flock
  open_config
  : > "$private/turn"
  local n
  for ((n = 0; n < \${P[legs]}; n++)); do list_leg "$n" & done
  wait
}
main
`);
