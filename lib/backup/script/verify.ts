import { LEG } from './leg';
import { privately } from './prelude';
import { SPOOL } from './spool';
import { STORED_NAMES } from './stored-names';

/** Prints one line for each destination: `manifest N BASE64`, `missing N` or `unreachable N WHY`. */
export const FETCH_MANIFESTS = privately(`
fetch_manifest() {
  local n=$1 answer code errors=$private/$1.errors
  trap - EXIT TERM INT HUP
  crypt "\${P[leg.$n.remote]}"
  answer=$(timeout --foreground 60 rclone --retries 2 --low-level-retries 2 --contimeout 15s --timeout 30s --log-level ERROR \\
    cat "$REPLY\${P[folder]}/\${P[name]}/\${P[name]}.manifest.json" 2> "$errors" | base64 -w 0; exit "\${PIPESTATUS[0]}")
  code=$?
  if [ "$code" = 0 ] && [ -n "$answer" ]; then echo "manifest $n $answer"; return; fi
  if [ "$code" = 0 ] || [ "$code" = 3 ] || [ "$code" = 4 ] || grep -q 'not found' "$errors"; then echo "missing $n"; return; fi
  reason "$errors"
  echo "unreachable $n $REPLY"
}

main() {
  read_plan
  open_config
  local n
  for ((n = 0; n < \${P[legs]}; n++)); do fetch_manifest "$n" > "$private/$n.answer" & done
  wait
  cat -- "$private"/*.answer
}
main
`);

/**
 * Compares every part at every destination with the manifest, all destinations at once. Depth \`hash\` asks the remote,
 * \`sample\` downloads some parts, \`full\` all of them, and reads the archive to its end besides.
 */
export const VERIFY = privately(`${SPOOL}${LEG}${STORED_NAMES}
say() { printf '%s\\n' "$*"; }

main() {
  read_plan
  need rclone zstd sha256sum timeout
  open_config
  folder=\${P[folder]} name=\${P[name]} depth=\${P[depth]} part_count=\${P[parts]}
  work=$private/verify
  mkdir -- "$work" "$work/legs"
  mkfifo -- "$work/bell" && exec {bell}<>"$work/bell" {lock}</dev/null
  encrypt_names || refuse "the names of the parts could not be encrypted: $(cat -- "$work/errors")"
  local n results=
  for ((n = 0; n < \${P[legs]}; n++)); do verify_leg "$n" > "$work/legs/$n.result" & done
  wait
  for ((n = 0; n < \${P[legs]}; n++)); do results+="\${results:+,}$(cat -- "$work/legs/$n.result")"; done
  printf 'report [%s]\\n' "$results"
}

verify_leg() {
  local n=$1 remote=\${P[leg.$1.remote]} leg_idle=60s leg_deadline=$((SECONDS + \${P[deadline]})) leg_errors=$work/legs/$1.errors leg_flags=() type=none
  local k list place problem problems= read_back=0 sum got path archive=null stored count_there=0
  declare -A there=() unread=()
  trap - EXIT TERM INT HUP
  : > "$leg_errors"
  json "\${P[leg.$n.name]}"; local label=$REPLY
  choose_hash "$n"
  [ "$type" != read-back ] || type=none
  beneath "$remote" "$stored_folder"; place=$REPLY
  if [ "$type" = none ]; then
    list=$(far lsf --files-only --format sp --separator ' ' "$place") || { unreachable; return; }
    while read -r got path; do there[\${path:-none}]="- $got"; done <<< "$list"
  else
    list=$(far lsf --files-only --format hsp --hash "$type" --separator ' ' "$place") || { unreachable; return; }
    while read -r sum got path; do there[\${path:-none}]="$sum $got"; done <<< "$list"
  fi
  for ((k = 0; k < part_count; k++)); do
    stored=\${stored_names[k]}
    read -r sum got <<< "\${there[$stored]-}"
    problem=
    if [ -z "\${got-}" ]; then problem=missing
    elif [ "$got" != "\${P[part.$k.size]}" ]; then problem=size
    elif [ "$type" != none ] && [ "$sum" != "\${P[part.$k.$type]}" ]; then problem=hash
    elif [ -n "\${P[part.$k.read]-}" ]; then
      if sum=$(far cat "\${place%/}/$stored" | sha256sum; exit "\${PIPESTATUS[0]}"); then
        read_back=$((read_back + 1))
        [ "\${sum%% *}" = "\${P[part.$k.sha256]}" ] || problem=hash
      else
        problem=unreadable
      fi
    fi
    [ -z "$problem" ] || problems+="\${problems:+,}{\\"part\\":\\"\${P[part.$k.name]}\\",\\"problem\\":\\"$problem\\"}"
  done
  if [ "$depth" = full ] && [ -z "$problems" ]; then
    read_parts 2>> "$leg_errors" | zstd -dqc 2>> "$leg_errors" | read_archive > "$work/legs/$n.archive" 2>> "$leg_errors"
    case "\${PIPESTATUS[*]}" in '0 0 0') archive='"whole"' ;; *) reason "$leg_errors"; json "$REPLY"; archive=$REPLY ;; esac
  fi
  printf '{"archive":%s,"compared":"%s","destination":%s,"problems":[%s],"readBack":%s,"unreachable":null}' "$archive" "$type" "$label" "$problems" "$read_back"
}

unreachable() {
  reason "$leg_errors"; json "$REPLY"
  printf '{"archive":null,"compared":"none","destination":%s,"problems":[],"readBack":0,"unreachable":%s}' "$label" "$REPLY"
}

read_parts() {
  local k view
  crypt "$remote"; view=$REPLY
  for ((k = 0; k < part_count; k++)); do far cat "$view$folder/$name/\${P[part.$k.name]}" || return 1; done
}

# What reads the stream must take it to its end, or the checksum of zstd is never looked at.
read_archive() {
  local status=0
  case \${P[kind]} in
    postgres) need pg_restore; pg_restore --list > /dev/null || status=1 ;;
    directory | docker-volume) tar --list > /dev/null || status=1 ;;
    mysql) tail -n 1 | grep -q '^-- Dump completed' || { echo 'the dump has no end' >&2; status=1; } ;;
  esac
  cat > /dev/null
  return "$status"
}
main
`);
