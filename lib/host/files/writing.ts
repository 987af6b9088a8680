/**
 * Replaces a file by what comes on standard input, all or nothing. Arguments: path, mode, owner, group, parents (yes,
 * no), expected (a SHA-256, `missing`, or empty), backup (yes, no), dry (yes, no), sum (SHA-256 of the content where it
 * is known before), nonce.
 *
 * The content goes to a draft beside the file, with mode 0600 from its first byte, and comes under its final name by a
 * rename only after its seal was verified and it was synced. Drafts are locked by who writes them, so that the next
 * writer can tell those that nobody works on any more, and removes them. A file that changes hands (rename) is locked
 * for the moment of comparing and renaming, against those who append under the same lock.
 */
export const WRITE = `
path=$1 mode=$2 owner=$3 group=$4 parents=$5 expected=$6 backup=$7 dry=$8 sum=$9 nonce=\${10}
draft= fresh=
trap '[ -z "$draft" ] || rm -f -- "$draft"' EXIT
home
follow
wanted
parent

# Fills before, before_sum, had, and answers whether writing would change anything. Without a sum that is not known.
compare() {
  had=no before=() before_sum= changes=yes
  look "$path"
  if ((\${#facts[@]} == 0)); then
    case $expected in '' | missing) return 0 ;; *) failed changed_meanwhile ;; esac
  fi
  case \${facts[0]} in directory) failed is_directory ;; 'regular '*) ;; *) failed not_regular ;; esac
  had=yes before=("\${facts[@]}")
  [ "$expected" != missing ] || failed changed_meanwhile
  # A large file of another size is another file: no need to read it.
  if [ -n "$expected" ] || { [ -n "$sum" ] && { [ -z "$fresh" ] || ((before[1] == fresh || before[1] <= 67108864)); }; }; then
    before_sum=$(sum_of "$path") || broke sha256sum
  fi
  [ -z "$expected" ] || [ "$expected" = "$before_sum" ] || failed changed_meanwhile
  [ -n "$sum" ] && [ "$sum" = "$before_sum" ] || return 0
  [ -z "$mode" ] || [ "$mode" = "\${before[2]}" ] || return 0
  [ -z "$uid" ] || [ "$uid" = "\${before[5]}" ] || return 0
  [ -z "$gid" ] || [ "$gid" = "\${before[6]}" ] || return 0
  changes=no
}

answer() {
  ((\${#before[@]} > 0)) || before=('' '' '' '' '' '' '' '')
  printf '%s\\0' ok "$changes" "$path" "$kept" "$sum" "\${before[@]}" "$before_sum" "\${facts[@]}"
  exit 0
}

kept=
compare
if [ -n "$sum" ]; then
  if [ "$changes" = no ]; then facts=("\${before[@]}"); answer; fi
  if [ "$dry" = yes ]; then
    new_uid=\${uid:-\${before[5]-$EUID}}
    new_gid=\${gid:-\${before[6]-}}
    # A directory with the setgid bit hands its own group to what is made in it.
    if [ -z "$new_gid" ]; then
      if [ -g "$dir" ]; then new_gid=$(stat -L --printf %g -- "$dir"); else new_gid=$(id -g); fi
    fi
    facts=('regular file' '' "\${mode:-\${before[2]-644}}" "$(name_of passwd "$new_uid")" "$(name_of group "$new_gid")" "$new_uid" "$new_gid" 0)
    answer
  fi
fi

# Drafts of this very name have this prefix; the name itself might be too long to be part of another.
prefix=$dir/.selfhost-$(printf %s "\${path##*/}" | sha256sum | head -c 16).
for old in "$prefix"*; do
  [ -f "$old" ] && [ ! -L "$old" ] && { ((EUID == 0)) || [ -O "$old" ]; } || continue
  { exec 6<"$old"; } 2>/dev/null || continue
  if flock -n 6; then rm -f -- "$old"; fi
  exec 6<&-
done

umask 077
set -C
for turn in 1 2 3 4 5; do
  draft=$prefix$nonce$turn
  { exec 4>"$draft"; } || { draft=; broke create; }
  # Between its making and its lock another writer may have taken it for a leftover.
  if flock -n 4 && [ "$draft" -ef /dev/fd/4 ]; then break; fi
  exec 4>&-
  draft=
done
set +C
[ -n "$draft" ] || failed locked

cat >&4 || broke cat
size=$(stat -L --printf %s /dev/fd/4) || broke stat
((size >= 64)) || failed cut
seal=$(tail -c 64 /dev/fd/4 | tr -dc 0-9a-f) || broke tail
fresh=$((size - 64))
need truncate -s "$fresh" /dev/fd/4
got=$(sum_of /dev/fd/4) || broke sha256sum
[ "$got" = "$seal" ] || failed cut
sum=$got
need sync /dev/fd/4

lock
compare
if [ "$changes" = no ]; then facts=("\${before[@]}"); answer; fi
look /dev/fd/4 -L
new_uid=\${uid:-\${before[5]-}} new_gid=\${gid:-\${before[6]-}}
if [ "\${new_uid:-\${facts[5]}}:\${new_gid:-\${facts[6]}}" != "\${facts[5]}:\${facts[6]}" ]; then
  need chown "\${new_uid:-\${facts[5]}}:\${new_gid:-\${facts[6]}}" /dev/fd/4
fi
# After chown, which takes setuid and setgid away.
need chmod "\${mode:-\${before[2]-644}}" /dev/fd/4
# A mode without any right for its owner can only be synced by root; the content was synced above.
if [ -r /dev/fd/4 ] || [ -w /dev/fd/4 ]; then need sync /dev/fd/4; fi

if [ "$backup" = yes ] && [ "$had" = yes ]; then
  # The old file lives on under another name: no copy, and nothing of it can get lost.
  stamp=$(date -u +%Y%m%dT%H%M%SZ)
  kept=$path.before-$stamp
  for ((turn = 2; turn < 100; turn++)); do
    [ -e "$kept" ] || [ -L "$kept" ] || break
    kept=$path.before-$stamp-$turn
  done
  ln -T -- "$path" "$kept" 2>/dev/null || need cp -p --no-target-directory -- "$path" "$kept"
fi
if [ "$expected" = missing ]; then
  # A link refuses to replace what came meanwhile; a rename would not.
  ln -T -- "$draft" "$path" || { [ -e "$path" ] && failed changed_meanwhile; broke ln; }
else
  mv -fT -- "$draft" "$path" </dev/null || { [ -z "$kept" ] || rm -f -- "$kept"; broke mv; }
  draft=
fi
[ ! -r "$dir" ] || need sync -- "$dir"
look /dev/fd/4 -L
answer
`;
