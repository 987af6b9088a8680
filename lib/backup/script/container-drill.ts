/**
 * What a throwaway container runs: a server of its own without a network, its data in the container's own layer. It ends
 * when its standard input does, so a drill that is killed takes it along.
 */
const POSTGRES_SERVER = `
set -e
umask 077
data=/tmp/selfhost-drill
initdb -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync > /dev/null || initdb -D "$data" -U postgres -E UTF8 --no-locale --auth=trust --no-sync > /dev/null
[ -z "$1" ] || printf "shared_preload_libraries = '%s'\\n" "$1" >> "$data/postgresql.auto.conf"
exec 8<&0
postgres -D "$data" -c listen_addresses= -c unix_socket_directories=/tmp -c fsync=off -c full_page_writes=off -c autovacuum=off < /dev/null 8<&- &
server=$!
cat <&8 > /dev/null
kill -QUIT "$server"
`;

const MYSQL_SERVER = `
set -e
umask 077
data=/tmp/selfhost-drill
daemon=mariadbd
if command -v mariadb-install-db > /dev/null; then
  mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve > /dev/null
else
  daemon=mysqld
  mysqld --no-defaults --initialize-insecure --datadir="$data"
fi
exec 8<&0
"$daemon" --no-defaults --datadir="$data" --socket=/tmp/selfhost-drill.sock --pid-file=/tmp/selfhost-drill.pid --skip-networking --skip-log-bin --event-scheduler=OFF --innodb-flush-log-at-trx-commit=0 --max-allowed-packet=1G < /dev/null 8<&- &
server=$!
cat <&8 > /dev/null
kill "$server"
`;

export const CONTAINER_DRILL = `
IFS= read -r -d '' postgres_server <<'SERVER' || :
${POSTGRES_SERVER}
SERVER
IFS= read -r -d '' mysql_server <<'SERVER' || :
${MYSQL_SERVER}
SERVER

# start_container KIND: and from then on this container is where the drill restores to.
start_container() {
  local kind=$1 script=$1_server line waited=$SECONDS
  container=selfhost-drill-$BASHPID-$RANDOM$RANDOM
  P[source.0.dockerSocket]=\${P[drill.dockerSocket]-} P[source.0.container]=$container P[source.0.runAs]=$kind
  mkfifo -- "$work/line" && exec {line}<>"$work/line" && rm -f -- "$work/line" || return 1
  docker_client 0 run --rm --interactive --name "$container" --label selfhost.drill=yes --network none --user "$kind" --entrypoint sh -- \\
    "\${P[drill.image]}" -c "\${!script}" selfhost "\${P[preload]-}" <&"$line" > "$work/server.log" 2>&1 {lock}>&- &
  server_process=$!
  server=$container
  stop_server() {
    kill "$server_process" 2>/dev/null
    docker_client 0 rm --force --volumes -- "$container" > /dev/null 2>&1
    wait "$server_process" 2>/dev/null
  }
  if [ "$kind" = mysql ]; then
    P[source.0.user]=root P[source.0.address]=/tmp/selfhost-drill.sock
    await_mysql
    return
  fi
  P[source.0.user]=postgres P[source.0.address]=/tmp
  postgres_reach 0 postgres
  until alone 0 psql -XAtqwc 'SELECT 1' > /dev/null 2>> "$leg_errors"; do
    kill -0 "$server_process" 2>/dev/null && [ "$((SECONDS - waited))" -lt 120 ] || { tail -n 3 -- "$work/server.log" >> "$leg_errors"; return 1; }
    sleep 0.2
  done
  : > "$leg_errors"
}
`;
