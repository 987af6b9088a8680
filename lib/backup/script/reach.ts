/**
 * What runs inside a container, beside its database. Arguments: what its secret is for, `through` or `watched`, then
 * `NAME=value` words and the program. The secret comes first on standard input, up to an empty line, and goes to a
 * nameless file in memory. Whoever kills the docker client cuts standard input only, and leaves a process that holds a
 * snapshot for ever; so a program that needs no input is ended when its input ends.
 */
const IN_CONTAINER = `
keep=$1 how=$2
shift 2
umask 077
if [ "$keep" != none ]; then
  file=/dev/shm/.selfhost-secret.$$
  : > "$file" || exit 97
  while IFS= read -r line && [ -n "$line" ]; do printf "%s\\n" "$line"; done > "$file"
  exec 9< "$file"
  rm -f "$file"
  case $keep in
    pgpass) export PGPASSFILE=/dev/fd/9 ;;
    redis) IFS= read -r REDISCLI_AUTH <&9; export REDISCLI_AUTH ;;
  esac
fi
while :; do case $1 in [A-Z]*=*) export "$1"; shift ;; *) break ;; esac; done
name=$1
shift
command -v "$name" > /dev/null 2>&1 || case $name in
  mariadb) name=mysql ;;
  mariadb-dump) name=mysqldump ;;
  mariadb-check) name=mysqlcheck ;;
esac
[ "$how" = watched ] || exec "$name" "$@"
exec 8<&0
"$name" "$@" < /dev/null 8<&- &
child=$!
(cat <&8; kill "$child") > /dev/null 2>&1 9<&- &
wait "$child"
`;

/**
 * How the programs of a database are run: on the host as its user, or in its container through the docker client. The
 * array `reach` is what stands before the program; `secret_lines` is what goes before its input.
 */
export const REACH = `
IFS= read -r -d '' in_container_script <<'IN_CONTAINER' || :
${IN_CONTAINER}
IN_CONTAINER

docker_client() {
  local list=(docker)
  [ -z "\${P[source.$1.dockerSocket]-}" ] || list+=(--host "unix://\${P[source.$1.dockerSocket]}")
  shift
  "\${list[@]}" "$@"
}

in_container() {
  local i=$1 keep=$2 how=$3 user=()
  shift 3
  [ -n "\${P[source.$i.passfile]-}" ] || keep=none
  [ -z "\${P[source.$i.runAs]-}" ] || user=(--user "\${P[source.$i.runAs]}")
  docker_client "$i" exec --interactive "\${user[@]}" -- "\${P[source.$i.container]}" sh -c "$in_container_script" selfhost "$keep" "$how" "$@"
}

# secret_lines NUMBER: what a program in a container reads before its own input; nothing for one on the host.
secret_lines() {
  [ -n "\${P[source.$1.container]-}" ] && [ -n "\${P[source.$1.passfile]-}" ] || return 0
  cat "/dev/fd/\${P[source.$1.passfile]}"
  printf '\\n\\n'
}

# alone NUMBER PROGRAM...: one that needs no input.
alone() {
  local i=$1 line status
  shift
  if [ -z "\${P[source.$i.container]-}" ]; then "\${reach[@]}" "$@" < /dev/null; return; fi
  # A fifo that we hold open at both ends: it has the secret in it, and its end is ours.
  rm -f -- "$work/line.$i"
  mkfifo -- "$work/line.$i" && exec {line}<>"$work/line.$i" && rm -f -- "$work/line.$i" || return 1
  secret_lines "$i" >&"$line"
  reach[3]=watched
  "\${reach[@]}" "$@" <&"$line"
  status=$?
  exec {line}>&-
  return "$status"
}

postgres_reach() {
  local i=$1 list=(HOME=/ PGCONNECT_TIMEOUT=15 PGCLIENTENCODING=UTF8 PGAPPNAME=selfhost-backup "PGDATABASE=$2") user=\${P[source.$1.user]-}
  [ -z "\${P[source.$i.address]-}" ] || list+=("PGHOST=\${P[source.$i.address]}")
  [ -z "\${P[source.$i.port]-}" ] || list+=("PGPORT=\${P[source.$i.port]}")
  if [ -n "\${P[source.$i.container]-}" ]; then
    reach=(in_container "$i" pgpass through "\${list[@]}" "PGUSER=\${user:-postgres}")
    return
  fi
  [ -z "$user" ] || list+=("PGUSER=$user")
  [ -z "\${P[source.$i.passfile]-}" ] || list+=("PGPASSFILE=/dev/fd/\${P[source.$i.passfile]}")
  reach=(as "\${P[source.$i.runAs]-}" env "\${list[@]}")
}

# mysql_reach NUMBER: and in mysql_words what every program of MariaDB and MySQL gets as its first arguments.
mysql_reach() {
  local i=$1 user=\${P[source.$1.user]-}
  mysql_words=()
  if [ -n "\${P[source.$i.container]-}" ]; then
    reach=(in_container "$i" mysql through HOME=/)
    [ -z "\${P[source.$i.passfile]-}" ] || mysql_words+=(--defaults-extra-file=/dev/fd/9)
    user=\${user:-root}
  else
    reach=(as "\${P[source.$i.runAs]-}" env HOME=/)
    [ -z "\${P[source.$i.passfile]-}" ] || mysql_words+=("--defaults-extra-file=/dev/fd/\${P[source.$i.passfile]}")
  fi
  [ -z "$user" ] || mysql_words+=("--user=$user")
  case \${P[source.$i.address]-} in
    '') ;;
    /*) mysql_words+=("--socket=\${P[source.$i.address]}") ;;
    *) mysql_words+=("--host=\${P[source.$i.address]}" "--port=\${P[source.$i.port]-3306}" --protocol=tcp) ;;
  esac
  mysql_words+=(--default-character-set=utf8mb4)
}

# named PROGRAM: MariaDB's name of it, or MySQL's where this host has only that. A container finds out by itself.
named() {
  REPLY=$1
  [ -z "\${P[source.$2.container]-}" ] && ! command -v "$1" > /dev/null || return 0
  case $1 in mariadb) REPLY=mysql ;; mariadb-dump) REPLY=mysqldump ;; mariadb-check) REPLY=mysqlcheck ;; esac
}

# Passwords leave the plan for memory that the user who needs them may read.
hide_password() {
  local i=$1 user=\${P[source.$1.runAs]-}
  [ -n "\${P[source.$i.password]-}" ] || return 0
  [ "$EUID" = 0 ] && [ -z "\${P[source.$i.container]-}" ] || user=
  case \${P[source.$i.kind]} in
    *postgres*) hide "*:*:*:*:$(pgpass "\${P[source.$i.password]}")" "$user" ;;
    *mysql*) hide "$(mysql_option "\${P[source.$i.password]}")" "$user" ;;
    *) hide "\${P[source.$i.password]}" "$user" ;;
  esac
  P[source.$i.passfile]=$REPLY
  unset "P[source.$i.password]"
}
pgpass() { local s=$1; s=\${s//'\\'/'\\\\'}; printf %s "\${s//:/'\\:'}"; }
mysql_option() { local s=$1; printf '[client]\\npassword="%s"' "\${s//'\\'/'\\\\'}"; }
`;
