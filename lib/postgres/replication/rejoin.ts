import { Failure } from '../../failure';
import type { Task } from '../../task';
import { awaitJob } from '../../host/jobs/await';
import { jobLogs } from '../../host/jobs/logs';
import { startJob } from '../../host/jobs/start';
import type { HeldLock } from '../../host/locks/lock';
import { checkCluster, describeMember, slotOf, type Cluster, type Member } from './cluster';
import { liftFirewall } from './firewall';
import { isOpen } from './journal';
import { memberCommand, runOnMember, withClusterLock } from './member-script';
import { awaitStreaming, COPY_FOLDER, ensureSlot } from './replica';
import { fenceByProcess } from './silence';
import { connectionOf, passwordLine, standbySettings } from './standby-folder';
import { readStatus, type MemberStatus, type ServerView } from './status';
import { stopwatch, type TimedStep } from './stopwatch';
import { enableSynchronous, writeRecord } from './synchronous';

export interface RejoinWish {
  readonly primary: Member;
  /** The member that was the primary, or has fallen behind. */
  readonly standby: Member;
  /** Commits wait for it again afterwards. */
  readonly synchronous: boolean;
  /** Copies the primary whole when rewinding does not do. Its disk needs room for both folders while that runs. */
  readonly allowCopy: boolean;
  readonly timeoutMs?: number;
}

export interface RejoinResult {
  readonly changed: boolean;
  readonly method: 'none' | 'started' | 'rewound' | 'copied';
  readonly steps: readonly TimedStep[];
}

// The primary's control file names its new timeline only after a checkpoint, and pg_rewind believes that file.
const CHECKPOINT = `
echo 'checkpoint' | sql
`;

// A folder that a killed pg_rewind has left is neither one nor the other, which no later run can see in it.
const REJOIN = `${COPY_FOLDER}
# A standby that crashed goes on from where it was. So does a former primary that was started behind the gate and has
# followed the new one by itself. To end their recovery, as rewinding does, would make them differ without a trace.
follows_already() {
  local one highest=0
  for one in $(control_field "Latest checkpoint's TimeLineID") $(control_field "Min recovery ending loc's timeline"); do
    ((one <= highest)) || highest=$one
  done
  ((highest < timeline)) || return 0
  is_standby_folder && [ "$(control_field 'Database cluster state')" != 'shut down in recovery' ]
}
connection=$1 slot=$2 settings=$3 epoch=$4 copy=$5 timeline=$6
IFS= read -r password_line
[ -z "$(server_pids)" ] || stop_with server_running "PostgreSQL of $self still runs"
method=rewound
if [ -e "$dir/rewinding" ] || [ ! -e "$data/PG_VERSION" ]; then method=copied
elif follows_already; then
  method=started
  become_standby "$data" "$password_line" "$settings"
  rm -f -- "$dir/gate"
else
  save_configuration "$epoch"
  lent_password_file "$password_line"
  with_config=()
  # From 15 on it can be told where the configuration is, when that is not in the folder.
  if [ "$config" != "$data/postgresql.conf" ]; then with_config=(--config-file="$config"); fi
  printf '%s\\n' "$epoch" | put "$dir/rewinding"
  # What crashed has to be recovered first, which is done for a primary's folder only.
  open_gate
  # Of a server that is gone, as was proven. In a container its number is that of the very program that recovers it.
  rm -f -- "$data/postmaster.pid"
  if said=$(as_owner "$bin/pg_rewind" -D "$inside" --source-server="$connection dbname=postgres passfile='$REPLY'" \\
      "\${with_config[@]}" < /dev/null 2>&1); then
    printf '%s\\n' "$said"
    restore_configuration "$epoch" "$data"
    # Its own slots are of the time when it was the primary.
    rm -rf -- "$data/pg_replslot/"*
    become_standby "$data" "$password_line" "$settings"
    rm -f -- "$dir/rewinding"
  else
    method=copied
    printf '%s\\n' "$said" >&2
    why=" ($(printf '%s\\n' "$said" | grep -E 'FATAL|PANIC|error:' | head -n 1 | cut -c 1-300))"
  fi
  rm -f -- "$lent"
fi
if [ "$method" = copied ]; then
  [ "$copy" = yes ] || stop_with copy_needed "it cannot be rewound\${why:-} and has to be copied whole, which was not allowed"
  copy_folder "$connection" "$slot" "$settings" "$password_line" "$epoch"
  rm -f -- "$dir/rewinding"
fi
forget_configuration "$epoch"
echo "method $method"
`;

/** Brings a former primary back as the standby of the one that took its place. Run twice it changes nothing. */
export async function rejoin(cluster: Cluster, wish: RejoinWish, task: Task): Promise<RejoinResult> {
  checkCluster(cluster);
  const { standby } = wish;
  return withClusterLock(cluster, standby, { waitMs: 30_000 }, task, (lock, inner) =>
    underLock(cluster, wish, inner, lock),
  );
}

async function underLock(cluster: Cluster, wish: RejoinWish, task: Task, lock: HeldLock): Promise<RejoinResult> {
  const { primary, standby } = wish;
  const clock = stopwatch(task);
  const [one, other] = await clock.step('Looking', () =>
    Promise.all([readStatus(cluster, primary, {}, task), readStatus(cluster, standby, {}, task)]),
  );
  const view = primaryView(cluster, primary, one);
  if (!other.host.reached)
    throw refused(cluster, standby, 'host_unreachable', other.host.why, 'Bring its host back first.');
  const { server, folder } = other;
  if ((folder?.systemIdentifier ?? view.systemIdentifier) !== view.systemIdentifier) {
    throw refused(
      cluster,
      standby,
      'other_system',
      'its data folder holds another database system',
      'It is left alone. Choose an empty folder and set it up as a new replica.',
    );
  }
  const epoch = Math.max(one.record?.epoch ?? 1, 1);
  const facts = { epoch, systemIdentifier: view.systemIdentifier };
  const follows =
    server.kind === 'answers' &&
    server.role === 'standby' &&
    server.receiver?.status === 'streaming' &&
    server.timeline === view.timeline;
  let method: RejoinResult['method'] = 'none';
  if (!follows) {
    if (server.kind !== 'down') {
      const promotion = {
        kind: 'failover' as const,
        epoch,
        run: one.journal?.run ?? 'rejoin',
        from: standby.name,
        systemIdentifier: view.systemIdentifier,
      };
      await clock.step('Stopping', () => fenceByProcess(cluster, standby, promotion, primary.name, task));
    }
    await ensureSlot(cluster, primary, standby, task);
    await clock.step('Checkpoint', () =>
      runOnMember(cluster, primary, { script: CHECKPOINT, timeoutMs: 600_000 }, task),
    );
    method = await clock.step('Rewinding', () => rewindOrCopy(cluster, wish, epoch, view.timeline, task));
    await clock.step('Starting', () =>
      runOnMember(cluster, standby, { script: 'start_server\n', timeoutMs: 600_000 }, task, lock),
    );
    await clock.step('Streaming', () => awaitStreaming(cluster, primary, standby, 60_000, task));
  }
  // What it believed of an earlier epoch is over, its right to be promoted with it.
  const promotableNow =
    other.record?.epoch === epoch && other.record.primary === primary.name && other.record.promotable;
  const told = promotableNow
    ? { changed: false }
    : await writeRecord(cluster, standby, { ...facts, primary: primary.name, promotable: false }, task, lock);
  let synchronous = false;
  if (wish.synchronous && !(promotableNow && follows)) {
    await clock.step('Synchronous', () => enableSynchronous(cluster, primary, standby, facts, task, lock));
    synchronous = true;
  }
  // What a failover may have closed there: it follows now, and may be wanted as the primary again.
  await liftFirewall(cluster, standby, task);
  return { changed: method !== 'none' || told.changed || synchronous, method, steps: clock.steps };
}

function primaryView(cluster: Cluster, primary: Member, { server, record, journal, host }: MemberStatus): ServerView {
  if (!host.reached) throw refused(cluster, primary, 'host_unreachable', host.why, 'Bring its host back first.');
  if (server.kind !== 'answers' || server.role !== 'primary') {
    throw refused(
      cluster,
      primary,
      'not_primary',
      'it is no primary that answers',
      'Read the topology and choose the member that is.',
    );
  }
  if (isOpen(journal)) {
    throw refused(
      cluster,
      primary,
      'journal_open',
      `its ${journal.kind} is not finished (${journal.step})`,
      'Run the failover again, which resumes it.',
    );
  }
  if (record !== null && record.primary !== primary.name) {
    throw refused(
      cluster,
      primary,
      'not_primary',
      `in epoch ${record.epoch} ${record.primary} is the primary`,
      'Read the topology: this member should not take writes.',
    );
  }
  return server;
}

async function rewindOrCopy(
  cluster: Cluster,
  wish: RejoinWish,
  epoch: number,
  timeline: number,
  task: Task,
): Promise<Exclude<RejoinResult['method'], 'none'>> {
  const { primary, standby } = wish;
  const command = memberCommand(cluster, standby, {
    script: REJOIN,
    arguments: [
      connectionOf(cluster, standby, primary),
      slotOf(standby),
      standbySettings(cluster, standby, primary),
      String(epoch),
      wish.allowCopy ? 'yes' : 'no',
      String(timeline),
    ],
  });
  const job = await startJob(
    standby.host,
    {
      name: `Rejoin ${standby.name} of ${cluster.name}`,
      intent: `to ${primary.name} in epoch ${epoch}`,
      owner: task.owner,
      command,
      secretInput: passwordLine(cluster),
      again: true,
    },
    task,
  );
  const timeoutMs = wish.timeoutMs ?? 24 * 3_600_000;
  const { state } = await awaitJob(standby.host, job.id, { run: job.run, timeoutMs, longestPauseMs: 500 }, task);
  const tail = async (stream: 'stdout' | 'stderr') =>
    (await jobLogs(standby.host, job.id, { stream, tailLines: 5, run: job.run }, task)).text.trim();
  if (state.kind === 'finished' && 'exitCode' in state.exit && state.exit.exitCode === 0) {
    const [, method] = /method (\w+)$/.exec(await tail('stdout')) ?? [];
    return method === 'copied' || method === 'started' ? method : 'rewound';
  }
  const said = await tail('stderr');
  const [, code = 'rejoin_failed', why = said.split('\n').at(-1) ?? ''] =
    /^selfhost: (?:([a-z_]+): )?(.*)$/m.exec(said) ?? [];
  throw refused(
    cluster,
    standby,
    code,
    why || 'the job did not finish',
    `Read the whole output of job ${job.id} on that host, and run this again when its reason is gone.`,
  );
}

function refused(cluster: Cluster, member: Member, code: string, why: string, nextStep: string): Failure {
  const subject = describeMember(cluster, member);
  return new Failure({ code, subject, message: `${subject}: ${why}`, nextStep });
}
