import { LIST_MYSQL_COUNTS } from './counts';

/**
 * MariaDB and MySQL hand no snapshot on. So writes are held, for as long as it takes the dump to begin: a session takes
 * the global read lock and a snapshot, the dump begins its own, which its first table shows, and the lock is let go.
 * Both see the same moment; the session counts in it while the dump is read.
 */
export const MYSQL = `
produce_mysql() {
  local i=$1 word rest found=() line status counted try
  mysql_reach "$i"
  named mariadb "$i"
  coproc SESSION { "\${reach[@]}" "$REPLY" "\${mysql_words[@]}" --batch --raw --skip-column-names --unbuffered --skip-reconnect --database="\${P[source.$i.database]}"; }
  local session=$SESSION_PID from=\${SESSION[0]} to=\${SESSION[1]}
  exec {from}<&"$from" {to}>&"$to"
  secret_lines "$i" >&"$to"
  cat >&"$to" <<'SQL'
SET NAMES utf8mb4;
SET SESSION wait_timeout = 604800, lock_wait_timeout = 10, sql_mode = '', group_concat_max_len = 4294967295;
FLUSH TABLES WITH READ LOCK;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT;
${LIST_MYSQL_COUNTS}
SELECT 'snapshot';
SQL
  : > "$work/queries.$i"
  while :; do
    if ! IFS= read -r -t 60 -u "$from" line; then
      kill "$session" 2>/dev/null
      echo 'no snapshot could be taken; the user needs RELOAD and PROCESS, and no statement may hold the lock for 10 s' >&2
      ended "$i" mariadb 1
      return
    fi
    case $line in
      snapshot) break ;;
      'fact '*) printf '%s\\n' "\${line#fact }" >> "$work/facts.$i" ;;
      'count '*) printf '%s;\\n' "\${line#count }" >> "$work/queries.$i" ;;
    esac
  done
  cat <&"$from" >> "$work/facts.$i" &
  local reader=$!
  named mariadb-dump "$i"
  alone "$i" "$REPLY" "\${mysql_words[@]}" --single-transaction --skip-lock-tables --quick --routines --triggers --events --hex-blob --no-tablespaces --loose-set-gtid-purged=OFF -- "\${P[source.$i.database]}" | let_go
  found=("\${PIPESTATUS[@]}")
  status=\${found[0]}
  (cat "$work/queries.$i" <(echo '\\q') >&"$to") 2>/dev/null || :
  [ "$status" = 0 ] && [ "\${found[1]}" = 0 ] || kill "$session" 2>/dev/null
  exec {to}>&-
  wait "$session" 2>/dev/null; counted=$?
  wait "$reader" || counted=1
  ended "$i" mariadb-dump "$status" && ended "$i" writer "\${found[1]}" || return
  # What the session was asked and what it has answered must be the same number.
  [ "$(wc -l < "$work/queries.$i")" = "$(grep -c '^{' "$work/facts.$i")" ] || counted=1
  ended "$i" mariadb "$counted"
}

# Passes the dump on, and ends the lock as soon as the dump is past its header, at the latest when it is over.
let_go() {
  local line
  while IFS= read -r line; do
    printf '%s\\n' "$line"
    case $line in '-- Table structure'* | '-- Temporary'* | '-- Dumping'* | '-- Dump completed'* | CREATE* | DROP*) break ;; esac
  done
  echo 'UNLOCK TABLES;' >&"$to"
  cat
}

produce_mysql_accounts() {
  mysql_reach "$1"
  named mariadb-dump "$1"
  alone "$1" "$REPLY" "\${mysql_words[@]}" --system=users
  ended "$1" mariadb-dump "$?"
}
`;
