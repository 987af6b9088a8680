import { Failure, isFailure, messageOf } from '../../failure';
import type { Json } from '../../json';
import type { Task } from '../../task';
import { hashOfLines, refuseOther } from '../replication/agreed';
import { describeMember, type Member } from '../replication/cluster';
import { runOnMember, withClusterLock, withClusterLocks } from '../replication/member-script';
import { CONFIGURATION } from '../replication/replica';
import { STANDBY_FOLDER } from '../replication/standby-folder';
import { readStatus } from '../replication/status';
import { prepareRestore, refuseContainer } from './scratch';
import { PGBACKREST, type Stanza } from './stanza';
import { describeTarget, type RestoreTarget } from './target';
import { runWork } from './work';

export interface RestoreWish {
  readonly target: RestoreTarget;
  readonly set?: string;
  readonly repository?: number;
  readonly timeline?: number;
  /**
   * `aside`: the folder that is there is kept beside, and comes back when the restore fails; its disk needs room for
   * both. `delta`: only what differs is fetched, and what was there is gone.
   */
  readonly method: 'aside' | 'delta';
  /** The other members of the cluster. None of them may follow, or be ready to take over, what is taken back in time. */
  readonly others: readonly Member[];
}

/** What would be done, and a name for exactly that. */
export interface RestorePlan {
  readonly lines: readonly string[];
  readonly hash: string;
}

const DAY_MS = 24 * 3_600_000;

const LOOK = `
printf 'system %s\\n' "$(control_field 'Database system identifier' 2>/dev/null || :)"
printf 'timeline %s\\n' "$(control_field "Latest checkpoint's TimeLineID" 2>/dev/null || :)"
printf 'standby %s\\n' "$(is_standby_folder && echo yes || echo no)"
printf 'mount %s\\n' "$(mountpoint -q -- "$data" && echo yes || echo no)"
printf 'before %s\\n' "$([ -e "$data.selfhost-before" ] && [ ! -e "$dir/restoring" ] && echo yes || echo no)"
printf 'free %s\\n' "$(df --output=avail -B1 -- "\${data%/*}" | tail -n 1 | tr -d ' ')"
`;

interface Sight extends RestorePlan {
  readonly options: readonly string[];
  readonly bytes: number;
}

/** What would be restored over the real server, and what would become of it. Nothing is changed. */
export async function planRestore(stanza: Stanza, wish: RestoreWish, task: Task): Promise<RestorePlan> {
  const { lines, hash } = await look(stanza, wish, task);
  return { lines, hash };
}

function desiredOf(stanza: Stanza, wish: RestoreWish): Json {
  const { target, set = null, repository = null, timeline = null, method } = wish;
  const { dataFolder, name } = stanza.member;
  return { member: name, dataFolder, target: { ...target }, set, repository, timeline, method };
}

async function look(stanza: Stanza, wish: RestoreWish, task: Task): Promise<Sight> {
  const { cluster, member } = stanza;
  refuseContainer(stanza);
  await refuseFollowers(stanza, wish.others, task);
  const { backup, options, bytes } = await prepareRestore(stanza, wish, task);
  const { stdout } = await runOnMember(cluster, member, { script: LOOK }, task);
  const after = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(stdout)?.[1] ?? '';
  const aside = wish.method === 'aside';
  if (after('standby') === 'yes') {
    throw refused(
      stanza,
      'not_primary',
      'its folder is that of a standby',
      'Restore the primary, and rebuild the standby from it.',
    );
  }
  if (aside && after('mount') === 'yes') {
    throw refused(
      stanza,
      'data_is_mount',
      `${member.dataFolder} is a mount point and cannot be put aside`,
      'Allow the restore to replace only what differs (delta), for which no copy is kept.',
    );
  }
  if (aside && after('before') === 'yes') {
    throw refused(
      stanza,
      'before_is_there',
      `${member.dataFolder}.selfhost-before is there from an earlier restore`,
      'Let go of it when nobody needs it any more (Forget Former Data).',
    );
  }
  const free = Number(after('free'));
  if (aside && free < bytes) {
    throw refused(
      stanza,
      'no_room',
      `both folders need about ${bytes} bytes on its disk, and ${free} are free`,
      'Make room, or allow the restore to replace only what differs (delta), for which no copy is kept.',
    );
  }
  const lines = [
    `PostgreSQL on ${member.name} is stopped; clients are cut off until it is restored`,
    aside
      ? `${member.dataFolder} is put aside as ${member.dataFolder}.selfhost-before`
      : `${member.dataFolder} becomes what the backup says; what differs is lost`,
    `backup ${backup.label} of ${backup.stoppedAt} is restored from repository ${backup.repository}`,
    `WAL is played back up to: ${describeTarget(wish.target)}; every commit after that is gone from this server`,
    'it waits for no standby any more; standbys have to be made anew',
  ];
  // Of a database that lives everything changes all the time; these must not. A restore begins a new timeline, so that
  // no plan is carried out twice.
  const observed = { system: after('system') || null, timeline: after('timeline') || null };
  const wanted = { stanza: stanza.name, wish: desiredOf(stanza, wish), observed };
  return { options, bytes, lines, hash: hashOfLines(cluster.name, 'restore', wanted, lines) };
}

/** A standby that could be promoted would bring back what was to be undone. */
async function refuseFollowers(stanza: Stanza, others: readonly Member[], task: Task): Promise<void> {
  const { cluster, member } = stanza;
  for (const other of others) {
    const { record, server, host } = await readStatus(cluster, other, {}, task);
    const follows = server.kind === 'answers' && server.receiver !== null;
    if (!follows && record?.promotable !== true && host.reached) continue;
    throw refused(
      stanza,
      'standby_in_the_way',
      !host.reached
        ? `nobody can tell what its standby ${other.name} does: ${host.why}`
        : follows
          ? `its standby ${other.name} still follows it`
          : `its standby ${other.name} may still be promoted`,
      `Switch synchronous replication off (Set Up), then stop PostgreSQL on ${other.name}; it is made anew from ${member.name} afterwards.`,
    );
  }
}

function refused(stanza: Stanza, code: string, why: string, nextStep: string): Failure {
  const subject = describeMember(stanza.cluster, stanza.member);
  return new Failure({ code, subject, message: `${subject} is not restored: ${why}`, nextStep });
}

// The folder that was there stays whole beside, or the restore goes over it and only fetches what differs. A note tells a
// second run, after one that was killed, whether what is beside is of before or what is in place is half a restore.
const RESTORE = `${PGBACKREST}${STANDBY_FOLDER}${CONFIGURATION}
# The configuration stays as it is now. That of the backup may not even let the standby in, which came later.
keep_configuration() {
  [ -e "$dir/configuration-restore.tar" ] || return 0
  local auto=$data/postgresql.auto.conf theirs
  theirs=$(grep -E '^(recovery_target[a-z_]*|restore_command) *=' "$auto" || :)
  restore_configuration restore "$data"
  { grep -vE '^(recovery_target[a-z_]*|restore_command) *=' "$auto" || :; printf '%s\\n' "$theirs"; } | owned_file "$auto" 600
  forget_configuration restore
}
method=$1 bytes=$2
shift 2
before=$data.selfhost-before
[ "$method" = delta ] || ! mountpoint -q -- "$data" || stop_with data_is_mount "$data is a mount point"
stop_server_cleanly 300 || end_server || stop_with server_not_stopped "PostgreSQL of $self could not be stopped"
if [ -e "$data/PG_VERSION" ] && [ ! -e "$dir/restoring" ]; then save_configuration restore; fi
if [ "$method" = aside ]; then
  prepare_member
  line_of "$dir/restoring"
  case $REPLY in
    kept) if [ -e "$before" ]; then rm -rf -- "$data"; elif [ -e "$data" ]; then mv -T -- "$data" "$before"; fi ;;
    absent) rm -rf -- "$data" ;;
    *) [ ! -e "$before" ] || stop_with before_is_there "$before is there from an earlier restore"
      if [ -e "$data" ]; then
        echo kept | put "$dir/restoring"
        mv -T -- "$data" "$before"
      else echo absent | put "$dir/restoring"; fi ;;
  esac
  mkdir -m 700 -- "$data"
  [ "$EUID" != 0 ] || chown "$owner:" -- "$data"
  sync -- "\${data%/*}"
  backrest restore "$@" --log-level-console=detail < /dev/null
else
  rm -f -- "$data/postmaster.pid"
  backrest restore "$@" --delta --log-level-console=detail < /dev/null
fi
keep_configuration
`;

const START = `
# Longer than usual: it plays back WAL first.
(start_server) || :
tries=$(($1 * 2))
while ((tries-- > 0)); do
  answer=$(echo 'select pg_is_in_recovery()' | sql 2>/dev/null || :)
  if [ "$answer" = f ]; then
    rm -f -- "$dir/restoring"
    sql <<'SQL'
alter system set synchronous_standby_names = '';
-- A standby that is copied from here would end its recovery at this target, too.
alter system reset recovery_target;
alter system reset recovery_target_action;
alter system reset recovery_target_inclusive;
alter system reset recovery_target_lsn;
alter system reset recovery_target_name;
alter system reset recovery_target_time;
alter system reset recovery_target_timeline;
alter system reset recovery_target_xid;
alter system reset restore_command;
select pg_reload_conf() \\g /dev/null
select 'timeline ' || ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int;
SQL
    exit 0
  fi
  if [ -z "$answer" ] && [ -z "$(server_pids)" ]; then
    stop_with restored_not_started "the restored server ended before it took writes; most often the WAL ends before the target"
  fi
  sleep 0.5
done
stop_with restored_not_started "the restored server was not ready within $1 s"
`;

const GIVE_BACK = `
before=$data.selfhost-before
line_of "$dir/restoring"
if [ "$1" = failed ] && [ "$REPLY" != kept ]; then
  # It had not come so far as to put anything aside.
  if [ "$REPLY" != absent ] && [ -e "$data/PG_VERSION" ] && [ -z "$(server_pids)" ]; then start_server; fi
  echo absent
  exit 0
fi
[ -e "$before" ] || { echo absent; exit 0; }
end_server || stop_with server_not_stopped "the restored server does not end"
rm -rf -- "$data"
mv -T -- "$before" "$data"
sync -- "\${data%/*}"
rm -f -- "$dir/restoring" "$dir/configuration-restore.tar"
start_server
echo back
`;

const FORGET = `
before=$data.selfhost-before
[ -e "$before" ] || { echo absent; exit 0; }
# Then it is all there is of what was there before.
[ ! -e "$dir/restoring" ] || stop_with restore_open "the restore that has put $before aside was never finished"
[ -z "$(data=$before server_pids)" ] || stop_with folder_in_use "a server runs in $before"
rm -rf -- "$before"
echo gone
`;

export interface RestoreResult extends RestorePlan {
  readonly changed: true;
  readonly timeline: number;
  readonly target: string;
  /** Where the former data folder is, until Forget Former Data takes it away. */
  readonly keptAside: string | null;
  readonly job: string;
  readonly seconds: number;
  readonly nextStep: string;
}

/**
 * Does exactly what was planned, or nothing. When it fails and the former folder is aside, that is put back and started
 * again.
 */
export async function applyRestore(
  stanza: Stanza,
  wish: RestoreWish,
  { agreed, timeoutMs = DAY_MS }: { readonly agreed: string; readonly timeoutMs?: number },
  task: Task,
): Promise<RestoreResult> {
  if (agreed === '') {
    throw refused(
      stanza,
      'plan_needed',
      'nobody has agreed to a plan',
      'Run it as a dry run, read its lines, and give its hash as Plan Hash.',
    );
  }
  const begin = performance.now();
  const { cluster, member } = stanza;
  const members = [member, ...wish.others];
  return withClusterLocks(cluster, members, { waitMs: 30_000 }, task, async (inner) => {
    const sight = await look(stanza, wish, inner);
    refuseOther(cluster.name, agreed, sight.hash, sight.lines);
    try {
      const list = [wish.method, String(sight.bytes), ...sight.options];
      const work = { name: 'Restore', intent: 'over the server', script: RESTORE, arguments: list, timeoutMs };
      const { job } = await runWork(stanza, work, inner);
      inner.progress({ message: 'Playing back WAL' });
      const ask = { script: START, arguments: [String(Math.floor(timeoutMs / 1000))], timeoutMs: timeoutMs + 60_000 };
      const { stdout } = await runOnMember(cluster, member, ask, inner);
      return {
        ...{ changed: true, lines: sight.lines, hash: sight.hash },
        timeline: Number(/^timeline (\d+)$/m.exec(stdout)?.[1] ?? 0),
        target: describeTarget(wish.target),
        keptAside: wish.method === 'aside' ? `${member.dataFolder}.selfhost-before` : null,
        job,
        seconds: Math.round((performance.now() - begin) / 100) / 10,
        nextStep: 'Look at the data, take a full backup, make the standbys anew, then let go of what was put aside.',
      };
    } catch (error) {
      if (task.signal.aborted || inner.signal.aborted || wish.method === 'delta') throw error;
      throw await backAgain(stanza, error, inner);
    }
  });
}

async function backAgain(stanza: Stanza, error: unknown, task: Task): Promise<Failure> {
  const { cluster, member } = stanza;
  const code = isFailure(error) ? error.code : 'restore_failed';
  const subject = describeMember(cluster, member);
  const ask = { script: GIVE_BACK, arguments: ['failed'], timeoutMs: 600_000 };
  try {
    const { stdout } = await runOnMember(cluster, member, ask, task);
    const back = stdout.startsWith('back')
      ? 'What was there before is in its place again, and runs'
      : 'Nothing had been put aside';
    return new Failure({
      code,
      subject,
      message: `${messageOf(error)}. ${back}`,
      nextStep: isFailure(error) ? error.nextStep : 'Read the log of the job on that host.',
      cause: error,
    });
  } catch (second) {
    return new Failure({
      code,
      subject,
      message: `${messageOf(error)}. What was there before could not be put back: ${messageOf(second)}`,
      nextStep: `Move ${member.dataFolder}.selfhost-before back to ${member.dataFolder} on that host, and start PostgreSQL.`,
      cause: error,
    });
  }
}

/** Undoes a restore whose former data folder is still beside: every commit since then is gone with it. */
export async function undoRestore(stanza: Stanza, wish: AsideWish, task: Task): Promise<{ readonly changed: boolean }> {
  return aside(stanza, GIVE_BACK, wish, task);
}

/** Takes away what a restore has put aside. */
export async function forgetFormerData(
  stanza: Stanza,
  wish: AsideWish,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  return aside(stanza, FORGET, wish, task);
}

export interface AsideWish {
  /** Only says whether there is anything aside. */
  readonly dryRun: boolean;
}

const IS_ASIDE = `
if [ -e "$data.selfhost-before" ]; then echo there; else echo absent; fi
`;

async function aside(
  { cluster, member }: Stanza,
  script: string,
  { dryRun }: AsideWish,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  if (dryRun) {
    const { stdout } = await runOnMember(cluster, member, { script: IS_ASIDE }, task);
    return { changed: !stdout.startsWith('absent') };
  }
  return withClusterLock(cluster, member, { waitMs: 30_000 }, task, async (lock, inner) => {
    const ask = { script, arguments: ['asked'], timeoutMs: 600_000 };
    const { stdout } = await runOnMember(cluster, member, ask, inner, lock);
    return { changed: !stdout.startsWith('absent') };
  });
}
