import { dataFolderInside, slotOf, type Cluster, type Member } from './cluster';

/** A value of a connection string, quoted as libpq reads it. */
function quoted(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

/** How one member logs in to another; the password comes from a file that is named in addition. */
export function connectionOf(cluster: Cluster, from: Member, to: Member): string {
  return [
    `host=${quoted(to.address)}`,
    `port=${to.port}`,
    `user=${quoted(cluster.replication.user)}`,
    `application_name=${quoted(from.name)}`,
    // A peer that is lost without a word is noticed within seconds, and not by the kernel in minutes.
    'connect_timeout=5 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000',
  ].join(' ');
}

/** What postgresql.auto.conf of a standby must end with; the last line about a setting counts. */
export function standbySettings(cluster: Cluster, standby: Member, primary: Member): string {
  const inFile = (value: string) => `'${value.replace(/'/g, "''")}'`;
  const passwordFile = `${dataFolderInside(standby)}/selfhost.pgpass`;
  return [
    `primary_conninfo = ${inFile(`${connectionOf(cluster, standby, primary)} passfile=${quoted(passwordFile)}`)}`,
    `primary_slot_name = ${inFile(slotOf(standby))}`,
    // Its own list is for the day it is the primary; until then, and on that day, it waits for nobody.
    `synchronous_standby_names = ''`,
    `recovery_target_timeline = 'latest'`,
    // It streams, and its slot keeps what it needs. A call of a restore_command whose repository hangs would hold up its
    // promotion, and is under way at just that moment: it begins when the primary is lost.
    `restore_command = ''`,
    '',
  ].join('\n');
}

/** The line of a password file, for any database of any host. */
export function passwordLine({ replication }: Cluster): string {
  return `*:*:*:${replication.user}:${replication.password.replace(/[\\:]/g, '\\$&')}\n`;
}

export const STANDBY_FOLDER = `
# owned_file FILE MODE: standard input becomes the file, durably, and belongs to PostgreSQL's user.
owned_file() {
  local draft=$1.selfhost-new
  cat > "$draft" && chmod "$2" -- "$draft" && give_to_owner "$draft" &&
    sync -- "$draft" && mv -fT -- "$draft" "$1" && sync -- "\${1%/*}" || refuse "$1 cannot be written"
}
# A password file that is gone with the script; its path comes back in REPLY.
lent_password_file() {
  REPLY=$(mktemp -p /run selfhost.XXXXXXXX)
  lent=$REPLY
  trap 'rm -f -- "$lent"' EXIT
  printf '%s\\n' "$1" > "$REPLY"
  give_to_owner "$REPLY"
}
# become_standby FOLDER PASSWORD_LINE SETTINGS
become_standby() {
  prepare_member
  if grep -qE "^restore_command *= *'.+'" "$1/postgresql.auto.conf"; then
    grep -E '^restore_command *=' "$1/postgresql.auto.conf" | tail -n 1 | put "$dir/restore_command"
  fi
  printf '%s\\n' "$2" | owned_file "$1/selfhost.pgpass" 600
  # Ours come last, and what earlier ones there are goes, so that the file does not grow with every rejoin.
  { grep -vE '^(primary_conninfo|primary_slot_name|synchronous_standby_names|recovery_target[a-z_]*|restore_command) *=' \\
      "$1/postgresql.auto.conf" || :; printf '%s\\n' "$3"; } | owned_file "$1/postgresql.auto.conf" 600
  : | owned_file "$1/standby.signal" 600
}
`;
