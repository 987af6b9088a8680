import { privately } from './prelude';

/** The plan's places side by side; each writes one line of result. */
const EACH_PLACE = `
each_place() {
  local n
  for ((n = 0; n < \${P[places]}; n++)); do (trap - EXIT; "$1" "$n") > "$work/result.$n" & done
  wait
  for ((n = 0; n < \${P[places]}; n++)); do printf 'place %s %s\\n' "$n" "$(cat -- "$work/result.$n")"; done
}
near() { timeout --foreground 90 rclone --retries 2 --low-level-retries 2 --contimeout 15s --timeout 30s --log-level ERROR "$@" 2> "$work/errors.$n"; }
`;

/**
 * Closes the kit, which comes as base64, with age to public keys, and writes it to every place under a name of its own. It
 * lies in memory only, closed as well. A place that cannot give it back byte for byte does not count.
 */
export const WRITE_KIT = privately(`${EACH_PLACE}
main() {
  read_plan
  need age base64 sha256sum timeout
  open_config
  make_private
  work=$private
  local n list=()
  for ((n = 0; n < \${P[recipients]}; n++)); do list+=(--recipient "\${P[recipient.$n]}"); done
  base64 -d <<< "\${P[kit]}" | age "\${list[@]}" > "$work/kit" 2> "$work/errors"
  case "\${PIPESTATUS[*]}" in '0 0') ;; *) reason "$work/errors"; refuse "age could not close the kit: $REPLY" ;; esac
  unset 'P[kit]'
  sum=$(sha256sum < "$work/kit") && sum=\${sum%% *} || refuse 'the kit could not be read back'
  printf 'kit %s %s\\n' "$(stat -c %s -- "$work/kit")" "$sum"
  each_place write_place
}

write_place() {
  local n=$1 folder found old
  beneath "\${P[place.$n.remote]}" recovery-kit; folder=$REPLY
  if near rcat "$folder/\${P[name]}" < "$work/kit" && printf %s "\${P[page]}" | near rcat "$folder/HOW-TO-OPEN.txt"; then
    found=$(near cat "$folder/\${P[name]}" | sha256sum)
    if [ "\${found%% *}" = "$sum" ]; then
      # Only now are older ones too many.
      near lsf --files-only "$folder" | grep -xE 'recovery-kit-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z\\.age' | sort | head -n "-\${P[keep]}" | while IFS= read -r old; do
        [ "$old" = "\${P[name]}" ] || near deletefile "$folder/$old" < /dev/null
      done
      echo good
      return
    fi
    echo 'what it gives back is not what was written' >> "$work/errors.$n"
  fi
  reason "$work/errors.$n"
  echo "failed $REPLY"
}
main
`);

/** Reads the kit back from every place and says what is there; nothing here could open it. */
export const CHECK_KIT = privately(`${EACH_PLACE}
main() {
  read_plan
  need sha256sum timeout
  open_config
  make_private
  work=$private
  each_place check_place
}

check_place() {
  local n=$1 status sum
  beneath "\${P[place.$n.remote]}" "recovery-kit/\${P[name]}"
  near cat "$REPLY" > "$work/found.$n"
  status=$?
  if [ "$status" = 0 ] && [ -s "$work/found.$n" ]; then
    sum=$(sha256sum < "$work/found.$n")
    if [ "\${sum%% *}" != "\${P[sha256]}" ]; then echo damaged
    elif [ "$(head -c 21 < "$work/found.$n")" != age-encryption.org/v1 ]; then echo damaged
    else echo good; fi
  elif [ "$status" = 0 ] || [ "$status" = 3 ] || [ "$status" = 4 ] || grep -q 'not found' "$work/errors.$n"; then
    echo missing
  else
    reason "$work/errors.$n"
    echo "unreachable $REPLY"
  fi
}
main
`);

/**
 * Opens the newest kit there is, at whichever place still gives it whole, into a folder of its own. The identity is a
 * nameless file in memory. The folder appears at once with everything in it, or not at all.
 */
export const OPEN_KIT = privately(`${EACH_PLACE}
main() {
  read_plan
  need age base64 tar timeout
  open_config
  make_private
  work=$private
  hide "\${P[identity]}"
  identity=$REPLY
  unset 'P[identity]'
  local n names name folder=\${P[folder]} draft
  names=$(each_place list_place | sed -n 's/^place \\([0-9]*\\) kits \\(.*\\)$/\\1 \\2/p')
  names=$(while read -r n list; do for name in $list; do printf '%s %s\\n' "$name" "$n"; done; done <<< "$names" | sort -k1,1r -k2,2n)
  [ -n "$names" ] || { reason "$work/errors.0"; refuse "no place has a kit, or none could be reached: $REPLY"; }
  while read -r name n; do
    if [ "$(cat -- "$folder/.kit" 2>/dev/null)" = "$name" ]; then
      printf 'kit %s %s kept\\n' "$name" "$n"
      tell_keys "$folder"
      return
    fi
    beneath "\${P[place.$n.remote]}" "recovery-kit/$name"
    near cat "$REPLY" > "$work/kit" < /dev/null && [ -s "$work/kit" ] || { echo "$name could not be read" >> "$work/troubles"; continue; }
    mkdir -p -m 700 -- "\${folder%/*}" && draft=$(mktemp -d -- "\${folder%/*}/.kit.XXXXXX") || refuse "\${folder%/*} cannot be written"
    if age --decrypt --identity "/dev/fd/$identity" "$work/kit" 2> "$work/said" < /dev/null | tar -x -C "$draft" --no-same-owner 2> /dev/null && [ "\${PIPESTATUS[*]}" = '0 0' ] && [ -s "$draft/rclone.conf" ]; then
      printf '%s\\n' "$name" > "$draft/.kit"
      chmod -R go= -- "$draft"
      rm -rf -- "$folder" && mv -nT -- "$draft" "$folder" && sync -f -- "$folder" || refuse "$folder cannot be written"
      printf 'kit %s %s opened\\n' "$name" "$n"
      tell_keys "$folder"
      return
    fi
    rm -rf -- "$draft"
    reason "$work/said"
    echo "$name: $REPLY" >> "$work/troubles"
  done <<< "$names"
  reason "$work/troubles"
  refuse "none of the kits could be opened: $REPLY"
}

tell_keys() {
  local file
  for file in "$1"/keys/*; do [ ! -f "$file" ] || printf 'key %s\\n' "\${file##*/}"; done
}

list_place() {
  local n=$1 list
  beneath "\${P[place.$n.remote]}" recovery-kit
  list=$(near lsf --files-only "$REPLY" | grep -xE 'recovery-kit-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z\\.age' | sort -r | head -n 3 | tr '\\n' ' ')
  echo "kits $list"
}
main
`);
