import type { Task } from '../../task';
import type { HeldLock } from '../../host/locks/lock';
import type { Cluster, Member } from './cluster';
import { runOnMember } from './member-script';
import type { JournalShown } from './journal';

/**
 * The steps on the candidate's host that a failover and a switchover share. Each is one script under the lock of the
 * cluster: it checks that the journal is still that of this promotion, writes down what it begins, and acts.
 */
const OWN_JOURNAL = `
run=$1 epoch=$2
shift 2
read_journal run; j_run=$REPLY
read_journal epoch; j_epoch=$REPLY
read_journal step; step=$REPLY
[ "$j_run $j_epoch" = "$run $epoch" ] ||
  stop_with journal_not_ours "its journal is of another promotion (epoch $j_epoch)"
case $step in claimed|cut|silenced|promoting|promoted) ;;
  *) stop_with journal_not_ours "its promotion of epoch $epoch has ended ($step)" ;;
esac
# saved NAME: the setting as it was, on descriptor 3 of whoever asks.
saved() { journal_field "saved_$1" | base64 -d; }
restore_setting() {
  secret=3 sql -v name="$1" 3< <(saved "$1") <<'SQL'
set log_statement = 'none'; set log_min_duration_statement = -1; set log_min_error_statement = 'panic';
\\set value \`cat <&3; printf .\`
select format('alter system set %I = %L', :'name', left(:'value', -1)) \\gexec
SQL
}
`;

// The claim is the first line of a new journal: whole, durable, under the lock, and for the next epoch only.
const CLAIM = `
what=$1 epoch=$2 run=$3 from=$4 system=$5
prepare_member
read_record
last=$r_epoch
if [ -e "$dir/journal" ]; then
  case $(journal_field step) in done|abandoned) ;; *) stop_with journal_open "a promotion of epoch $(journal_field epoch) is not finished" ;; esac
  then_epoch=$(journal_field epoch)
  ((then_epoch <= last)) || last=$then_epoch
fi
[ "$epoch" = $((last + 1)) ] || stop_with epoch_taken "epoch $epoch was to be claimed, and it has seen epoch $last"
if [ -n "$r_primary" ] && [ "$r_primary" != "$from" ]; then
  stop_with epoch_taken "its record of epoch $r_epoch names $r_primary as the primary, not $from"
fi
facts=$(sql <<'SQL'
select pg_is_in_recovery(), case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end,
  (select system_identifier from pg_control_system()),
  (select source from pg_settings where name = 'primary_conninfo'),
  'c' || replace(encode(convert_to(current_setting('primary_conninfo'), 'UTF8'), 'base64'), E'\\n', ''),
  'r' || replace(encode(convert_to(current_setting('restore_command'), 'UTF8'), 'base64'), E'\\n', '');
SQL
)
IFS='|' read -r recovering paused identifier source conninfo restore <<< "$facts"
[ "$recovering" = t ] || stop_with not_standby "it is no standby"
[ "$paused" = f ] || stop_with replay_paused "its replay is paused, so a promotion would wait for ever"
[ "$identifier" = "$system" ] || stop_with other_system "it is a copy of another database system ($identifier)"
[ "$source" != 'command line' ] || stop_with conninfo_fixed "its primary_conninfo is on the command line, so it cannot be cut off"
utc_now
printf '%s\\n' version=1 kind="$what" epoch="$epoch" run="$run" from="$from" to="$self" step=claimed \\
  lossless="$r_promotable" at="$REPLY" saved_primary_conninfo="\${conninfo#c}" saved_restore_command="\${restore#r}" |
  put "$dir/journal" || stop_with journal_unwritable "the journal $dir/journal cannot be written"
`;

// Nobody may send it anything any more, and no call of the former restore_command may hold up the promotion. With an LSN
// it first waits until that was received.
const CUT = `${OWN_JOURNAL}
case $step in claimed) journal_set step cut ;; esac
startup=$(sql -v patience="$1" -v lsn="\${2:-0/0}" <<'SQL'
set client_min_messages = error;
select set_config('selfhost.patience', :'patience', false), set_config('selfhost.lsn', :'lsn', false) \\g /dev/null
do $$
declare until timestamptz := clock_timestamp() + current_setting('selfhost.patience')::int * interval '1 ms';
  wanted pg_lsn := current_setting('selfhost.lsn');
begin
  while wanted > '0/0' and not coalesce(pg_last_wal_receive_lsn() > wanted, false) loop
    if clock_timestamp() > until then raise exception 'it has not received the last checkpoint of the old primary'; end if;
    perform pg_sleep(0.005);
  end loop;
end $$;
alter system set primary_conninfo = '';
alter system set restore_command = '';
select pg_reload_conf() \\g /dev/null
do $$
declare until timestamptz := clock_timestamp() + current_setting('selfhost.patience')::int * interval '1 ms';
begin
  while exists (select from pg_stat_wal_receiver) loop
    if clock_timestamp() > until then raise exception 'it still receives from the old primary'; end if;
    perform pg_sleep(0.005);
  end loop;
end $$;
select pid from pg_stat_activity where backend_type = 'startup';
SQL
)
# A process in a container has another number out here; there the promotion itself waits.
[ "$kind" != docker ] || startup=
for ((waited = 0; waited < $1; waited += 20)); do
  read -r children < "/proc/\${startup:-0}/task/\${startup:-0}/children" 2>/dev/null || break
  [ -n "$children" ] || break
  sleep 0.02
done
`;

const NOTE_SILENCE = `
note_silence() {
  lsn=$(sql <<'SQL'
select coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text, '');
SQL
)
  journal_set step silenced fence "$1" lsn "$lsn"
}
`;

const SILENCED = `${OWN_JOURNAL}${NOTE_SILENCE}
case $step in
  cut|silenced) note_silence "$1" ;;
  *) stop_with not_cut "it is not known to be cut off from the old primary" ;;
esac
printf '%s\\n' "$lsn"
`;

// From the word "promoting" on there is no way back. That the old primary is silent is written down with it.
const PROMOTE = `${OWN_JOURNAL}
system=$1 fence=$2
case $step in
  cut) [ -n "$fence" ] || stop_with not_silenced "the old primary is not known to be silent"
    journal_set step promoting fence "$fence" ;;
  silenced) journal_set step promoting ;;
  promoting|promoted) ;;
  *) stop_with not_silenced "the old primary is not known to be silent" ;;
esac
write_record "$epoch" "$self" no "$system" "$run"
# Its own list must not make the first commit wait for somebody who is not there.
lsn=$(sql <<'SQL'
select coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text, '') where pg_is_in_recovery();
alter system set synchronous_standby_names = '';
select pg_reload_conf() \\g /dev/null
select pg_promote(false) where pg_is_in_recovery() \\g /dev/null
do $$
declare until timestamptz := clock_timestamp() + interval '10 min';
begin
  while pg_is_in_recovery() loop
    if clock_timestamp() > until then raise exception 'it was asked to become a primary, and has not within 10 minutes'; end if;
    perform pg_sleep(0.005);
  end loop;
end $$;
SQL
)
read_journal lsn
[ "$step" = promoted ] || journal_set step promoted lsn "\${REPLY:-$lsn}"
`;

// The row is the proof that it takes writes, and tells ever after which primary wrote in which epoch.
const VERIFY = `${OWN_JOURNAL}
restore_setting restore_command
sql -v epoch="$epoch" -v name="$self" -v slot="selfhost_$(journal_field from)" <<'SQL'
set statement_timeout = '10s';
select pg_reload_conf() \\gset
create schema if not exists selfhost;
create table if not exists selfhost.promotion (
  epoch bigint primary key, member text not null, at timestamptz not null default clock_timestamp());
insert into selfhost.promotion (epoch, member) values (:epoch, :'name') on conflict (epoch) do nothing;
-- What the old primary needs to come back is kept from here on, as far as max_slot_wal_keep_size allows.
select pg_create_physical_replication_slot(:'slot', true)
where not exists (select from pg_replication_slots where slot_name = :'slot') \\g /dev/null
select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int;
SQL
journal_set step done
`;

const ABANDON = `${OWN_JOURNAL}
case $step in promoting|promoted) stop_with past_return "its promotion has begun and can only go on" ;; esac
if [ "$step" != claimed ]; then
  restore_setting primary_conninfo
  restore_setting restore_command
  sql <<'SQL'
select pg_reload_conf();
SQL
fi
read_record
# Nobody has changed for whom the primary waits, so what was promised before is true still.
write_record "$epoch" "$(journal_field from)" "$(journal_field lossless)" "$1" "abandoned $run"
journal_set step abandoned
`;

/** What a step has to be given so that it knows whose promotion it belongs to. */
export type Promotion = Pick<JournalShown, 'kind' | 'epoch' | 'run' | 'from'> & { readonly systemIdentifier: string };

export interface Candidate {
  readonly cluster: Cluster;
  readonly member: Member;
  readonly lock: HeldLock;
}

async function step(
  { cluster, member, lock }: Candidate,
  script: string,
  list: readonly string[],
  task: Task,
  timeoutMs = 60_000,
): Promise<string> {
  const { stdout } = await runOnMember(cluster, member, { script, arguments: list, timeoutMs }, task, lock);
  return stdout.trim();
}

const whose = ({ run, epoch }: Promotion): string[] => [run, String(epoch)];

export async function claimPromotion(candidate: Candidate, promotion: Promotion, task: Task): Promise<void> {
  const { kind, epoch, run, from, systemIdentifier } = promotion;
  await step(candidate, CLAIM, [kind, String(epoch), run, from, systemIdentifier], task);
}

/** Cuts the candidate off; with an LSN only after it has received more than that. */
export async function cutOff(
  candidate: Candidate,
  promotion: Promotion,
  { patienceMs, received }: { readonly patienceMs: number; readonly received?: string },
  task: Task,
): Promise<void> {
  await step(candidate, CUT, [...whose(promotion), String(patienceMs), received ?? '0/0'], task);
}

/** Writes down that, and how, the old primary is silent; answers up to where the candidate has received. */
export async function noteSilence(
  candidate: Candidate,
  promotion: Promotion,
  fence: string,
  task: Task,
): Promise<string> {
  return step(candidate, SILENCED, [...whose(promotion), oneLine(fence)], task);
}

/** With a fence it is written down first that, and how, the old primary is silent. */
export async function promote(
  candidate: Candidate,
  promotion: Promotion,
  fence: string | undefined,
  task: Task,
): Promise<void> {
  const list = [...whose(promotion), promotion.systemIdentifier, oneLine(fence ?? '')];
  await step(candidate, PROMOTE, list, task, 630_000);
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** Answers the new timeline. */
export async function verifyPromotion(candidate: Candidate, promotion: Promotion, task: Task): Promise<number> {
  return Number((await step(candidate, VERIFY, whose(promotion), task)).split('\n').at(-1));
}

export async function abandonOnCandidate(candidate: Candidate, promotion: Promotion, task: Task): Promise<void> {
  await step(candidate, ABANDON, [...whose(promotion), promotion.systemIdentifier], task);
}
