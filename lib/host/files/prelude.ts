/**
 * What every file script begins with. Scripts are constants; paths and settings come as arguments, content as standard
 * input. An answer is a list of NUL-terminated fields on standard output, because a name may hold anything else. Its
 * first field is `ok`, `failed` (a fact that the script recognised) or `broke` (a program failed; its own words are the
 * last line of standard error). GNU coreutils, findutils and util-linux are required; file descriptor 3 is the script.
 */
export const PRELUDE = `
export LC_ALL=C
unset HOME
trap 'exit 143' TERM INT HUP PIPE

failed() { printf 'failed\\0%s\\0' "$1"; exit 0; }
broke() { printf 'broke\\0%s\\0' "$1"; exit 0; }
need() { "$@" || broke "$1"; }

# Without HOME, bash takes the home of the user it runs as from the user database.
home() { case $path in '~/'*) path=~/\${path:2} ;; esac; }

# The facts of what is at a path, as an array; empty when nothing is there.
FACTS='%F\\0%s\\0%a\\0%U\\0%G\\0%u\\0%g\\0%.Y\\0'
look() {
  local said turn
  for turn in 1 2 3; do
    mapfile -d '' -t facts < <(stat "\${@:2}" --printf "$FACTS" -- "$1" 2>/dev/null)
    ((\${#facts[@]} == 0)) || return 0
    # Why it failed. When it does not fail this time, the file has only just come: look again.
    said=$(stat "\${@:2}" -- "$1" 2>&1 >/dev/null) && continue
    case $said in *': No such file or directory') return 0 ;; esac
    printf '%s\\n' "$said" >&2
    broke stat
  done
  failed changing
}

# Replaces a link by what it points to, so that a change keeps the link. A link that somebody else planted is not
# followed: it must belong to root, to us, or to the owner of the file it leads to.
follow() {
  local target owner hops
  for ((hops = 0; ; hops++)); do
    [ -L "$path" ] || break
    ((hops < 40)) || failed link_loop
    owner=$(stat --printf %u -- "$path") || broke stat
    case $owner in
      0 | "$EUID") ;;
      *) [ "$owner" = "$(stat -L --printf %u -- "$path" 2>/dev/null)" ] || failed link_untrusted ;;
    esac
    IFS= read -r -d '' target < <(readlink -z -- "$path") || broke readlink
    case $target in /*) path=$target ;; *) path=\${path%/*}/$target ;; esac
    while [ "\${path: -1}" = / ] && [ "\${#path}" -gt 1 ]; do path=\${path%/}; done
  done
  dir=\${path%/*}
  [ -n "$dir" ] || dir=/
}

# Makes sure that the directory of the path is there. In a dry run a missing one is only noted.
parent() {
  look "$dir" -L
  parent_made=no
  if ((\${#facts[@]} == 0)); then
    [ "$parents" = yes ] || failed parent_missing
    parent_made=yes
    [ "$dry" = yes ] || (umask 022; mkdir -p -- "$dir") || broke mkdir
  elif [ "\${facts[0]}" != directory ]; then
    failed parent_not_directory
  fi
  if [ "$dry" = yes ] && [ "$parent_made" = no ] && { [ ! -w "$dir" ] || [ ! -x "$dir" ]; }; then failed not_writable; fi
}

# Numbers of the wanted owner and group; empty when none is wanted.
wanted() {
  uid=$owner gid=$group
  case $owner in *[!0-9]*) uid=$(id -u -- "$owner" 2>/dev/null) || failed owner_unknown ;; esac
  case $group in *[!0-9]*) gid=$(getent group -- "$group") || failed group_unknown; gid=\${gid#*:*:} gid=\${gid%%:*} ;; esac
}

# The name of a number in a database, or the number where it has none.
name_of() { local line; line=$(getent "$1" "$2"); line=\${line%%:*}; printf %s "\${line:-$2}"; }

# Locks what is at the path with descriptor 5 and makes sure that it is still there afterwards.
lock() {
  local turn
  for ((turn = 0; turn < 20; turn++)); do
    [ -f "$path" ] || return 0
    { exec 5<"$path"; } || broke open
    flock -w 30 5 || failed locked
    [ "$path" -ef /dev/fd/5 ] && return 0
    exec 5<&-
  done
  failed locked
}

sum_of() { local line; line=$(sha256sum < "$1") || return 1; printf %s "\${line%% *}"; }
`;
