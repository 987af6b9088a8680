import { privately } from '../backup/script/prelude';

/** Runs one rclone command with the configuration that came along. Its words are data: no shell looks at them. */
export const RCLONE = privately(`
main() {
  read_plan
  open_config
  local n words=()
  for ((n = 0; n < \${P[words]}; n++)); do words+=("\${P[word.$n]}"); done
  if [ -n "\${P[deadline]-}" ]; then timeout --foreground -k 5 "\${P[deadline]}" rclone "\${words[@]}"; exit; fi
  # Stop ends the whole group; this only waits, so that what is private goes last.
  rclone "\${words[@]}" &
  local child=$!
  trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
  while :; do wait "$child"; local code=$?; kill -0 "$child" 2>/dev/null || exit "$code"; done
}
main
`);

/** Asks every remote of the configuration for its first level: lines \`remote NAME TYPE works\` or \`... fails WHY\`. */
export const TEST_REMOTES = privately(`
test_remote() {
  local number=$1 name=$2 type=$3 errors=$private/$1.errors code
  trap - EXIT TERM INT HUP
  if [ "$type" = crypt ]; then
    # Where it points to by itself is not used; its passwords are.
    rclone --log-level ERROR cryptdecode --reverse "$name:" word > /dev/null 2> "$errors"
    code=$?
  else
    timeout --foreground -k 2 "\${P[deadline]}" rclone --retries 1 --low-level-retries 1 --contimeout 10s --timeout 20s --log-level ERROR lsf --max-depth 1 "$name:" > /dev/null 2> "$errors"
    code=$?
  fi
  case $code in
    0) echo "$number works" ;;
    124) echo "$number fails it gave no answer within \${P[deadline]} s" ;;
    *) reason "$errors"; echo "$number fails \${REPLY:-rclone ended with $code}" ;;
  esac
}

main() {
  read_plan
  need rclone timeout
  open_config
  local line name number=0 running=0
  rclone --log-level ERROR listremotes --long > "$private/remotes" 2> "$private/errors" || { reason "$private/errors"; refuse "the configuration cannot be read: $REPLY"; }
  while IFS= read -r line; do
    name=\${line%%:*} type=\${line#*:}; type=\${type#"\${type%%[! ]*}"}
    printf 'remote %s %s:%s\\n' "$number" "$name" "$type"
    test_remote "$number" "$name" "$type" > "$private/$number.answer" &
    number=$((number + 1)) running=$((running + 1))
    if [ "$running" -ge 8 ]; then wait -n; running=$((running - 1)); fi
  done < "$private/remotes"
  wait
  cat -- "$private"/*.answer 2>/dev/null || :
}
main
`);
