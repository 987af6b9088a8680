/** For scripts that work from a manifest: what its parts are called where they lie, and which hashes it knows. */
export const STORED_NAMES = `
# The name of each part as it is stored, and its folder. Names go to rclone a few hundred at a time.
encrypt_names() {
  local k names=() plain stored
  stored_names=() stored_folder=
  for ((k = 0; k < part_count; k++)); do
    names+=("$folder/$name/\${P[part.$k.name]}")
    if [ "\${#names[@]}" = 300 ] || [ "$((k + 1))" = "$part_count" ]; then
      while IFS=$'\\t' read -r plain stored; do
        stored=\${stored# }
        stored_names+=("\${stored##*/}") stored_folder=\${stored%/*}
      done < <(rclone --log-level ERROR cryptdecode --reverse "$vault:" "\${names[@]}" 2> "$work/errors")
      names=()
    fi
  done
  [ "\${#stored_names[@]}" = "$part_count" ]
}

# A hash that the manifest does not have cannot be compared.
comparable() { [ "$1" = sha256 ] || [ -n "\${P[part.0.$1]-}" ]; }
`;
