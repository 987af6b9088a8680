import { Failure, isFailure, messageOf } from '../../failure';
import type { Json } from '../../json';
import type { Task } from '../../task';
import { hashOfLines, refuseOther } from '../replication/agreed';
import { describeMember, type Member } from '../replication/cluster';
import { runOnMember, withClusterLock, withClusterLocks } from '../replication/member-script';
import { CONFIGURATION } from '../replication/replica';
import { STANDBY_FOLDER } from '../replication/standby-folder';
import { readStatus } from '../replication/status';
import {
  parseRestoreRecord,
  RESTORE_RECORD,
  recordLine,
  SHOW_RESTORE_RECORD,
  type RestoreSeen,
  type RestoreStep,
} from '../replication/restore-record';
import { prepareRestore } from './scratch';
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
  /**
   * How far an earlier run of this very plan has come. One that was cut off is gone on with; of one that is done
   * nothing is done again.
   */
  readonly earlier: { readonly step: RestoreStep; readonly at: string } | null;
  /**
   * Standbys that would bring back what is to be undone. They are no reason against the plan, which has to be read before
   * they are let go; nothing is restored as long as they are there.
   */
  readonly inTheWay: readonly InTheWay[];
}

export interface InTheWay {
  readonly member: string;
  readonly why: string;
}

const DAY_MS = 24 * 3_600_000;

// Whether the work of an earlier run still goes on: it is a job of the host, and outlives whoever began it.
const LOOK = `${SHOW_RESTORE_RECORD}
printf 'system %s\\n' "$(control_field 'Database system identifier' 2>/dev/null || :)"
printf 'timeline %s\\n' "$(control_field "Latest checkpoint's TimeLineID" 2>/dev/null || :)"
open=no
if [ -e "$dir/restoring" ] || [ -e "$dir/autostart" ]; then open=yes; fi
printf 'open %s\\n' "$open"
# What a restore that was cut off has left looks like the folder of a standby until it was started.
printf 'standby %s\\n' "$([ "$open" = no ] && is_standby_folder && echo yes || echo no)"
printf 'mount %s\\n' "$(mountpoint -q -- "$data" && echo yes || echo no)"
printf 'kept %s\\n' "$([ -e "$data.selfhost-before" ] && echo yes || echo no)"
printf 'busy %s\\n' "$([ ! -e "$dir/restore.lock" ] || flock -n "$dir/restore.lock" true && echo no || echo yes)"
printf 'before %s\\n' "$([ -e "$data.selfhost-before" ] && [ ! -e "$dir/restoring" ] && echo yes || echo no)"
printf 'free %s\\n' "$(df --output=avail -B1 -- "\${data%/*}" | tail -n 1 | tr -d ' ')"
`;

/** What is to be done, and what of it an earlier run has done. */
type Sight = RestorePlan &
  (
    | { readonly kind: 'new'; readonly options: readonly string[]; readonly bytes: number; readonly record: string }
    /** Its files are restored; the server may not be ready yet, or nobody has tidied up after it. */
    | { readonly kind: 'restored'; readonly seen: RestoreSeen; readonly open: boolean }
  );

/**
 * What would be restored over the real server, and what would become of it. Nothing is changed. What cannot be done is
 * refused here, before anybody is asked and before a standby is let go for it.
 */
export async function planRestore(stanza: Stanza, wish: RestoreWish, task: Task): Promise<RestorePlan> {
  const { lines, hash, earlier, inTheWay } = await look(stanza, wish, task);
  return { lines, hash, earlier, inTheWay };
}

function desiredOf(stanza: Stanza, wish: RestoreWish): Json {
  const { target, set = null, repository = null, timeline = null, method } = wish;
  const { dataFolder, name } = stanza.member;
  return { member: name, dataFolder, target: { ...target }, set, repository, timeline, method };
}

async function look(stanza: Stanza, wish: RestoreWish, task: Task): Promise<Sight> {
  const { cluster, member } = stanza;
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
  const seen = parseRestoreRecord([...stdout.matchAll(/^record (.*)$/gm)].map(([, line = '']) => line));
  const wanted = { stanza: stanza.name, wish: desiredOf(stanza, wish) };
  const wishHash = hashOfLines(cluster.name, 'restore', wanted, []);
  // Only as long as what was there before stands beside: without it nobody could tell whether it was put back by hand.
  const ours = aside && after('kept') === 'yes' && seen?.wish === wishHash ? seen : undefined;
  if (ours?.step === 'done') return restored(ours, after('open') === 'yes', []);
  const inTheWay = await followersOf(stanza, wish.others, task);
  if (ours?.step === 'restored' && after('open') === 'yes') return restored(ours, true, inTheWay);
  const { backup, options, bytes, timeline } = await prepareRestore(stanza, wish, task);
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
      `${member.dataFolder}.selfhost-before is there from an earlier restore${seen?.step === 'done' ? ` (${seen.target}, ${seen.at})` : ''}`,
      'Let go of it when nobody needs it any more (Forget Former Data).',
    );
  }
  const lines = [
    `PostgreSQL on ${member.name} is stopped; clients are cut off until it is restored`,
    aside
      ? `${member.dataFolder} is put aside as ${member.dataFolder}.selfhost-before`
      : `${member.dataFolder} becomes what the backup says; what differs is lost`,
    `backup ${backup.label} of ${backup.stoppedAt} is restored from repository ${backup.repository}`,
    `WAL is played back${timeline === null ? '' : ` on timeline ${timeline}`} up to: ${describeTarget(wish.target)}; every commit after that is gone from this server`,
    'it waits for no standby any more; standbys have to be made anew',
  ];
  const work = hashOfLines(cluster.name, 'restore', wanted, lines);
  const same = seen?.step === 'begun' && seen.work === work;
  if (after('busy') === 'yes' && !same) {
    throw refused(
      stanza,
      'restore_running',
      `a restore to ${seen?.target ?? 'another moment'} goes on there`,
      'Ask for that one again, which waits for it, or end its job on that host first.',
    );
  }
  const free = Number(after('free'));
  // What a run that was cut off has written makes room again, or is the very work that goes on.
  if (aside && free < bytes && !same) {
    throw refused(
      stanza,
      'no_room',
      `both folders need about ${bytes} bytes on its disk, and ${free} are free`,
      'Make room, or allow the restore to replace only what differs (delta), for which no copy is kept.',
    );
  }
  // Of a database that lives everything changes all the time; these must not. A restore begins a new timeline, so that
  // no plan is carried out twice.
  const observed = { system: after('system') || null, timeline: after('timeline') || null };
  const hash = same ? seen.hash : hashOfLines(cluster.name, 'restore', { ...wanted, observed }, lines);
  const target = describeTarget(wish.target);
  const record = recordLine({ cluster: cluster.name, target, wish: wishHash, work, hash, lines });
  const earlier = same ? { step: seen.step, at: seen.at } : null;
  return { kind: 'new', lines, hash, earlier, inTheWay, options, bytes, record };
}

function restored(seen: RestoreSeen, open: boolean, inTheWay: readonly InTheWay[]): Sight {
  const { lines, hash, step, at } = seen;
  return { kind: 'restored', lines, hash, earlier: { step, at }, inTheWay, seen, open };
}

/** A standby that could be promoted would bring back what was to be undone. */
async function followersOf({ cluster }: Stanza, others: readonly Member[], task: Task): Promise<readonly InTheWay[]> {
  const found: InTheWay[] = [];
  for (const other of others) {
    const { record, server, host } = await readStatus(cluster, other, {}, task);
    const follows = server.kind === 'answers' && server.receiver !== null;
    if (!follows && record?.promotable !== true && host.reached) continue;
    const why = !host.reached
      ? `nobody can tell what its standby ${other.name} does: ${host.why}`
      : follows
        ? `its standby ${other.name} still follows it`
        : `its standby ${other.name} may still be promoted`;
    found.push({ member: other.name, why });
  }
  return found;
}

function refuseFollowers(stanza: Stanza, [first]: readonly InTheWay[]): void {
  if (first === undefined) return;
  throw refused(
    stanza,
    'standby_in_the_way',
    first.why,
    `Switch synchronous replication off (Set Up), then stop PostgreSQL on ${first.member}; it is made anew from ${stanza.member.name} afterwards.`,
  );
}

function refused(stanza: Stanza, code: string, why: string, nextStep: string): Failure {
  const subject = describeMember(stanza.cluster, stanza.member);
  return new Failure({ code, subject, message: `${subject} is not restored: ${why}`, nextStep });
}

// The folder that was there stays whole beside, or the restore goes over it and only fetches what differs. A note tells a
// second run, after one that was killed, whether what is beside is of before or what is in place is half a restore.
const RESTORE = `${PGBACKREST}${STANDBY_FOLDER}${CONFIGURATION}${RESTORE_RECORD}
# The configuration stays as it is now. That of the backup may not even let the standby in, which came later.
keep_configuration() {
  [ -e "$dir/configuration-restore.tar" ] || return 0
  local auto=$data/postgresql.auto.conf theirs
  theirs=$(grep -E '^(recovery_target[a-z_]*|restore_command) *=' "$auto" || :)
  restore_configuration restore "$data"
  { grep -vE '^(recovery_target[a-z_]*|restore_command) *=' "$auto" || :; printf '%s\\n' "$theirs"; } | owned_file "$auto" 600
  forget_configuration restore
}
# In a container its own configuration lies in the folder that is restored. So it works with a copy of that; what the
# server calls afterwards names the real one, which is put back.
lend_settings() {
  [ "$kind" = docker ] || return 0
  local one named= list=()
  for one in "\${options[@]}"; do case $one in --config=*) named=\${one#*=} ;; *) list+=("$one") ;; esac; done
  [ -n "$named" ] || return 0
  host_path "$named"
  [ -e "$REPLY" ] || REPLY=$data.selfhost-before\${REPLY#"$data"}
  [ -e "$REPLY" ] || stop_with config_missing "the configuration of pgBackRest, $named, is not there"
  lent=$(mktemp -p /run selfhost.XXXXXXXX)
  trap 'rm -f -- "$lent"' EXIT
  cat -- "$REPLY" > "$lent"
  give_to_owner "$lent"
  options=("\${list[@]}" "--config=$lent" "--recovery-option=restore_command=pgbackrest --config=$named --stanza=$stanza archive-get %f \\"%p\\"")
}
method=$1 bytes=$2 stanza=$3 record=$4
shift 4
options=("$@")
# Held by whatever works here: a second one of another plan would not be beside it, but in the same folder.
prepare_member
exec {working}> "$dir/restore.lock"
flock -n "$working" || stop_with restore_running "another restore over $self goes on"
lend_settings
before=$data.selfhost-before
[ "$method" = delta ] || ! mountpoint -q -- "$data" || stop_with data_is_mount "$data is a mount point"
begin_record "$record"
if [ ! -e "$dir/autostart" ]; then
  keep_autostart
  prepare_member
  printf '%s\\n' "$policy" | put "$dir/autostart"
fi
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
  if [ "$kind" != docker ]; then give_to_owner "$data"
  elif [ -e "$before" ]; then chown --reference="$before" -- "$data"
  else chown "$(one_off -- id -u < /dev/null):$(one_off -- id -g < /dev/null)" -- "$data"; fi
  sync -- "\${data%/*}"
  backrest restore "\${options[@]}" --log-level-console=detail < /dev/null
else
  rm -f -- "$data/postmaster.pid"
  backrest restore "\${options[@]}" --delta --log-level-console=detail < /dev/null
fi
keep_configuration
record_step restored
`;

const AUTOSTART = `
# As it was before the restore stopped it.
autostart_as_before() {
  line_of "$dir/autostart"
  policy=$REPLY
  give_autostart
  rm -f -- "$dir/autostart"
}
`;

// The record says that it is done before the notes of the way there go, and only once nothing of the restore is left in
// the settings: who is asked again after any of these lines knows what is left to do.
const START = `${AUTOSTART}${RESTORE_RECORD}
# Longer than usual: it plays back WAL first. Whether it is up is found below.
(start_server) 2> /dev/null || :
tries=$(($1 * 2))
while ((tries-- > 0)); do
  answer=$(echo 'select pg_is_in_recovery()' | sql 2>/dev/null || :)
  if [ "$answer" = f ]; then
    said=$(sql <<'SQL'
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
)
    record_step done "\${said#timeline }" "$2"
    rm -f -- "$dir/restoring"
    autostart_as_before
    printf '%s\\n' "$said"
    exit 0
  fi
  if [ -z "$answer" ] && [ -z "$(server_pids)" ]; then
    stop_with restored_not_started "the restored server ended before it took writes; most often the WAL ends before the target"
  fi
  sleep 0.5
done
stop_with restored_not_started "the restored server was not ready within $1 s"
`;

const GIVE_BACK = `${AUTOSTART}${RESTORE_RECORD}
before=$data.selfhost-before
line_of "$dir/restoring"
if [ "$1" = failed ] && [ "$REPLY" != kept ]; then
  # It had not come so far as to put anything aside.
  if [ "$REPLY" != absent ] && [ -e "$data/PG_VERSION" ] && [ -z "$(server_pids)" ]; then start_server; fi
  autostart_as_before
  forget_record
  echo absent
  exit 0
fi
[ -e "$before" ] || { echo absent; exit 0; }
end_server || stop_with server_not_stopped "the restored server does not end"
forget_record
rm -rf -- "$data"
mv -T -- "$before" "$data"
sync -- "\${data%/*}"
rm -f -- "$dir/restoring" "$dir/configuration-restore.tar"
start_server
autostart_as_before
echo back
`;

const FORGET = `${RESTORE_RECORD}
before=$data.selfhost-before
[ -e "$before" ] || { echo absent; exit 0; }
# Then it is all there is of what was there before.
[ ! -e "$dir/restoring" ] || stop_with restore_open "the restore that has put $before aside was never finished"
[ -z "$(data=$before server_pids)" ] || stop_with folder_in_use "a server runs in $before"
forget_record
rm -rf -- "$before"
echo gone
`;

export interface RestoreResult extends RestorePlan {
  /** Not when an earlier run of the same plan had done it. */
  readonly changed: boolean;
  readonly timeline: number;
  readonly target: string;
  /** Where the former data folder is, until Forget Former Data takes it away. */
  readonly keptAside: string | null;
  readonly job: string | null;
  readonly seconds: number;
  readonly nextStep: string;
}

const AFTERWARDS = 'Look at the data, take a full backup, make the standbys anew, then let go of what was put aside.';

/**
 * Does exactly what was planned, or nothing. Asked again for the same plan it goes on where the run before was cut off,
 * or answers what that has done, as long as the former folder is aside. When it fails and the former folder is aside, that is put back and started
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
    refuseFollowers(stanza, sight.inTheWay);
    refuseOther(cluster.name, agreed, sight.hash, sight.lines);
    const { lines, hash, earlier, inTheWay } = sight;
    const facts = {
      ...{ lines, hash, earlier, inTheWay, target: describeTarget(wish.target) },
      keptAside: wish.method === 'aside' ? `${member.dataFolder}.selfhost-before` : null,
    };
    if (sight.kind === 'restored' && earlier?.step === 'done' && !sight.open) {
      const { timeline, job, begunAt, at } = sight.seen;
      const seconds = (Date.parse(at) - Date.parse(begunAt)) / 1000;
      const nextStep = `It was done at ${at}, and nothing was restored again. ${AFTERWARDS}`;
      return { ...facts, changed: false, timeline, job, seconds, nextStep };
    }
    try {
      const job = sight.kind === 'new' ? await restoreFiles(stanza, wish, sight, timeoutMs, inner) : null;
      inner.progress({ message: 'Playing back WAL' });
      const list = [String(Math.floor(timeoutMs / 1000)), job ?? '-'];
      const ask = { script: START, arguments: list, timeoutMs: timeoutMs + 60_000 };
      const { stdout } = await runOnMember(cluster, member, ask, inner);
      const timeline = Number(/^timeline (\d+)$/m.exec(stdout)?.[1] ?? 0);
      const seconds = Math.round((performance.now() - begin) / 100) / 10;
      return { ...facts, changed: true, timeline, job, seconds, nextStep: AFTERWARDS };
    } catch (error) {
      if (task.signal.aborted || inner.signal.aborted || wish.method === 'delta') throw error;
      // What an earlier run has restored may have taken writes since; only what surely never did is given up.
      if (sight.kind === 'restored' && (earlier?.step === 'done' || !isFailure(error, 'restored_not_started'))) {
        throw error;
      }
      throw await backAgain(stanza, error, inner);
    }
  });
}

/** The same plan is the same job, so that one which still goes on is waited for. */
async function restoreFiles(
  stanza: Stanza,
  { method }: RestoreWish,
  { options, bytes, record, hash }: Extract<Sight, { kind: 'new' }>,
  timeoutMs: number,
  task: Task,
): Promise<string> {
  const list = [method, String(bytes), stanza.name, record, ...options];
  const intent = `over the server ${hash}`;
  const work = { name: 'Restore', intent, script: RESTORE, arguments: list, timeoutMs };
  return (await runWork(stanza, work, task)).job;
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
