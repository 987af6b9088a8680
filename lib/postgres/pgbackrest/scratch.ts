import type { Task } from '../../task';
import { Failure } from '../../failure';
import { runOnMember } from '../replication/member-script';
import { readArchive } from './archive';
import { readBackups, type BackupSeen, type RepositorySeen } from './info';
import { describeStanza, PGBACKREST, stanzaOptions, type Stanza } from './stanza';
import { checkTarget, chooseBackup, describeTarget, refuseBeyond, targetOptions, type RestoreTarget } from './target';
import { runWork } from './work';

/**
 * A folder in which a restored copy lives: `data`, and `socket`, its only door. It hears on no network, archives
 * nothing, waits for no standby and runs no job of pg_cron.
 */
export const SCRATCH = `${PGBACKREST}
# prepare_scratch FOLDER BYTES
prepare_scratch() {
  scratch=$1
  case $scratch/ in */../*|*//*) stop_with folder_not_scratch "$scratch is no plain path" ;; esac
  if [ -e "$scratch" ] && [ ! -e "$scratch/selfhost-scratch" ]; then
    stop_with folder_not_scratch "$scratch exists and is not a scratch folder of ours"
  fi
  [ -z "$(data=$scratch/data server_pids)" ] || stop_with folder_in_use "a server runs in $scratch"
  rm -rf -- "$scratch"
  local parent=\${scratch%/*} free
  [ -d "\${parent:-/}" ] || stop_with folder_not_scratch "the folder \${parent:-/} is not there"
  free=$(df --output=avail -B1 -- "\${parent:-/}" | tail -n 1 | tr -d ' ')
  ((free >= $2)) || stop_with no_room "it needs about $2 bytes in \${parent:-/}, and $free are free"
  mkdir -m 700 -- "$scratch"
  : > "$scratch/selfhost-scratch"
  mkdir -m 700 -- "$scratch/data" "$scratch/socket" "$scratch/tablespaces"
  [ "$EUID" != 0 ] || chown -R "$owner:" -- "$scratch"
}
restore_scratch() {
  local options=("$@")
  backrest restore "\${options[@]}" --pg1-path="$scratch/data" --archive-mode=off \\
    --tablespace-map-all="$scratch/tablespaces" --log-level-console=detail < /dev/null
}
start_scratch() {
  # That of the real one where it is there: what it includes is named from where it lies.
  local settings=() one file=$config
  [ -e "$file" ] || file=$scratch/data/postgresql.conf
  printf 'local all all trust\\n' > "$scratch/hba.conf"
  : > "$scratch/ident.conf"
  [ "$EUID" != 0 ] || chown "$owner:" -- "$scratch/hba.conf" "$scratch/ident.conf"
  for one in "data_directory=$scratch/data" "config_file=$file" "hba_file=$scratch/hba.conf" "ident_file=$scratch/ident.conf" \\
    external_pid_file= listen_addresses= "port=$port" "unix_socket_directories=$scratch/socket" unix_socket_permissions=0700 \\
    archive_mode=off synchronous_standby_names= primary_conninfo= primary_slot_name= hot_standby=on ssl=off \\
    logging_collector=off log_destination=stderr shared_buffers=128MB huge_pages=off cluster_name=selfhost-scratch \\
    log_timezone=UTC cron.launch_active_jobs=off; do settings+=(-c "$one"); done
  # Its lines are read by us, in the language we know.
  (cd "$scratch" && without_files as_owner env LC_ALL=C "$bin/postgres" "\${settings[@]}" -c lc_messages=C \\
    < /dev/null >> "$scratch/log" 2>&1 &)
}
scratch_sql() { (socket=$scratch/socket; sql "$@"); }
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
  (kind=plain data=$scratch/data; end_server) || stop_with folder_in_use "the server in $scratch did not end"
}
remove_scratch() { end_scratch; rm -rf -- "$scratch"; }
`;

export interface ScratchWish {
  readonly target: RestoreTarget;
  /** A folder on the host that does not exist yet, or that an earlier restore of ours has made. */
  readonly folder: string;
  readonly set?: string;
  readonly repository?: number;
  /** Follows this timeline; default the newest, as PostgreSQL does. */
  readonly timeline?: number;
  /** Begins a server in it, which hears by a socket in that folder only. Default true. */
  readonly start?: boolean;
  readonly timeoutMs?: number;
}

export interface ScratchResult {
  readonly changed: true;
  readonly folder: string;
  /** Where `psql -h` gets in, as PostgreSQL's user. */
  readonly socketFolder: string | null;
  readonly backup: string;
  readonly target: string;
  readonly lastCommitAt: string | null;
  readonly job: string;
  readonly tookMs: number;
}

const RESTORE = `${SCRATCH}
prepare_scratch "$1" "$2"
shift 2
trap '[ "$?" = 0 ] || rm -rf -- "$scratch"' EXIT
restore_scratch "$@"
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
[ "$2" = yes ] || remove_scratch
echo removed
`;

const DAY_MS = 24 * 3_600_000;

/** What a restore into a scratch folder begins with: the backup, and the options for it. */
export async function prepareRestore(
  stanza: Stanza,
  { target, set, repository, timeline }: Pick<ScratchWish, 'target' | 'set' | 'repository' | 'timeline'>,
  task: Task,
): Promise<{ readonly backup: BackupSeen; readonly options: readonly string[]; readonly bytes: number }> {
  checkTarget(stanza, target);
  const seen = await readBackups(stanza, task);
  const away = seen.repositories.find(({ key, status }) => status !== 'ok' && (repository ?? key) === key);
  if (seen.backups.length === 0 && away !== undefined) throw nothingIn(stanza, away);
  const backup = chooseBackup(stanza, seen.backups, target, { set, repository });
  const archive = seen.archiveIds.filter((one) => one.repository === backup.repository).at(-1);
  if (archive !== undefined && target.kind === 'time') {
    refuseBeyond(stanza, target, (await readArchive(stanza, archive, task)).newestAt);
  }
  return {
    backup,
    bytes: Math.ceil(backup.databaseBytes * 1.1) + 64 * 1024 * 1024,
    options: [
      ...stanzaOptions(stanza),
      `--repo=${backup.repository}`,
      `--set=${backup.label}`,
      ...targetOptions(target),
      ...(timeline === undefined || target.kind === 'immediate' ? [] : [`--target-timeline=${timeline}`]),
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

/** Restores a copy beside the real one, which is not touched. */
export async function restoreToScratch(stanza: Stanza, wish: ScratchWish, task: Task): Promise<ScratchResult> {
  refuseContainer(stanza);
  const { folder, start = true, timeoutMs = DAY_MS, target } = wish;
  const { backup, options, bytes } = await prepareRestore(stanza, wish, task);
  const { job, tookMs } = await runWork(
    stanza,
    {
      name: 'Restore',
      intent: `to ${folder}`,
      script: RESTORE,
      arguments: [folder, String(bytes), ...options],
      timeoutMs,
    },
    task,
  );
  const begin = performance.now();
  const lastCommitAt = start ? await startScratch(stanza, folder, timeoutMs, task) : null;
  return {
    changed: true,
    folder,
    socketFolder: start ? `${folder}/socket` : null,
    backup: backup.label,
    target: describeTarget(target),
    lastCommitAt,
    job,
    tookMs: Math.round(tookMs + performance.now() - begin),
  };
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

/** In a container a copy would need one of its own, with room of its own. */
export function refuseContainer(stanza: Stanza): void {
  if (stanza.member.runtime.kind !== 'docker') return;
  throw new Failure({
    code: 'container_not_restored',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: PostgreSQL runs in a container there, and restores of containers are not here yet`,
    nextStep: 'Restore on a host that has this version of PostgreSQL and pgBackRest, with the same repository.',
  });
}
