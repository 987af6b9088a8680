import { COUNT_POSTGRES, COUNT_SQLITE } from './counts';
import { LEG } from './leg';
import { privately } from './prelude';
import { SOURCES } from './sources';

/**
 * Reads one backup back from one destination into a place that must not be there yet. What was begun and not finished
 * is taken away again. Exit status of the pipe decides: a part that is missing, cut or changed stops it.
 */
export const RESTORE = privately(`${SOURCES}${LEG}
say() { printf '%s\\n' "$*"; }

main() {
  read_plan
  need rclone zstd awk timeout
  open_config
  folder=\${P[folder]} name=\${P[name]} part_count=\${P[parts]} n=0 i=0
  remote=\${P[leg.0.remote]} leg_idle=60s leg_deadline=$((SECONDS + \${P[deadline]})) leg_flags=()
  work=$(mktemp -d -- "$private/restore.XXXXXX") || refuse "$private cannot be written"
  leg_errors=$work/errors
  : > "$leg_errors"
  exec {lock}</dev/null
  made= server=
  trap 'clean_up' EXIT
  trap 'exit 143' TERM INT HUP
  begun=$EPOCHREALTIME
  case \${P[target]} in
    file) to_file "\${P[target.path]}" ;;
    directory) to_directory "\${P[target.path]}" ;;
    postgres) to_postgres ;;
    drill) drill ;;
  esac
  [ "$?" = 0 ] || fail_restore
  made=
  now_seconds
  printf 'report {"restored":true,"tables":[%s],"amcheck":%s,"seconds":%s,"why":null}\\n' "$(grep -s '^{' "$work/tables" | paste -sd ,)" "\${amcheck:-null}" "$REPLY"
}

now_seconds() { REPLY=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'); }

fail_restore() {
  reason "$leg_errors"; json "$REPLY"
  local why=$REPLY
  now_seconds
  printf 'report {"restored":false,"tables":[],"amcheck":null,"seconds":%s,"why":%s}\\n' "$REPLY" "$why"
  exit 4
}

clean_up() {
  [ -z "$server" ] || as "$owner" pg_ctl_of stop -D "$server" -m immediate -w > /dev/null 2>&1 < /dev/null
  [ -z "$made" ] || rm -rf -- "$made"
  rm -rf -- "$work"
  [ -z "\${drill_folder-}" ] || rm -rf -- "$drill_folder"
  case $private in */selfhost-private.*) rm -rf -- "$private" ;; esac
}

# stream: the plaintext, on standard output only.
stream() {
  local k view
  trap - EXIT
  crypt "$remote"; view=$REPLY
  for ((k = 0; k < part_count; k++)); do far cat "$view$folder/$name/\${P[part.$k.name]}" || return 1; done
}
unpack() { zstd -dqc 2>> "$leg_errors"; }
good() { case "$*" in *[!0\\ ]*) return 1 ;; esac; }

to_file() {
  local path=$1
  [ ! -e "$path" ] && [ ! -L "$path" ] || { echo "$path is there already, and nothing is written over" >> "$leg_errors"; return 1; }
  made=$(mktemp -- "\${path%/*}/.selfhost-restore.XXXXXX") || { echo "\${path%/*} cannot be written" >> "$leg_errors"; return 1; }
  stream | unpack > "$made"
  good "\${PIPESTATUS[@]}" && sync -- "$made" || return 1
  case \${P[kind]} in
    sqlite) count_sqlite "$made" || return 1 ;;
    redis) need redis-check-rdb; redis-check-rdb "$made" > "$work/said" 2>&1 || { cat -- "$work/said" >> "$leg_errors"; return 1; } ;;
  esac
  ln -T -- "$made" "$path" 2>> "$leg_errors" && rm -f -- "$made" && sync -- "\${path%/*}"
}

to_directory() {
  local path=\${1%/}
  [ ! -e "$path" ] && [ ! -L "$path" ] || { echo "$path is there already, and nothing is written over" >> "$leg_errors"; return 1; }
  made=$(mktemp -d -- "\${path%/*}/.selfhost-restore.XXXXXX") || { echo "\${path%/*} cannot be written" >> "$leg_errors"; return 1; }
  stream | unpack | tar --extract --numeric-owner --xattrs --acls --preserve-permissions --directory="$made" 2>> "$leg_errors"
  good "\${PIPESTATUS[@]}" && mv -nT -- "$made" "$path" 2>> "$leg_errors" && [ ! -e "$made" ]
}

count_sqlite() {
  local answer
  answer=$(sqlite3 -bail -readonly "$1" 'PRAGMA integrity_check;' 2>> "$leg_errors")
  [ "$answer" = ok ] || { echo "the integrity check found: \${answer:0:300}" >> "$leg_errors"; return 1; }
  sqlite3 -bail -readonly "$1" > "$work/queries" 2>> "$leg_errors" <<'SQL' || return 1
${COUNT_SQLITE}
SQL
  sqlite3 -bail -readonly "$1" < "$work/queries" > "$work/tables" 2>> "$leg_errors"
}

# Only into a database that this run makes; when anything fails it is dropped again.
to_postgres() {
  local user=\${P[source.0.runAs]-} database=\${P[target.database]}
  if [ -n "\${P[source.0.password]-}" ]; then
    local reader=$user
    [ "$EUID" = 0 ] || reader=
    hide "*:*:*:*:$(pgpass "\${P[source.0.password]}")" "$reader"
    P[source.0.passfile]=$REPLY
    unset 'P[source.0.password]'
  fi
  postgres_environment 0
  export PGDATABASE=\${P[target.maintenance]-postgres}
  as "$user" createdb --no-password --template=template0 -- "$database" 2>> "$leg_errors" || return 1
  export PGDATABASE=$database
  if ! fill_database "$user"; then
    PGDATABASE=\${P[target.maintenance]-postgres} as "$user" dropdb --no-password -- "$database" 2>> "$leg_errors"
    return 1
  fi
}

fill_database() {
  stream | unpack | {
    as "$1" pg_restore --no-password --exit-on-error --no-owner --no-privileges --dbname="$PGDATABASE" 2>> "$leg_errors"
    local status=$?
    cat > /dev/null
    exit "$status"
  }
  good "\${PIPESTATUS[@]}" || return 1
  as "$1" psql -XAtqw -v ON_ERROR_STOP=1 > "$work/tables" 2>> "$leg_errors" <<'SQL'
SET row_security = off;
${COUNT_POSTGRES}
SQL
}
pgpass() { local s=$1; s=\${s//'\\'/'\\\\'}; printf %s "\${s//:/'\\:'}"; }

# A throwaway server without a port, or a throwaway file; gone afterwards, whatever happened.
drill() {
  drill_folder=$(mktemp -d -- "\${P[target.path]%/}/.selfhost-drill.XXXXXX") || { echo "\${P[target.path]} cannot be written" >> "$leg_errors"; return 1; }
  case \${P[kind]} in
    postgres) drill_postgres ;;
    sqlite | redis) to_file "$drill_folder/copy" ;;
    directory) stream | unpack | tar --list > /dev/null 2>> "$leg_errors"; good "\${PIPESTATUS[@]}" ;;
    *) stream | unpack > /dev/null; good "\${PIPESTATUS[@]}" ;;
  esac
}

drill_postgres() {
  local version=$((\${P[server]} / 10000)) programs missing
  programs=/usr/lib/postgresql/$version/bin
  [ -x "$programs/initdb" ] || programs=$(dirname -- "$(command -v initdb || echo /none/initdb)")
  [ -x "$programs/initdb" ] || { echo "no PostgreSQL $version is installed here to restore into" >> "$leg_errors"; return 1; }
  pg_ctl_of() { "$programs/pg_ctl" "$@"; }
  owner=
  if [ "$EUID" = 0 ]; then owner=postgres; fi
  chmod 711 -- "$drill_folder" && mkdir -m 700 -- "$drill_folder/data" && { [ -z "$owner" ] || chown -- "$owner" "$drill_folder/data"; } || return 1
  as "$owner" "$programs/initdb" -D "$drill_folder/data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync > /dev/null 2>> "$leg_errors" || return 1
  server=$drill_folder/data
  as "$owner" "$programs/pg_ctl" start -D "$server" -w -t 60 -l "$server/log" -o "-c listen_addresses='' -c unix_socket_directories='$server' -c fsync=off -c full_page_writes=off -c autovacuum=off" > /dev/null 2>> "$leg_errors" < /dev/null || { cat -- "$server/log" >> "$leg_errors"; return 1; }
  export HOME=/ PGHOST=$server PGUSER=postgres PGDATABASE=drill PGCLIENTENCODING=UTF8
  PGDATABASE=postgres as "$owner" createdb --template=template0 drill 2>> "$leg_errors" || return 1
  fill_database "$owner" || return 1
  # 2 says that something is damaged; anything else but 0, that it could not look.
  as "$owner" "$programs/pg_amcheck" --install-missing drill > /dev/null 2>> "$leg_errors"
  case $? in 0) amcheck=true ;; 2) amcheck=false ;; *) amcheck=null ;; esac
}
main
`);
