/** Where the private file system of a script lies; every script has its own behind the same name. */
const PRIVATE = '/run/selfhost-private';

/**
 * Gives a script a mount namespace with a small tmpfs of its own, which the kernel takes away with the last process of
 * the script, however that ends. rclone needs its configuration under a name it can write beside: what it learns about a
 * server or an expired token it saves, and where it cannot it tries again for up to ten seconds, in every call.
 */
export function privately(script: string): string {
  return `
IFS= read -r -d '' body <<'SELFHOST_BODY' || :
${PRELUDE}${script}
SELFHOST_BODY
if [ "$EUID" = 0 ] && mkdir -p -m 700 ${PRIVATE} && unshare --mount --propagation slave -- mount -t tmpfs -o mode=0700,size=32m selfhost ${PRIVATE} 2>/dev/null; then
  exec 3< <(printf %s "$body")
  exec unshare --mount --propagation slave -- bash --noprofile --norc -c 'mount -t tmpfs -o mode=0700,size=32m selfhost ${PRIVATE} && private=${PRIVATE} && . /dev/fd/3' selfhost "$@"
fi
private=
eval "$body"
`;
}

/**
 * Opens every backup script that runs on a host. The plan comes as NUL-terminated pairs of key and value on standard
 * input, sealed by the pair `end yes`; so no value is ever text of a command, and none stands in `ps`.
 *
 * Passwords live in files on tmpfs that have lost their name before the first program is started: children inherit the
 * open descriptor and read `/dev/fd/N`. Whatever kills us, SIGKILL included, leaves none behind.
 */
const PRELUDE = `
export LC_ALL=C TZ=UTC
shopt -u patsub_replacement 2>/dev/null
umask 077
cd /
declare -A P=()
refuse() { printf 'selfhost: %s\\n' "$*" >&2; exit 120; }

read_plan() {
  local key value
  while IFS= read -r -d '' key && IFS= read -r -d '' value; do P[$key]=$value; done
  [ "\${P[end]-}" = yes ] || refuse "the plan broke off"
  exec </dev/null
}

need() {
  local program
  for program in "$@"; do
    command -v "$program" > /dev/null || refuse "$program is not installed on this host"
  done
}

find_memory() {
  local place
  for place in /run /dev/shm; do
    [ -d "$place" ] && [ -w "$place" ] && [ "$(stat -f -c %T -- "$place")" = tmpfs ] && memory=$place && return
  done
  refuse "neither /run nor /dev/shm is a tmpfs we may write to, and secrets must not touch a disk"
}

# hide VALUE [USER]: leaves in REPLY a descriptor of a nameless file in memory that holds the value.
hide() {
  local memory file fd
  find_memory
  file=$(mktemp -- "$memory/selfhost-backup.XXXXXXXX") || refuse "$memory cannot be written"
  trap 'rm -f -- "$file"; exit 143' TERM INT HUP
  printf %s "$1" > "$file" && { [ -z "\${2-}" ] || chown -- "$2" "$file"; } && exec {fd}<"$file" || { rm -f -- "$file"; refuse "a secret could not be kept in memory"; }
  rm -f -- "$file"
  trap - TERM INT HUP
  REPLY=$fd
}

# Without a namespace of our own what we keep in memory has a name for as long as we run; what a killed script left goes first.
make_private() {
  [ -z "$private" ] || return 0
  local memory
  find_memory
  find "$memory" -maxdepth 1 -name 'selfhost-private.*' -user "$EUID" -mmin +2880 -exec rm -rf -- {} +
  private=$(mktemp -d -- "$memory/selfhost-private.XXXXXXXX") || refuse "$memory cannot be written"
  trap 'rm -rf -- "$private"' EXIT
  trap 'exit 143' TERM INT HUP
}

# The rclone configuration: text from the plan, or the host's own file, used in place so that refreshed tokens survive.
open_config() {
  need rclone
  export RCLONE_ASK_PASSWORD=false
  if [ -n "\${P[rclone.file]-}" ]; then
    [ -r "\${P[rclone.file]}" ] || refuse "\${P[rclone.file]} cannot be read"
    export RCLONE_CONFIG=\${P[rclone.file]}
  else
    make_private
    printf '%s\\n' "\${P[rclone.text]-}" > "$private/rclone.conf" || refuse "the configuration could not be kept in memory"
    export RCLONE_CONFIG=$private/rclone.conf
  fi
  if [ -n "\${P[rclone.password]-}" ]; then
    hide "\${P[rclone.password]}"
    export RCLONE_PASSWORD_COMMAND="cat /dev/fd/$REPLY"
  fi
  unset 'P[rclone.text]' 'P[rclone.password]'
  vault=\${P[vault]}
}

# crypt FOLDER: the crypt remote of the configuration, laid over this place instead of its own.
crypt() { local q='"'; REPLY="$vault,remote=$q\${1//$q/$q$q}$q:"; }

# beneath REMOTE PATH: REMOTE may be "eva:", "eva:backups" or "/mnt/backups".
beneath() { case $1 in *:) REPLY=$1$2 ;; *) REPLY=\${1%/}/$2 ;; esac; }

# json TEXT: as a JSON string, in REPLY.
json() {
  local b='\\' q='"' s=$1
  s=\${s//"$b"/"$b$b"}; s=\${s//"$q"/"$b$q"}
  s=\${s//$'\\n'/"$b"n}; s=\${s//$'\\t'/"$b"t}; s=\${s//$'\\r'/"$b"r}
  REPLY=$q\${s//[[:cntrl:]]/ }$q
}

# reason FILE: the last thing that a program complained of, on one line, without what may stand before an @ in a URL.
reason() {
  REPLY=$(tail -n 2 -- "$1" 2>/dev/null | tr -cd '\\n -~' | sed -E 's#://[^/@ ]*@#://#g; s#^[0-9]{4}/[0-9/]+ [0-9:]+ ((ERROR|NOTICE) *: )?##' | tr '\\n' ' ' | head -c 400)
  REPLY=\${REPLY% }
}

now() { local at=$EPOCHREALTIME ms; ms=\${at#*.}; printf -v REPLY '%(%Y-%m-%dT%H:%M:%S)T.%sZ' "\${at%.*}" "\${ms:0:3}"; }

# nap SECONDS: without a process; the bell is a fifo that nobody rings, and that every script which naps has opened.
nap() { read -r -t "$1" -u "$bell" _ || :; }

# as USER PROGRAM...: as that user when we are root, otherwise as ourselves.
as() {
  local user=$1; shift
  if [ -z "$user" ] || [ "$user" = "$EUID" ] || [ "$user" = "$(id -un)" ]; then "$@"; return; fi
  [ "$EUID" = 0 ] || { echo "only root can become $user" >&2; return 1; }
  local group way=--init-groups
  case $user in
    *[!0-9]*) group=$(id -g -- "$user") || return 1 ;;
    *) group=\${user_group-$user} way=--clear-groups ;;
  esac
  setpriv --reuid="$user" --regid="$group" "$way" -- "$@"
}
`;
