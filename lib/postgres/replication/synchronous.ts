import { Failure, type FailureFacts } from '../../failure';
import type { Task } from '../../task';
import type { HeldLock } from '../../host/locks/lock';
import { describeMember, type Cluster, type Member } from './cluster';
import { runOnMember } from './member-script';

/** The one entry of the primary's list: this standby, and nobody who happens to have a fitting name. */
export function namesOf(standby: Member): string {
  return `FIRST 1 ("${standby.name}")`;
}

// The list that sessions see is in force for commits only once the checkpointer has read it, too. No view tells, so a
// CHECKPOINT that begins after the new list was read proves it. What was committed until then must be on the standby.
const LOOK = `
sql -v names="$1" <<'SQL'
select case when pg_is_in_recovery() then 'standby'
  when current_setting('synchronous_commit') not in ('on', 'remote_apply') then 'weak'
  else case current_setting('synchronous_standby_names') when '' then 'empty' when :'names' then 'set' else 'foreign' end
end;
SQL
`;

const ENABLE = `
name=$1 names=$2 patience=$3 was=$4
undo() {
  sql <<'SQL'
alter system reset synchronous_standby_names;
select pg_reload_conf();
SQL
}
# A list that was in force before stays, whatever happens: the standby may be promoted because of it.
[ "$was" = set ] || trap 'undo || :' EXIT
sql -v names="$names" <<'SQL'
alter system set synchronous_standby_names = :'names';
select pg_reload_conf();
SQL
end=$((SECONDS + patience))
until [ "$(echo 'show synchronous_standby_names' | sql)" = "$names" ]; do
  ((SECONDS < end)) || stop_with not_synchronous "the new list was not read in time"
  sleep 0.02
done
sleep 0.2
lsn=$(sql <<'SQL'
checkpoint;
select pg_current_wal_insert_lsn();
SQL
)
until [ "$(sql -v name="$name" -v lsn="$lsn" <<'SQL'
select count(*) from pg_stat_replication
where application_name = :'name' and state = 'streaming' and sync_state = 'sync' and flush_lsn >= :'lsn'::pg_lsn;
SQL
)" = 1 ]; do
  ((SECONDS < end)) || stop_with not_synchronous "$name did not become synchronous in time; the list was emptied again"
  sleep 0.02
done
trap - EXIT
`;

const REFUSALS: Readonly<Record<string, Pick<FailureFacts, 'code' | 'message' | 'nextStep'>>> = {
  standby: {
    code: 'not_primary',
    message: 'it is a standby, and only a primary can wait for one',
    nextStep: 'Read the topology and choose its primary.',
  },
  weak: {
    code: 'commit_weak',
    message: "its synchronous_commit is neither on nor remote_apply, so a commit would not wait for a standby's disk",
    nextStep: 'Set synchronous_commit to on, and look for roles and databases that weaken it (pg_db_role_setting).',
  },
  foreign: {
    code: 'synchronous_foreign',
    message: 'its synchronous_standby_names was set by somebody else',
    nextStep: 'Empty it yourself if it may go; whoever set it may rely on it.',
  },
};

const RECORD = `
read_record
# An epoch never goes back, and a record that knows more is not overwritten.
((r_epoch <= $1)) || stop_with epoch_taken "its record is of epoch $r_epoch already, and this is epoch $1"
if [ "$r_epoch" = "$1" ] && [ -n "$r_primary" ] && [ "$r_primary" != "$2" ]; then
  stop_with epoch_taken "in epoch $1 its record names $r_primary as the primary, not $2"
fi
if [ "$r_epoch $r_primary $r_promotable $r_system" = "$1 $2 $3 $4" ]; then echo unchanged; exit 0; fi
write_record "$1" "$2" "$3" "$4" "$5"
echo changed
`;

export interface RecordWish {
  readonly epoch: number;
  readonly primary: string;
  readonly promotable: boolean;
  readonly systemIdentifier: string;
}

/** Writes down on a member's host who the primary is, durably. */
export async function writeRecord(
  cluster: Cluster,
  member: Member,
  wish: RecordWish,
  task: Task,
  lock?: HeldLock,
): Promise<{ readonly changed: boolean }> {
  const { epoch, primary, promotable, systemIdentifier } = wish;
  const { stdout } = await runOnMember(
    cluster,
    member,
    { script: RECORD, arguments: [String(epoch), primary, promotable ? 'yes' : 'no', systemIdentifier, task.owner] },
    task,
    lock,
  );
  return { changed: stdout.startsWith('changed') };
}

/**
 * Commits of the primary wait for this standby from now on. Only when every commit that was acknowledged is on the
 * standby, its record says that it may be promoted for that reason alone.
 */
export async function enableSynchronous(
  cluster: Cluster,
  primary: Member,
  standby: Member,
  { epoch, systemIdentifier }: Pick<RecordWish, 'epoch' | 'systemIdentifier'>,
  task: Task,
  lock: HeldLock,
): Promise<void> {
  const names = namesOf(standby);
  const was = await runOnMember(cluster, primary, { script: LOOK, arguments: [names] }, task);
  const state = was.stdout.trim();
  const refusal = REFUSALS[state];
  if (refusal !== undefined) {
    const subject = describeMember(cluster, primary);
    throw new Failure({ subject, ...refusal, message: `${subject}: ${refusal.message}; nothing was changed` });
  }
  const wish = { epoch, primary: primary.name, systemIdentifier };
  // Somebody may have emptied the list by hand, and then an old promise would not be true.
  if (state !== 'set') await writeRecord(cluster, standby, { ...wish, promotable: false }, task, lock);
  const list = [standby.name, names, '30', state];
  await runOnMember(cluster, primary, { script: ENABLE, arguments: list, timeoutMs: 120_000 }, task);
  await writeRecord(cluster, standby, { ...wish, promotable: true }, task, lock);
}

const DISABLE = `
sql <<'SQL'
alter system set synchronous_standby_names = '';
select pg_reload_conf();
SQL
`;

/**
 * The safe order: the standby's host has durably given up its right to be promoted before the primary acknowledges a
 * first commit that the standby may not have. With the standby's host out of reach commits go on waiting.
 */
export async function disableSynchronous(
  cluster: Cluster,
  primary: Member,
  standby: Member,
  { epoch, systemIdentifier }: Pick<RecordWish, 'epoch' | 'systemIdentifier'>,
  task: Task,
  lock: HeldLock,
): Promise<void> {
  const wish = { epoch, primary: primary.name, promotable: false, systemIdentifier };
  await writeRecord(cluster, standby, wish, task, lock).catch((error: unknown) => {
    if (!(error instanceof Failure) || task.signal.aborted) throw error;
    throw new Failure({
      code: 'standby_not_told',
      subject: describeMember(cluster, standby),
      message: `Commits of ${primary.name} still wait for ${standby.name}: its host could not be told that it must not be promoted (${error.message})`,
      nextStep: `Bring the host of ${standby.name} back, or make sure by hand that it stays down before you empty synchronous_standby_names on ${primary.name}.`,
      cause: error,
    });
  });
  await runOnMember(cluster, primary, { script: DISABLE }, task);
}
