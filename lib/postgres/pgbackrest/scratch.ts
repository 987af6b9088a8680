import type { Task } from '../../task';
import { Failure } from '../../failure';
import { isObject, parseJson } from '../../json';
import { hashOfLines } from '../replication/agreed';
import { runOnMember } from '../replication/member-script';
import { readBackups, type BackupSeen, type RepositorySeen } from './info';
import { backupsOf, backupsOfSystem, readLineage, timelineOf } from './lineage';
import { readReach } from './reach';
import { describeStanza, PGBACKREST, stanzaOptions, type Stanza } from './stanza';
import {
  checkTarget,
  candidatesOf,
  describeTarget,
  newestFor,
  noBackup,
  refuseOutOfReach,
  targetOptions,
  type RestoreTarget,
} from './target';
import { runWork } from './work';

/**
 * A folder in which a restored copy lives: `data`, and `socket`, its only door. It hears on no network, archives
 * nothing, waits for no standby and runs no job of pg_cron. The copy of a server in a container runs in one of its own,
 * from the same image; there the folder has the same name as on the host, and everything of the real one is read-only.
 */
export const SCRATCH = `${PGBACKREST}
# Whoever works in a folder has it to himself: lock_scratch SECONDS TO WAIT
lock_scratch() {
  prepare_member
  exec {working}> "$dir/scratch-$(scratch_id).lock"
  flock -w "$1" "$working" || stop_with restore_running "a restore into $scratch goes on"
}
scratch_id() { printf %s "$scratch" | sha256sum | cut -c 1-12; }
# What a copy is of lies with the state, where PostgreSQL's user cannot change it.
note_of() { REPLY=$dir/scratch-$(scratch_id); }
# prepare_scratch FOLDER BYTES [NOTE [SECONDS TO WAIT FOR WHOEVER WORKS THERE]]
prepare_scratch() {
  scratch=$1
  case $scratch/ in */../*|*//*) stop_with folder_not_scratch "$scratch is no plain path" ;; esac
  lock_scratch "\${4:-0}"
  if [ -e "$scratch" ] && [ ! -e "$scratch/selfhost-scratch" ]; then
    stop_with folder_not_scratch "$scratch exists and is not a scratch folder of ours"
  fi
  [ -z "$(data=$scratch/data server_pids)" ] || stop_with folder_in_use "a server runs in $scratch"
  if [ "$kind" = docker ]; then docker rm --force -- "$(copy_container)" "$(copy_container)-restore" > /dev/null 2>&1 || :; fi
  remove_files
  local parent=\${scratch%/*} free
  [ -d "\${parent:-/}" ] || stop_with folder_not_scratch "the folder \${parent:-/} is not there"
  free=$(df --output=avail -B1 -- "\${parent:-/}" | tail -n 1 | tr -d ' ')
  ((free >= $2)) || stop_with no_room "it needs about $2 bytes in \${parent:-/}, and $free are free"
  note_of
  printf '%s\\n' "\${3:-}" | put "$REPLY"
  # It is never there without its mark: one that a killed run has left could be told from nobody's.
  local new=$scratch.selfhost-new
  if [ -e "$new" ]; then
    rm -f -- "$new/selfhost-scratch"
    rmdir -- "$new" || stop_with folder_not_scratch "$new exists and is not ours"
  fi
  mkdir -m 700 -- "$new"
  : > "$new/selfhost-scratch"
  mv -T -- "$new" "$scratch"
  mkdir -m 700 -- "$scratch/data" "$scratch/socket" "$scratch/tablespaces"
  give_to_owner "$scratch" "$scratch/data" "$scratch/socket" "$scratch/tablespaces"
}
copy_container() { printf 'selfhost-copy-%s' "$(scratch_id)"; }
# beside_real NAME OPTION... -- PROGRAM...: in a container like the real one, which it can read, with the scratch folder.
beside_real() {
  local name=$1
  shift
  one_off --name "$name" --volumes-from "$ref:ro" -v "$scratch:$scratch" -w "$scratch" "$@"
}
# in_copy PROGRAM...: where the copy runs, as PostgreSQL's user.
in_copy() (
  [ "$kind" != docker ] || ref=$(copy_container)
  as_owner "$@"
)
restore_scratch() {
  local options=("$@") backrest_by=(as_owner)
  [ "$kind" != docker ] || backrest_by=(beside_real "$(copy_container)-restore" --)
  backrest restore "\${options[@]}" --pg1-path="$scratch/data" --archive-mode=off \\
    --tablespace-map-all="$scratch/tablespaces" --log-level-console=detail < /dev/null
}
start_scratch() {
  # That of the real one where it is there: what it includes is named from where it lies.
  local settings=() one file=$config
  if [ "$kind" = docker ]; then
    case $file in "$data"/*) file=$scratch/data/\${file#"$data"/} ;; esac
  elif [ ! -e "$file" ]; then file=$scratch/data/postgresql.conf; fi
  printf 'local all all trust\\n' > "$scratch/hba.conf"
  : > "$scratch/ident.conf"
  : > "$scratch/log"
  give_to_owner "$scratch/hba.conf" "$scratch/ident.conf" "$scratch/log"
  if [ "$kind" = docker ]; then while IFS= read -r one; do settings+=(-c "$one"); done < <(settings_of_command); fi
  for one in "data_directory=$scratch/data" "config_file=$file" "hba_file=$scratch/hba.conf" "ident_file=$scratch/ident.conf" \\
    external_pid_file= listen_addresses= "port=$port" "unix_socket_directories=$scratch/socket" unix_socket_permissions=0700 \\
    archive_mode=off synchronous_standby_names= primary_conninfo= primary_slot_name= hot_standby=on ssl=off \\
    logging_collector=off log_destination=stderr shared_buffers=128MB huge_pages=off cluster_name=selfhost-scratch \\
    log_timezone=UTC cron.launch_active_jobs=off lc_messages=C; do settings+=(-c "$one"); done
  # Its lines are read by us, in the language we know.
  if [ "$kind" = docker ]; then
    LC_ALL=C beside_real "$(copy_container)" --detach --shm-size 128m -- \\
      sh -c 'exec "$0" "$@" >> log 2>&1' "$bin/postgres" "\${settings[@]}" < /dev/null > /dev/null
  else
    (cd "$scratch" && without_files as_owner env LC_ALL=C "$bin/postgres" "\${settings[@]}" < /dev/null >> "$scratch/log" 2>&1 &)
  fi
}
# What a server in a container may have been given on its command line, and a copy of it needs: without its libraries it
# could not read its own types, and with less room than the real one it could not play back its WAL.
settings_of_command() {
  local name real restored value least
  real=$(sql 2>/dev/null <<'SQL' || :
select name || '=' || setting from pg_settings where name in ('shared_preload_libraries', 'max_connections',
  'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')
SQL
  )
  restored=$(LC_ALL=C in_restored "$bin/pg_controldata" -D "$scratch/data")
  grep '^shared_preload_libraries=' <<< "$real" || :
  for name in max_connections max_worker_processes max_wal_senders max_prepared_transactions:max_prepared_xacts max_locks_per_transaction:max_locks_per_xact; do
    least=$(sed -n "s/^\${name#*:} setting: *//p" <<< "$restored")
    value=$(sed -n "s/^\${name%:*}=//p" <<< "$real")
    ((\${value:-0} >= \${least:-0})) || value=$least
    [ -z "$value" ] || printf '%s=%s\\n' "\${name%:*}" "$value"
  done
}
in_restored() { beside_real "$(copy_container)-restore" -- "$@" < /dev/null; }
scratch_sql() (
  [ "$kind" != docker ] || ref=$(copy_container)
  socket=$scratch/socket
  sql "$@"
)
# await_scratch SECONDS: until it takes writes, which it does when it has played back all that was wanted.
await_scratch() {
  local tries=$(($1 * 5)) why
  while ((tries-- > 0)); do
    if [ "$(echo 'select pg_is_in_recovery()' | scratch_sql 2>/dev/null)" = f ]; then return 0; fi
    if ((tries % 5 == 0)) && [ -z "$(data=$scratch/data server_pids)" ]; then
      # What our own looks were answered meanwhile is no reason.
      why=$(grep -E 'FATAL|PANIC' "$scratch/log" | grep -v 'FATAL: *the database system is' | tail -n 1 | sed 's/^.*\\(FATAL\\|PANIC\\): *//')
      case $why in
        *'before configured recovery target was reached'*)
          stop_with target_not_reached "the WAL ended before the target; the last commit in it was at $(last_commit)" ;;
        *) stop_with restored_not_started "the restored server ended: \${why:-without a word}" ;;
      esac
    fi
    sleep 0.2
  done
  stop_with restored_not_started "the restored server was not ready within $1 s"
}
last_commit() {
  local at
  at=$(sed -n 's/^.*last completed transaction was at log time //p' "\${1:-$scratch/log}" | tail -n 1)
  printf '%s' "\${at:-an unknown time}"
}
end_scratch() {
  [ -e "$scratch/selfhost-scratch" ] || return 0
  if [ "$kind" = docker ]; then docker rm --force -- "$(copy_container)" > /dev/null 2>&1 || :; fi
  (kind=plain data=$scratch/data; end_server) || stop_with folder_in_use "the server in $scratch did not end"
}
remove_scratch() { end_scratch; remove_files; }
# Its mark last, so that what a killed run has left of it can still be taken away.
remove_files() {
  note_of
  rm -f -- "$REPLY"
  [ -e "$scratch" ] || return 0
  find "$scratch" -mindepth 1 -maxdepth 1 ! -name selfhost-scratch -exec rm -rf -- {} +
  rm -rf -- "$scratch"
}
`;

export interface ScratchWish {
  readonly target: RestoreTarget;
  /** A folder on the host that does not exist yet, or that an earlier restore of ours has made. */
  readonly folder: string;
  readonly set?: string;
  readonly repository?: number;
  /** Follows this timeline; default that of the server that is there, and without one the newest, as PostgreSQL does. */
  readonly timeline?: number;
  /** Begins a server in it, which hears by a socket in that folder only. Default true. */
  readonly start?: boolean;
  readonly timeoutMs?: number;
}

export interface ScratchResult {
  /** Not when a copy of the same moment runs there already. */
  readonly changed: boolean;
  readonly folder: string;
  /** Where `psql -h` gets in, as PostgreSQL's user. */
  readonly socketFolder: string | null;
  readonly backup: string;
  readonly target: string;
  readonly lastCommitAt: string | null;
  /** When its files were restored. */
  readonly restoredAt: string;
  readonly job: string | null;
  readonly tookMs: number;
}

const RESTORE = `${SCRATCH}
note=$3
prepare_scratch "$1" "$2" "$note"
shift 3
trap '[ "$?" = 0 ] || remove_files' EXIT
restore_scratch "$@"
utc_now
at=$REPLY
note_of
printf '%s\\n%s\\n' "$note" "restored $at" | put "$REPLY"
`;

const LOOK = `${SCRATCH}
scratch=$1
[ -e "$scratch/selfhost-scratch" ] || exit 0
[ "$2" = any ] || [ -n "$(data=$scratch/data server_pids)" ] || exit 0
note_of
[ ! -e "$REPLY" ] || cat -- "$REPLY"
`;

// Not by the job: where systemd keeps jobs, all that a job has started ends with it.
const START = `${SCRATCH}
scratch=$1
[ -e "$scratch/selfhost-scratch" ] || stop_with folder_not_scratch "$scratch is not a scratch folder of ours"
if [ -z "$(data=$scratch/data server_pids)" ]; then start_scratch; fi
await_scratch "$2"
last_commit
`;

const REMOVE = `${SCRATCH}
scratch=$1
[ -e "$scratch" ] || { echo absent; exit 0; }
[ -e "$scratch/selfhost-scratch" ] || stop_with folder_not_scratch "$scratch is not a scratch folder of ours"
if [ "$2" != yes ]; then
  lock_scratch 0
  remove_scratch
fi
echo removed
`;

const DAY_MS = 24 * 3_600_000;

/**
 * What every restore begins with: the backup, and the options for it. A target that cannot be had is refused here, before
 * anything is changed.
 */
export async function prepareRestore(
  stanza: Stanza,
  { target, set, repository, timeline }: Pick<ScratchWish, 'target' | 'set' | 'repository' | 'timeline'>,
  task: Task,
): Promise<{
  readonly backup: BackupSeen;
  readonly options: readonly string[];
  readonly bytes: number;
  readonly timeline: number | null;
}> {
  checkTarget(stanza, target);
  const seen = await readBackups(stanza, task);
  const away = seen.repositories.find(({ key, status }) => status !== 'ok' && (repository ?? key) === key);
  if (seen.backups.length === 0 && away !== undefined) throw nothingIn(stanza, away);
  const there = timeline === undefined ? await readLineage(stanza, task) : undefined;
  // Somebody may have made a new server in the place of the one that is lost: that is no history to follow.
  const lineage = seen.systems.some(({ identifier }) => identifier === there?.systemIdentifier) ? there : undefined;
  const line = timeline ?? lineage?.timeline ?? null;
  // One that is named is taken, whatever it is of.
  const reachable =
    set !== undefined
      ? seen.backups
      : lineage === undefined
        ? backupsOfSystem(seen, seen.systemIdentifier)
        : backupsOf(stanza, seen, lineage);
  const chosen = candidatesOf(reachable, { set, repository });
  const backup = newestFor(chosen, target);
  const begin = backup ?? chosen[0];
  if (begin !== undefined && (target.kind === 'time' || target.kind === 'lsn' || target.kind === 'xid')) {
    const history = { repository: begin.repository, timeline: line, own: lineage !== undefined };
    refuseOutOfReach(stanza, target, chosen, await readReach(stanza, seen, history, task));
  }
  if (backup === undefined) throw noBackup(stanza, { set, repository });
  return {
    backup,
    timeline: line,
    bytes: Math.ceil(backup.databaseBytes * 1.1) + 64 * 1024 * 1024,
    options: [
      ...stanzaOptions(stanza),
      `--repo=${backup.repository}`,
      `--set=${backup.label}`,
      ...targetOptions(target),
      // A number wants the history of that timeline to be archived; it is not where archiving began only on it.
      ...(line === null || target.kind === 'immediate'
        ? []
        : [`--target-timeline=${line === timelineOf(backup) ? 'current' : line}`]),
    ],
  };
}

function nothingIn(stanza: Stanza, { key, status, why }: RepositorySeen): Failure {
  const [code, what, nextStep] =
    status === 'no backups'
      ? ['backup_missing', 'holds no backup yet', 'Take one; until then only the running server has the data.']
      : status === 'no stanza'
        ? [
            'stanza_missing',
            'does not know this stanza, or is not what should be mounted there',
            'Check that the repository is there (a mount, a disk) and that the stanza is the right one.',
          ]
        : [
            'repository_unreachable',
            'cannot be read',
            'Check the disk, the mount, the host or the password of the repository, or name another repository.',
          ];
  return new Failure({
    code,
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: repository ${key} ${what}: ${why}`,
    nextStep,
  });
}

/**
 * Restores a copy beside the real one, which is not touched. Asked again for the same moment it attaches to the work that
 * goes on, or answers with the copy that runs there; to another one it never lends the folder of a copy that runs.
 */
export async function restoreToScratch(stanza: Stanza, wish: ScratchWish, task: Task): Promise<ScratchResult> {
  const { folder, start = true, timeoutMs = DAY_MS, target, set = null, repository = null, timeline = null } = wish;
  const begin = performance.now();
  const wanted = { stanza: stanza.name, target: { ...target }, set, repository, timeline };
  const wishHash = hashOfLines(stanza.cluster.name, 'scratch', wanted, []);
  const standing = start ? await readNote(stanza, folder, 'running', task) : undefined;
  const same = standing?.wish === wishHash;
  const job = same ? null : await restoreCopy(stanza, wish, wishHash, timeoutMs, task);
  const lastCommitAt = start ? await startScratch(stanza, folder, timeoutMs, task) : null;
  const note = same ? standing : await readNote(stanza, folder, 'any', task);
  if (note?.wish !== wishHash) {
    const subject = describeStanza(stanza);
    throw new Failure({
      code: 'copy_gone',
      subject,
      message: `${subject}: what was restored into ${folder} was removed or replaced meanwhile`,
      nextStep: 'Somebody else works with that folder. Run this again, or choose another one.',
    });
  }
  return {
    changed: !same,
    folder,
    socketFolder: start ? `${folder}/socket` : null,
    backup: note.backup,
    target: describeTarget(target),
    lastCommitAt,
    restoredAt: note.restoredAt,
    job,
    tookMs: Math.round(performance.now() - begin),
  };
}

async function restoreCopy(
  stanza: Stanza,
  wish: ScratchWish,
  wishHash: string,
  timeoutMs: number,
  task: Task,
): Promise<string> {
  const { folder } = wish;
  const { backup, options, bytes } = await prepareRestore(stanza, wish, task);
  const note = JSON.stringify({ version: 1, wish: wishHash, backup: backup.label });
  const list = [folder, String(bytes), note, ...options];
  // Only the very same moment is the same job: nobody is given the copy of another one.
  const work = { name: 'Restore', intent: `to ${folder} ${wishHash}`, script: RESTORE, arguments: list, timeoutMs };
  return (await runWork(stanza, work, task)).job;
}

interface ScratchNote {
  readonly wish: string;
  readonly backup: string;
  readonly restoredAt: string;
}

/** Of what the copy in a folder is; undefined where there is none, or none whose files are all restored. */
async function readNote(
  { cluster, member }: Stanza,
  folder: string,
  which: 'running' | 'any',
  task: Task,
): Promise<ScratchNote | undefined> {
  const { stdout } = await runOnMember(cluster, member, { script: LOOK, arguments: [folder, which] }, task);
  const [first = '', ...steps] = stdout.trim().split('\n');
  const restoredAt = /^restored (\S+)$/.exec(steps.at(-1) ?? '')?.[1];
  const note = parseJson(first);
  if (restoredAt === undefined || !isObject(note)) return undefined;
  const { version, wish, backup } = note;
  if (version !== 1 || typeof wish !== 'string' || typeof backup !== 'string') return undefined;
  return { wish, backup, restoredAt };
}

/** Starts what was restored; answers when its last commit was, as PostgreSQL tells it. */
export async function startScratch(
  stanza: Stanza,
  folder: string,
  timeoutMs: number,
  task: Task,
): Promise<string | null> {
  const seconds = Math.floor(timeoutMs / 1000);
  const ask = { script: START, arguments: [folder, String(seconds)], timeoutMs: timeoutMs + 30_000 };
  const { stdout } = await runOnMember(stanza.cluster, stanza.member, ask, task);
  return commitTime(stdout.trim());
}

/** `2026-11-21 01:06:32.178491+00` of the log, as an instant; null where no commit was played back. */
export function commitTime(text: string): string | null {
  const time = new Date(
    text
      .replace(' ', 'T')
      .replace(/(\.\d{3})\d*/, '$1')
      .replace(/([+-]\d\d)$/, '$1:00'),
  );
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

/** Ends the server in a scratch folder and takes the folder away. Only one that we have made. */
export async function removeScratch(
  stanza: Stanza,
  { folder, dryRun }: { readonly folder: string; readonly dryRun: boolean },
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const ask = { script: REMOVE, arguments: [folder, dryRun ? 'yes' : 'no'], timeoutMs: 600_000 };
  const { stdout } = await runOnMember(stanza.cluster, stanza.member, ask, task);
  return { changed: stdout.startsWith('removed') };
}
