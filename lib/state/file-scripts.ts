import { STATE_FOLDER } from '../host/state-folder';

// Sets `root`. An empty first argument means the folder of the host.
const ROOT = `
${STATE_FOLDER}
export TZ=UTC
own=$state/state
root=\${1:-$own}
shift
stamp() { printf -v "$1" '%(%Y-%m-%dT%H:%M:%S)T.%03dZ' "$(($2 / 1000))" "$(($2 % 1000))"; }
now=$(date +%s%6N)
stamp today "$((now / 1000))"
`;

// Exit code 75 says that somebody held the lock for too long.
const LOCK = `
lock() {
  if [ "$root" = "$own" ]; then prepare_state; else mkdir -p -- "$root"; fi
  exec 9>>"$root/.lock"
  flock "$1" -w 20 9 || exit 75
  now=$(date +%s%6N)
  stamp today "$((now / 1000))"
}
`;

// Reads the entry at $file into is (absent, live, dead, strange), version, expires, updated and writes. Only the
// head is looked at; it is short and always in this form. What has another form is for the caller to judge.
const LOAD = `
head='^\\{"schema":1,"version":([0-9]{1,16}),"updatedAt":"([0-9T:.Z-]{24})",("expiresAt":"([0-9T:.Z-]{24})",)?"writes":\\["([0-9a-f:",]*)"\\],"(value|removed)":'
load() {
  is=absent version=0 updated= expires= writes=
  local text=
  # The shell's own read, because a program for each file would make the clean-up of many slow. It succeeds only when
  # it meets a NUL, which no entry holds. Not written as "if not": bash does not turn the outcome around when it is the
  # redirection that fails.
  if { IFS= read -r -d '' text; } 2> /dev/null < "$file"; then
    text=
  elif [ -z "$text" ] && ! text=$(cat -- "$file" 2>&1); then
    case $text in
      *': No such file or directory') return 0 ;;
      *) printf '%s\\n' "$text" >&2; exit 4 ;;
    esac
  fi
  is=strange
  if [[ "$text" != *$'}\\n' ]]; then return; fi
  if [[ ! "\${text:0:1000}" =~ $head ]]; then return; fi
  version=\${BASH_REMATCH[1]} updated=\${BASH_REMATCH[2]} expires=\${BASH_REMATCH[4]} writes=\${BASH_REMATCH[5]}
  is=live
  if [ "\${BASH_REMATCH[6]}" = removed ]; then is=dead; fi
  if [[ -n "$expires" && ! "$expires" > "$today" ]]; then is=dead; fi
}
`;

/**
 * Writes or removes one entry, under the lock of the folder: the new file is complete and on the disk before it takes the
 * old one's place. Arguments: folder, action, path, expected version, time to live, id of the write, size of the value;
 * the value comes on standard input, and is taken in before the lock so that a slow sender holds up nobody.
 */
export const WRITE_SCRIPT = `
${ROOT}${LOCK}${LOAD}
action=$1 file=$root/$2 expected=$3 ttl=$4 id=$5 size=$6
value=$(cat)
if [ "\${#value}" != "$size" ]; then echo "the value arrived incomplete" >&2; exit 3; fi
lock -x
load
if [ "$is" = strange ]; then printf 'strange '; base64 -w0 -- "$file"; exit; fi
# This very write was made before; its caller did not hear of it.
if [[ "$writes" =~ $id:([0-9]+) ]]; then echo "done \${BASH_REMATCH[1]}"; exit; fi
case $expected in
  absent) if [ "$is" = live ]; then echo "present $version"; exit; fi ;;
  any) if [ "$is" != live ]; then echo absent; exit; fi ;;
  *) if [ "$is" != live ]; then echo absent; exit; fi
     if [ "$version" != "$expected" ]; then echo "present $version"; exit; fi ;;
esac
if [ "$is" != live ]; then expires=; fi
if [ -n "$ttl" ]; then stamp expires "$((now / 1000 + ttl))"; fi
if [ "$is" = live ] || ((version >= now)); then version=$((version + 1)); else version=$now; fi
folder=\${file%/*}
mkdir -p -- "$folder"
temporary=$folder/.new-$id
trap 'rm -f -- "$temporary"' EXIT
writes=\\"$id:$version\\"\${writes:+,\\"$writes\\"}
while [[ "$writes" == *,*,*,*,*,*,*,*,* ]]; do writes=\${writes%,*}; done
{
  printf '{"schema":1,"version":%s,"updatedAt":"%s",' "$version" "$today"
  if [ "$action" = remove ]; then
    printf '"writes":[%s],"removed":true}\\n' "$writes"
  else
    if [ -n "$expires" ]; then printf '"expiresAt":"%s",' "$expires"; fi
    printf '"writes":[%s],"value":' "$writes"
    printf '%s}\\n' "$value"
  fi
} > "$temporary"
sync -- "$temporary"
mv -fT -- "$temporary" "$file"
# New folders are on the disk only when their parents are.
folders=()
while [ "$folder" != "$root" ]; do folders+=("$folder"); folder=\${folder%/*}; done
sync -- "\${folders[@]}" "$root"
echo "done $version"
`;

/** Prints the time, then for each path of standard input (NUL-terminated) a line: its content in base64, or -. */
export const READ_SCRIPT = `
${ROOT}
echo "$today"
while IFS= read -r -d '' path; do
  if text=$(base64 -w0 -- "$root/$path" 2>&1); then printf '+%s\\n' "$text"; continue; fi
  case $text in
    *': No such file or directory') echo - ;;
    *) printf '%s\\n' "$text" >&2; exit 4 ;;
  esac
done
`;

/** Prints the paths of all entries below a folder, NUL-terminated. The lock keeps renames from hiding a name. */
export const LIST_SCRIPT = `
${ROOT}${LOCK}
if [ ! -d "$root" ]; then exit; fi
lock -s
if [ -d "$root/$1" ]; then cd -- "$root"; find "$1" -type f -name '*.json' -print0; fi
`;

/** Takes away what has expired, old traces, and what a killed write has left. Prints how many entries had expired. */
export const CLEAN_UP_SCRIPT = `
${ROOT}${LOCK}${LOAD}
if [ ! -d "$root" ]; then echo 0; exit; fi
stamp old "$((now / 1000 - $1))"
# An entry that is over and needs no trace, or whose trace is old enough.
over() { [ "$is" = dead ] && { [ -n "$expires" ] || [[ "$updated" < "$old" ]]; }; }
candidates=()
while IFS= read -r -d '' file; do
  load
  if over; then candidates+=("$file"); fi
done < <(grep -rlZE --include='*.json' -e '^\\{"schema":1,[^{]*"(expiresAt|removed)":' -- "$root" || [ "$?" = 1 ])
count=0
lock -x
for file in "\${candidates[@]}"; do
  load
  if over; then
    if [ -n "$expires" ]; then count=$((count + 1)); fi
    rm -f -- "$file"
  fi
done
find "$root" -type f -name '.new-*' -mmin +60 -delete
find "$root" -mindepth 1 -depth -type d -empty -delete
echo "$count"
`;
