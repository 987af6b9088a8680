import { COUNT_POSTGRES, COUNT_SQLITE } from './counts';
import { MYSQL } from './mysql';
import { REACH } from './reach';

/**
 * Producers: each writes one stream to standard output, its facts (fragments of JSON, one per line) to facts.<number>
 * and how each of its programs ended to producers.<number>. Plaintext goes into the pipe and nowhere else; only SQLite
 * has to write a copy, 0600 and beside its source or in memory, which has lost its name before it is read.
 */
export const SOURCES = `${REACH}${MYSQL}
# ended NUMBER PROGRAM STATUS: writes down how it ended and passes that on.
ended() {
  printf '%s %s\\n' "$2" "$3" >> "$work/producers.$1"
  [ "$3" = 0 ] || : > "$work/bad.$1"
  return "$3"
}

produce() {
  trap - EXIT
  case \${P[source.$1.kind]} in
    postgres) produce_postgres "$1" ;;
    postgres-globals) postgres_reach "$1" postgres; alone "$1" pg_dumpall --globals-only --no-password; ended "$1" pg_dumpall "$?" ;;
    mysql) produce_mysql "$1" ;;
    mysql-accounts) produce_mysql_accounts "$1" ;;
    sqlite) produce_sqlite "$1" ;;
    redis) produce_redis "$1" ;;
    directory) produce_directory "$1" "\${P[source.$1.path]}" ;;
    docker-volume) produce_volume "$1" ;;
    command) produce_command "$1" ;;
    *) echo "this version knows no source of the kind \${P[source.$1.kind]}" >&2; ended "$1" selfhost 1 ;;
  esac
}

# One session exports the snapshot that pg_dump reads, and counts the rows of every table in it meanwhile.
produce_postgres() {
  local i=$1 word snapshot status counted
  postgres_reach "$i" "\${P[source.$i.database]}"
  coproc SESSION { "\${reach[@]}" psql -XAtqw -v ON_ERROR_STOP=1; }
  local session=$SESSION_PID from=\${SESSION[0]} to=\${SESSION[1]}
  exec {from}<&"$from" {to}>&"$to"
  secret_lines "$i" >&"$to"
  cat >&"$to" <<'SQL'
SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; SET row_security = off;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT 'snapshot ' || pg_export_snapshot();
SELECT '"lsn":"' || CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END || '"';
SELECT '"server":' || current_setting('server_version_num');
SELECT '"preload":' || to_json(setting)::text FROM pg_settings WHERE name = 'shared_preload_libraries';
SELECT '"extensions":[' || coalesce(string_agg(to_json(extname)::text, ',' ORDER BY extname::text COLLATE "C"), '') || ']' FROM pg_extension;
SQL
  if ! read -r -t 60 -u "$from" word snapshot || [ "$word" != snapshot ]; then
    kill "$session" 2>/dev/null
    ended "$i" psql 1
    return
  fi
  cat >&"$to" <<'SQL'
${COUNT_POSTGRES}
SQL
  cat <&"$from" > "$work/facts.$i" &
  local reader=$!
  alone "$i" pg_dump --format=custom --compress=0 --no-password --lock-wait-timeout=600000 --snapshot="$snapshot"
  status=$?
  # Only now may the session end, and the snapshot with it. A dump that broke off needs no counts.
  # A word does it: others may have inherited the pipe, so its end would not be seen.
  (echo '\\q' >&"$to") 2>/dev/null || :
  [ "$status" = 0 ] || kill "$session" 2>/dev/null
  wait "$session" 2>/dev/null; counted=$?
  wait "$reader" || counted=1
  ended "$i" pg_dump "$status" || return
  ended "$i" psql "$counted"
}

produce_sqlite() {
  local i=$1 file=\${P[source.$1.path]} place user_group owner fd answer
  [ -f "$file" ] || { echo "$file is not there" >&2; ended "$i" sqlite3 1; return; }
  owner=$(stat -c %u -- "$file") user_group=$(stat -c %g -- "$file")
  # As the owner of the file: what SQLite leaves beside it must not belong to root.
  [ "$EUID" = 0 ] || owner=
  place=\${file%/*}
  [ "\${P[source.$i.scratch]-beside}" != memory ] || place=/dev/shm
  [ "$(df --output=avail -B1 -- "$place" | tail -n 1)" -gt "$(stat -c %s -- "$file")" ] || { echo "there is no room for a copy of $file in $place" >&2; ended "$i" sqlite3 1; return; }
  # What a killed run has left is nobody's any more: two runs exclude each other.
  rm -f -- "$place/.selfhost-copy.\${file##*/}".??????*
  copy=$(as "$owner" mktemp -- "$place/.selfhost-copy.\${file##*/}.XXXXXX") || { ended "$i" mktemp 1; return; }
  case $copy in *"'"* | *$'\\n'*) rm -f -- "$copy"; echo "a path with a quote or line end cannot be backed up: $file" >&2; ended "$i" sqlite3 1; return ;; esac
  # Not local: it is needed when this function is over.
  trap 'rm -f -- "$copy" "$copy-journal" "$copy-wal" "$copy-shm"' EXIT
  trap 'exit 143' TERM INT HUP PIPE
  as "$owner" sqlite3 -bail -readonly -cmd '.timeout 60000' "$file" ".backup '$copy'" >&2 || { ended "$i" sqlite3 1; return; }
  answer=$(as "$owner" sqlite3 -bail "$copy" 'PRAGMA journal_mode=DELETE; PRAGMA integrity_check;' | tail -n +2)
  if [ "$answer" != ok ]; then
    printf 'the integrity check of %s found: %s\\n' "$file" "\${answer:0:300}" >&2
    ended "$i" integrity_check 1
    return
  fi
  as "$owner" sqlite3 -bail "$copy" <<'SQL' | as "$owner" sqlite3 -bail "$copy" > "$work/facts.$i" || { ended "$i" sqlite3 1; return; }
${COUNT_SQLITE}
SQL
  exec {fd}<"$copy"
  rm -f -- "$copy"
  cat <&"$fd"
  ended "$i" sqlite3 "$?"
}

# redis-cli takes a password from its environment, which root and its own user alone can read; never from its arguments.
produce_redis() {
  local i=$1 list=(redis-cli --no-auth-warning)
  if [ -n "\${P[source.$1.socket]-}" ]; then
    list+=(-s "\${P[source.$1.socket]}")
  else
    list+=(-h "\${P[source.$1.address]-127.0.0.1}" -p "\${P[source.$1.port]-6379}")
  fi
  [ -z "\${P[source.$1.user]-}" ] || list+=(--user "\${P[source.$1.user]}")
  if [ -n "\${P[source.$1.container]-}" ]; then
    reach=(in_container "$i" redis through HOME=/)
    alone "$i" "\${list[@]}" --rdb -
  else
    [ -z "\${P[source.$1.passfile]-}" ] || export REDISCLI_AUTH="$(cat "/dev/fd/\${P[source.$1.passfile]}")"
    "\${list[@]}" --rdb -
  fi
  ended "$i" redis-cli "$?"
}

produce_volume() {
  local place
  place=$(docker_client "$1" volume inspect --format '{{.Mountpoint}}' -- "\${P[source.$1.volume]}") && [ -d "$place" ] && [ -x "$place" ] ||
    { echo "volume \${P[source.$1.volume]} is not there, or its files are not for this user" >&2; ended "$1" docker 1; return; }
  produce_directory "$1" "$place"
}

produce_directory() {
  local i=$1 path=$2 n list=() status
  if [ -n "\${P[source.$i.marker]-}" ] && [ ! -e "$path/\${P[source.$i.marker]}" ]; then
    echo "$path/\${P[source.$i.marker]} is not there: what should be mounted at $path is not" >&2
    ended "$i" tar 1
    return
  fi
  for ((n = 0; n < \${P[source.$i.excludes]-0}; n++)); do list+=(--exclude="\${P[source.$i.exclude.$n]}"); done
  tar --create --numeric-owner --xattrs --acls --sparse \\
    "\${list[@]}" --directory="$path" -- .
  status=$?
  # 1: a file changed while it was read. That is a choice of the plan, never silence.
  if [ "$status" = 1 ] && [ "\${P[source.$i.tolerateChanges]-}" = yes ]; then
    echo '"changedWhileRead":true' >> "$work/facts.$i"
    status=0
  fi
  ended "$i" tar "$status"
}

produce_command() {
  local i=$1 n list=()
  for ((n = 0; n < \${P[source.$i.words]}; n++)); do list+=("\${P[source.$i.word.$n]}"); done
  as "\${P[source.$i.runAs]-}" env -u TZ -u LC_ALL -u RCLONE_CONFIG -u RCLONE_PASSWORD_COMMAND "\${list[@]}"
  ended "$i" "\${list[0]##*/}" "$?"
}
`;
