import { Failure } from '../../failure';
import { pause, type Task } from '../../task';
import { awaitJob } from '../../host/jobs/await';
import { jobLogs } from '../../host/jobs/logs';
import { startJob } from '../../host/jobs/start';
import { connectionOf, passwordLine, STANDBY_FOLDER, standbySettings } from './standby-folder';
import { describeMember, slotOf, type Cluster, type Member } from './cluster';
import { memberCommand, runOnMember } from './member-script';

const ENSURE_SLOT = `
sql -v slot="$1" <<'SQL'
select pg_create_physical_replication_slot(:'slot', true)
where not exists (select from pg_replication_slots where slot_name = :'slot');
SQL
`;

/** Reserves WAL on the primary before the copy begins, so that nothing the copy needs is thrown away meanwhile. */
export async function ensureSlot(cluster: Cluster, primary: Member, standby: Member, task: Task): Promise<void> {
  await runOnMember(cluster, primary, { script: ENSURE_SLOT, arguments: [slotOf(standby)] }, task);
}

/** What the data folder keeps for itself: its configuration, which a copy of the other member would overwrite. */
export const CONFIGURATION = `
save_configuration() {
  prepare_member
  [ ! -e "$dir/configuration-$1.tar" ] || return 0
  (cd "$data" && find . -maxdepth 2 -name '*.conf' -type f -print0 | tar --null --files-from=- -cf -) |
    put "$dir/configuration-$1.tar" || refuse "the configuration of $self cannot be kept aside"
}
restore_configuration() {
  [ -e "$dir/configuration-$1.tar" ] || return 0
  tar -xf "$dir/configuration-$1.tar" -C "$2"
  tar -tf "$dir/configuration-$1.tar" | (cd "$2" && xargs -r -d '\\n' sync --)
}
forget_configuration() { rm -f -- "$dir/configuration-$1.tar"; }
`;

export const COPY_FOLDER = `${STANDBY_FOLDER}${CONFIGURATION}
# copy_folder CONNECTION SLOT SETTINGS PASSWORD_LINE EPOCH: a whole new data folder in place of the one that is there.
copy_folder() {
  local fresh=$data.selfhost-new old=$data.selfhost-old parent copier
  [ -z "$(server_pids)" ] || stop_with server_running "PostgreSQL of $self still runs; its folder is not replaced"
  ! mountpoint -q -- "$data" || stop_with folder_is_mount "$data is a mount point and cannot be replaced whole"
  parent=\${data%/*}
  if [ ! -d "$parent" ]; then mkdir -p -- "$parent"; give_to_owner "$parent"; fi
  # A run that was killed between the two renames below has left the old folder aside.
  if [ ! -e "$data" ] && [ -e "$old" ]; then mv -T -- "$old" "$data"; fi
  rm -rf -- "$fresh"
  lent_password_file "$4"
  copier=(as_owner "$bin/pg_basebackup" -D "$fresh")
  if [ "$kind" = docker ]; then
    # Where the container will see it one day, so that nothing else of its volume is in reach.
    mkdir -m 700 -- "$fresh"
    give_to_owner "$fresh"
    copier=(one_off -v "$fresh:$inside" -- "$bin/pg_basebackup" -D "$inside")
  fi
  "\${copier[@]}" -d "$1 passfile='$REPLY'" -X stream -S "$2" -c fast -w --no-clean \\
    --manifest-checksums=CRC32C < /dev/null || stop_with copy_failed "the copy of the primary did not end well"
  restore_configuration "$5" "$fresh"
  become_standby "$fresh" "$4" "$3"
  rm -rf -- "$old"
  if [ -e "$data" ]; then mv -T -- "$data" "$old"; fi
  mv -T -- "$fresh" "$data"
  rm -f -- "$dir/gate"
  sync -- "$parent"
  rm -rf -- "$old"
}
`;

const CREATE_REPLICA = `${COPY_FOLDER}
IFS= read -r password_line
if [ "$4" != replace ] && [ -d "$data" ] && [ -n "$(ls -A -- "$data")" ]; then
  stop_with folder_not_empty "$data is not empty"
fi
if [ "$4" = replace ] && [ -d "$data" ]; then save_configuration "$5"; fi
copy_folder "$1" "$2" "$3" "$password_line" "$5"
forget_configuration "$5"
`;

// Not by the job: where systemd keeps jobs, all that a job has started ends with it.
const START = `
start_server
`;

/**
 * Copies the primary to the standby's host and starts it there, as a job: a copy of hours survives a lost connection and
 * an n8n that is restarted. `replace` throws away what is in the folder now.
 */
export async function createReplica(
  cluster: Cluster,
  primary: Member,
  standby: Member,
  options: { readonly replace: boolean; readonly epoch: number; readonly timeoutMs: number },
  task: Task,
): Promise<void> {
  await ensureSlot(cluster, primary, standby, task);
  const command = memberCommand(cluster, standby, {
    script: CREATE_REPLICA,
    arguments: [
      connectionOf(cluster, standby, primary),
      slotOf(standby),
      standbySettings(cluster, standby, primary),
      options.replace ? 'replace' : 'new',
      String(options.epoch),
    ],
  });
  const job = await startJob(
    standby.host,
    {
      name: `Replica ${standby.name} of ${cluster.name}`,
      intent: `from ${primary.name} in epoch ${options.epoch}`,
      owner: task.owner,
      command,
      secretInput: passwordLine(cluster),
      again: true,
    },
    task,
  );
  const ended = await awaitJob(
    standby.host,
    job.id,
    { run: job.run, timeoutMs: options.timeoutMs, longestPauseMs: 500 },
    task,
  );
  if (ended.state.kind === 'finished' && 'exitCode' in ended.state.exit && ended.state.exit.exitCode === 0) {
    await runOnMember(cluster, standby, { script: START, timeoutMs: 180_000 }, task);
    return;
  }
  const said = await jobLogs(standby.host, job.id, { stream: 'stderr', tailLines: 5, run: job.run }, task);
  const last =
    said.text
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^selfhost: ([a-z_]+: )?/, '') ?? '';
  throw new Failure({
    code: 'replica_not_created',
    subject: describeMember(cluster, standby),
    message: `${describeMember(cluster, standby)} could not be copied from ${primary.name}: ${last || 'the job did not finish'}`,
    nextStep: `Read the whole output of job ${job.id} on that host. Nothing was put in place of what was there.`,
  });
}

const LOOK_FOR_STANDBY = `
sql -v name="$1" <<'SQL'
select coalesce((select state || ' ' || sync_state from pg_stat_replication where application_name = :'name' limit 1), 'absent');
SQL
`;

/** Waits until the primary sees the standby streaming. */
export async function awaitStreaming(
  cluster: Cluster,
  primary: Member,
  standby: Member,
  timeoutMs: number,
  task: Task,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (let wait = 20; ; wait = Math.min(wait * 1.5, 500)) {
    const ask = { script: LOOK_FOR_STANDBY, arguments: [standby.name] };
    const { stdout } = await runOnMember(cluster, primary, ask, task);
    if (stdout.startsWith('streaming ')) return;
    if (performance.now() > end) {
      throw new Failure({
        code: 'not_streaming',
        subject: describeMember(cluster, standby),
        message: `${describeMember(cluster, standby)} does not stream from ${primary.name} after ${timeoutMs / 1000} s (${stdout.trim()})`,
        nextStep: `Read the log of PostgreSQL on ${standby.name}: the network, the password and pg_hba.conf of ${primary.name} are the usual reasons.`,
      });
    }
    await pause(wait, task.signal, `the waiting for ${standby.name}`);
  }
}
