import { privately } from './prelude';

/**
 * What a host holds that somebody would miss. NUL-terminated fields, because a path may hold anything else:
 * `sqlite PATH BYTES`, `container JSON`, `volume NAME PATH`, `application NAME PATH`,
 * and `unseen WHAT WHY` for what could not be looked at, which is not the same as nothing.
 */
export const DISCOVER = privately(`
tell() { printf '%s\\0' "$@"; }

# Files by what they begin with, whatever they are called. A builtin reads, so that thousands a second can be looked at.
sqlite_files() {
  local folder=$1 path head seen=0
  [ -d "$folder" ] || { tell unseen "$folder" 'it is no folder on this host'; return; }
  while IFS= read -r -d '' path; do
    seen=$((seen + 1))
    if [ "$seen" -gt "\${P[maxFiles]}" ]; then tell unseen "$folder" "it has more than \${P[maxFiles]} files; name smaller folders"; return; fi
    head=
    IFS= read -r -N 15 head 2>/dev/null < "$path" || :
    [ "$head" = 'SQLite format 3' ] && tell sqlite "$path" "$(stat -c %s -- "$path")"
  done < <(find "$folder" -xdev \\( -path '*/.git/objects' -o -path '*/node_modules' -o -path '*/overlay2' \\) -prune -o -type f -size +0 -print0 2>/dev/null)
}

# containers SOCKET: of one dockerd, and its volumes.
containers() {
  local line name path docker=(docker)
  [ -z "$1" ] || docker+=(--host "unix://$1")
  if ! "\${docker[@]}" ps --all --quiet --no-trunc > "$private/containers" 2> "$private/errors"; then
    reason "$private/errors"; tell unseen "the containers and volumes of Docker\${1:+ at $1}" "$REPLY"
    return
  fi
  while IFS= read -r line; do
    # Never the whole of it: the environment holds secrets.
    tell container "$("\${docker[@]}" inspect --format '{"name":{{json .Name}},"image":{{json .Config.Image}},"mounts":{{json .Mounts}}}' "$line" 2>/dev/null)"
  done < "$private/containers"
  while IFS= read -r name; do
    [ -n "$name" ] || continue
    path=$("\${docker[@]}" volume inspect --format '{{.Mountpoint}}' "$name" 2>/dev/null) && tell volume "$name" "$path"
  done < <("\${docker[@]}" volume ls --quiet 2>/dev/null)
}

main() {
  read_plan
  if [ -z "$private" ]; then
    find_memory
    private=$(mktemp -d -- "$memory/selfhost-private.XXXXXXXX") || refuse "$memory cannot be written"
    trap 'rm -rf -- "$private"' EXIT
  fi
  local k path
  if command -v docker > /dev/null; then
    for ((k = 0; k < \${P[sockets]}; k++)); do containers "\${P[socket.$k]-}"; done
  fi
  for path in /root/.n8n /home/*/.n8n; do [ ! -d "$path" ] || tell application n8n "$path"; done
  [ ! -d /var/lib/grafana ] || tell application grafana /var/lib/grafana
  for ((k = 0; k < \${P[folders]}; k++)); do sqlite_files "\${P[folder.$k]}"; done
  tell end
}
main
`);
