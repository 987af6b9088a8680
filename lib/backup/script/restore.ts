import { COUNT_POSTGRES, COUNT_SQLITE, LIST_MYSQL_COUNTS } from './counts';
import { CONTAINER_DRILL } from './container-drill';
import { LEG } from './leg';
import { MAKE_ALIKE } from './replace';
import { privately } from './prelude';
import { SOURCES } from './sources';

/**
 * Reads one backup back from one destination into a place that must not be there yet. What was begun and not finished
 * is taken away again. Exit status of the pipe decides: a part that is missing, cut or changed stops it.
 */
export const RESTORE = privately(`${SOURCES}${LEG}${CONTAINER_DRILL}
say() { printf '%s\\n' "$*"; }

main() {
  read_plan
  need rclone zstd awk timeout
  open_config
  hide_password 0
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
    docker-volume) to_volume ;;
    postgres | mysql) to_database "\${P[target.database]}" ;;
    roles) to_roles ;;
    drill) drill ;;
  esac
  [ "$?" = 0 ] || fail_restore
  made= volume_made=
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
  [ -z "$server" ] || stop_server
  [ -z "\${volume_made-}" ] || docker_client 0 volume rm -- "$volume_made" > /dev/null 2>&1
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
  [ "\${P[kind]}" != sqlite ] || no_log_beside "$path" || return 1
  made=$(mktemp -- "\${path%/*}/.selfhost-restore.XXXXXX") || { echo "\${path%/*} cannot be written" >> "$leg_errors"; return 1; }
  stream | unpack > "$made"
  good "\${PIPESTATUS[@]}" && sync -- "$made" || return 1
  case \${P[kind]} in
    sqlite) count_sqlite "$made" || return 1 ;;
    redis) need redis-check-rdb; redis-check-rdb "$made" > "$work/said" 2>&1 || { cat -- "$work/said" >> "$leg_errors"; return 1; } ;;
  esac
  ln -T -- "$made" "$path" 2>> "$leg_errors" && rm -f -- "$made" && sync -- "\${path%/*}"
}

# SQLite plays a log that lies beside a file into it, also when it belongs to a former file of that name.
no_log_beside() {
  local log
  for log in "$1-wal" "$1-shm" "$1-journal"; do
    [ ! -e "$log" ] || { echo "$log of a former database lies there, and would be played into the restored one; move it away" >> "$leg_errors"; return 1; }
  done
}

to_directory() {
  local path=\${1%/}
  [ ! -e "$path" ] && [ ! -L "$path" ] || { echo "$path is there already, and nothing is written over" >> "$leg_errors"; return 1; }
  made=$(mktemp -d -- "\${path%/*}/.selfhost-restore.XXXXXX") || { echo "\${path%/*} cannot be written" >> "$leg_errors"; return 1; }
  stream | unpack | untar "$made"
  good "\${PIPESTATUS[@]}" && mv -nT -- "$made" "$path" 2>> "$leg_errors" && [ ! -e "$made" ]
}

# Everything, or only the paths that were named; one that is not in the archive is a failure.
untar() {
  local n list=()
  for ((n = 0; n < \${P[onlys]-0}; n++)); do list+=("./\${P[only.$n]}"); done
  [ "\${#list[@]}" = 0 ] || list=(-- "\${list[@]}")
  tar --extract --numeric-owner --xattrs --acls --preserve-permissions --no-wildcards --directory="$1" "\${list[@]}" 2>> "$leg_errors"
  local status=$?
  cat > /dev/null
  return "$status"
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
to_database() {
  local database=$1
  make_database "$database" || return 1
  fill_database "$database" && return
  drop_database "$database"
  return 1
}

case_of() { case \${P[kind]} in mysql) REPLY=mysql ;; *) REPLY=postgres ;; esac; }

make_database() {
  case_of
  if [ "$REPLY" = postgres ] && [ -n "\${P[target.like]-}" ]; then
    make_alike "$1"
  elif [ "$REPLY" = postgres ]; then
    postgres_reach 0 "\${P[target.maintenance]-postgres}"
    alone 0 createdb --no-password --template=template0 -- "$1" 2>> "$leg_errors"
  else
    ask_mysql "CREATE DATABASE \\\`$1\\\`\${P[charset]:+ CHARACTER SET \${P[charset]} COLLATE \${P[collation]}}"
  fi
}

# What will stand in the place of another database is like it in all that a dump does not hold.
make_alike() {
  postgres_reach 0 postgres
  { secret_lines 0; cat; } <<'SQL' | "\${reach[@]}" psql -XAtqw -v ON_ERROR_STOP=1 -v "like=\${P[target.like]}" -v "next=$1" > /dev/null 2>> "$leg_errors" && return
${MAKE_ALIKE}
SQL
  drop_database "$1" 2>/dev/null
  return 1
}

drop_database() {
  case_of
  if [ "$REPLY" = postgres ]; then
    postgres_reach 0 "\${P[target.maintenance]-postgres}"
    alone 0 dropdb --no-password -- "$1" 2>> "$leg_errors"
  else
    ask_mysql "DROP DATABASE \\\`$1\\\`"
  fi
}

# A new server has some of the roles already, its superuser above all. That making them again fails is as it should be;
# what follows gives them the attributes and passwords of the backup.
to_roles() {
  postgres_reach 0 postgres
  stream | unpack | {
    { secret_lines 0; cat; } | "\${reach[@]}" psql -XAtqw > /dev/null 2>> "$leg_errors"
    local status=\${PIPESTATUS[1]}
    cat > /dev/null
    exit "$status"
  }
  good "\${PIPESTATUS[@]}"
}

ask_mysql() {
  mysql_reach 0
  named mariadb 0
  { secret_lines 0; printf '%s;\\n' "$1"; } | "\${reach[@]}" "$REPLY" "\${mysql_words[@]}" --batch --raw --skip-column-names 2>> "$leg_errors"
}

fill_database() {
  case_of
  "fill_$REPLY" "$1"
}

fill_postgres() {
  local owners=(--no-owner --no-privileges)
  [ -z "\${P[target.like]-}" ] || owners=()
  postgres_reach 0 "$1"
  stream | unpack | {
    { secret_lines 0; cat; } | "\${reach[@]}" pg_restore --no-password --exit-on-error "\${owners[@]}" --dbname="$1" 2>> "$leg_errors"
    local status=\${PIPESTATUS[1]}
    cat > /dev/null
    exit "$status"
  }
  good "\${PIPESTATUS[@]}" || return 1
  { secret_lines 0; cat; } <<'SQL' | "\${reach[@]}" psql -XAtqw -v ON_ERROR_STOP=1 > "$work/tables" 2>> "$leg_errors"
SET row_security = off;
${COUNT_POSTGRES}
SQL
}

# The dump names no database of its own, so it cannot fill another one than this.
fill_mysql() {
  mysql_reach 0
  named mariadb 0
  local program=$REPLY
  stream | unpack | {
    { secret_lines 0; cat; } | "\${reach[@]}" "$program" "\${mysql_words[@]}" --binary-mode --batch --database="$1" 2>> "$leg_errors"
    local status=\${PIPESTATUS[1]}
    cat > /dev/null
    exit "$status"
  }
  good "\${PIPESTATUS[@]}" || return 1
  {
    secret_lines 0
    cat <<'SQL'
SET SESSION sql_mode = '', group_concat_max_len = 4294967295;
${LIST_MYSQL_COUNTS}
SQL
  } | "\${reach[@]}" "$program" "\${mysql_words[@]}" --batch --raw --skip-column-names --database="$1" > "$work/queries" 2>> "$leg_errors" || return 1
  { secret_lines 0; sed -n 's/^count \\(.*\\)$/\\1;/p' "$work/queries"; } |
    "\${reach[@]}" "$program" "\${mysql_words[@]}" --batch --raw --skip-column-names --database="$1" > "$work/tables" 2>> "$leg_errors"
}

# Into a new volume; what is begun and not finished is removed with it.
to_volume() {
  local volume=\${P[target.volume]} place
  ! docker_client 0 volume inspect -- "$volume" > /dev/null 2>&1 || { echo "volume $volume is there already, and nothing is written over" >> "$leg_errors"; return 1; }
  docker_client 0 volume create --label selfhost.restored=yes -- "$volume" > /dev/null 2>> "$leg_errors" || return 1
  volume_made=$volume
  place=$(docker_client 0 volume inspect --format '{{.Mountpoint}}' -- "$volume" 2>> "$leg_errors") && [ -d "$place" ] || return 1
  stream | unpack | untar "$place"
  good "\${PIPESTATUS[@]}"
}

# A throwaway server without a port, or a throwaway file; gone afterwards, whatever happened.
drill() {
  drill_folder=$(mktemp -d -- "\${P[target.path]%/}/.selfhost-drill.XXXXXX") || { echo "\${P[target.path]} cannot be written" >> "$leg_errors"; return 1; }
  case \${P[kind]} in
    postgres | mysql) drill_database ;;
    sqlite | redis) to_file "$drill_folder/copy" ;;
    directory | docker-volume) stream | unpack | tar --list > /dev/null 2>> "$leg_errors"; good "\${PIPESTATUS[@]}" ;;
    *) stream | unpack > /dev/null; good "\${PIPESTATUS[@]}" ;;
  esac
}

drill_database() {
  case_of
  if [ -n "\${P[drill.image]-}" ]; then start_container "$REPLY" || return 1; else "start_$REPLY" || return 1; fi
  to_database drill || return 1
  case_of
  "check_$REPLY"
}

own_folder() {
  owner=
  if [ "$EUID" = 0 ]; then owner=$1; fi
  chmod 711 -- "$drill_folder" && mkdir -m 700 -- "$drill_folder/data" && { [ -z "$owner" ] || chown -- "$owner" "$drill_folder/data"; } || return 1
}

start_postgres() {
  local version=$((\${P[server]} / 10000)) programs
  programs=/usr/lib/postgresql/$version/bin
  [ -x "$programs/initdb" ] || programs=$(dirname -- "$(command -v initdb || echo /none/initdb)")
  [ -x "$programs/initdb" ] || { echo "no PostgreSQL $version is installed here to restore into" >> "$leg_errors"; return 1; }
  own_folder postgres || return 1
  as "$owner" "$programs/initdb" -D "$drill_folder/data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync > /dev/null 2>> "$leg_errors" || return 1
  server=$drill_folder/data
  stop_server() { as "$owner" "$programs_of_server/pg_ctl" stop -D "$server" -m immediate -w > /dev/null 2>&1 < /dev/null; }
  programs_of_server=$programs
  [ -z "\${P[preload]-}" ] || printf "shared_preload_libraries = '%s'\\n" "\${P[preload]}" >> "$server/postgresql.auto.conf"
  as "$owner" "$programs/pg_ctl" start -D "$server" -w -t 60 -l "$server/log" -o "-c listen_addresses='' -c unix_socket_directories='$server' -c fsync=off -c full_page_writes=off -c autovacuum=off" > /dev/null 2>> "$leg_errors" < /dev/null || { cat -- "$server/log" >> "$leg_errors"; return 1; }
  P[source.0.address]=$server P[source.0.user]=postgres P[source.0.runAs]=$owner
}

# 2 says that something is damaged; anything else but 0, that it could not look.
check_postgres() {
  local program=pg_amcheck
  [ -z "\${programs_of_server-}" ] || program=$programs_of_server/pg_amcheck
  postgres_reach 0 drill
  alone 0 "$program" --install-missing drill > /dev/null 2>> "$leg_errors"
  case $? in 0) amcheck=true ;; 2) amcheck=false ;; *) amcheck=null ;; esac
}

start_mysql() {
  local daemon install
  daemon=$(PATH=$PATH:/usr/sbin command -v mariadbd) && install=$(command -v mariadb-install-db) || { echo 'no MariaDB server is installed here to restore into' >> "$leg_errors"; return 1; }
  own_folder mysql || return 1
  as "$owner" "$install" --no-defaults --datadir="$drill_folder/data" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve > "$work/said" 2>&1 < /dev/null || { tail -n 3 -- "$work/said" >> "$leg_errors"; return 1; }
  server=$drill_folder/data/socket
  as "$owner" "$daemon" --no-defaults --datadir="$drill_folder/data" --socket="$server" --pid-file="$drill_folder/data/pid" --skip-networking --skip-log-bin --event-scheduler=OFF \\
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF --max-allowed-packet=1G > "$work/server.log" 2>&1 < /dev/null {lock}>&- &
  server_process=$!
  # Nothing of it is wanted any more, so it need not end well.
  stop_server() { [ ! -r "$drill_folder/data/pid" ] || kill -KILL "$(cat -- "$drill_folder/data/pid")" 2>/dev/null; wait "$server_process" 2>/dev/null; }
  P[source.0.address]=$server P[source.0.user]=root P[source.0.runAs]=$owner
  await_mysql
}

await_mysql() {
  local waited=$SECONDS
  until ask_mysql 'SELECT 1' > /dev/null; do
    { [ -z "\${server_process-}" ] || kill -0 "$server_process" 2>/dev/null; } && [ "$((SECONDS - waited))" -lt 60 ] || { tail -n 3 -- "$work/server.log" >> "$leg_errors"; return 1; }
    sleep 0.2
  done
  : > "$leg_errors"
}

check_mysql() {
  mysql_reach 0
  named mariadb-check 0
  local bad
  bad=$(alone 0 "$REPLY" "\${mysql_words[@]}" --check --silent -- drill 2>> "$leg_errors") && [ -z "$bad" ] && amcheck=true || amcheck=false
}
main
`);
