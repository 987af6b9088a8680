import type { Task } from '../../task';
import type { Cluster, Member } from './cluster';
import { runOnMember } from './member-script';
import type { Promotion } from './promotion';

// Steps on the host of the old primary. They are not under the candidate's lock, which lies elsewhere: what keeps an
// old run away here is the record of this host, whose epoch only grows.
const ON_OLD_PRIMARY = `
epoch=$1 run=$2 to=$3 system=$4
shift 4
prepare_member
lock_file "$dir/guard" 20 || stop_with busy "another step on this host does not end"
read_record
# Of the same epoch it may only be what agrees already: the same promotion, or the same primary.
if ((r_epoch > epoch)) || { ((r_epoch == epoch)) && [ "$r_run" != "$run" ] && [ "$r_primary" != "$to" ]; }; then
  stop_with epoch_taken "its record is of epoch $r_epoch, and this was to be epoch $epoch"
fi
# Without the folder nobody can tell which processes are the server's.
[ -e "$data/PG_VERSION" ] || stop_with folder_missing "its data folder $data is not there"
identifier=$(control_field 'Database system identifier')
[ "$identifier" = "$system" ] || stop_with other_system "its folder holds another database system ($identifier)"
`;

// First the record and the gate, so that nothing starts it as a primary again; then the processes, each and every one.
const FENCE = `${ON_OLD_PRIMARY}
write_record "$epoch" "$to" no "$system" "$run"
# The gate does the same for a container, should dockerd hang.
autostart_off || [ "$kind" = docker ]
close_gate "$epoch"
end_server || stop_with not_silenced "processes of PostgreSQL are left on its host: $(server_pids | tr '\\n' ' ')"
echo silent
`;

/** Ends the old primary for good and proves that no process of it is left. */
export async function fenceByProcess(
  cluster: Cluster,
  old: Member,
  promotion: Promotion,
  to: string,
  task: Task,
): Promise<void> {
  await runOnMember(cluster, old, { script: FENCE, arguments: claimOf(promotion, to), timeoutMs: 30_000 }, task);
}

// The standby is sent everything, the end included, before a clean stop is over.
const STOP_CLEANLY = `${ON_OLD_PRIMARY}
if [ -n "$(server_pids)" ]; then
  sql <<'SQL'
checkpoint;
SQL
fi
write_record "$epoch" "$to" no "$system" "$run"
# The gate does the same for a container, should dockerd hang.
autostart_off || [ "$kind" = docker ]
close_gate "$epoch"
stop_server_cleanly "$1" "$2" || stop_with not_stopped "PostgreSQL did not stop within $1 s"
state=$(control_field 'Database cluster state')
[ "$state" = 'shut down' ] || stop_with not_stopped "PostgreSQL has ended without a clean stop ($state)"
control_field 'Latest checkpoint location'
`;

/** Whether some WAL may stay out of the archive: `known` where it would anyway, since archiving fails. */
export type DespiteArchiver = 'no' | 'yes' | 'known';

/** Stops a primary so that nothing is left to send; answers where its last checkpoint begins. */
export async function stopForSwitchover(
  cluster: Cluster,
  old: Member,
  promotion: Promotion,
  to: string,
  { seconds, despiteArchiver }: { readonly seconds: number; readonly despiteArchiver: DespiteArchiver },
  task: Task,
): Promise<string> {
  const list = [...claimOf(promotion, to), String(seconds), despiteArchiver];
  const timeoutMs = (seconds + 60) * 1000;
  return (await runOnMember(cluster, old, { script: STOP_CLEANLY, arguments: list, timeoutMs }, task)).stdout.trim();
}

// Safe to repeat: the candidate's host has given the promotion up for good before this is asked.
const GIVE_BACK = `${ON_OLD_PRIMARY}
write_record "$epoch" "$self" no "$system" "abandoned $run"
open_gate
if [ "$1" = start ] && [ -z "$(server_pids)" ]; then start_server; fi
`;

/** Undoes a fence after a promotion that was abandoned: it is the primary, and may run again. */
export async function giveBack(
  cluster: Cluster,
  old: Member,
  promotion: Promotion,
  start: boolean,
  task: Task,
): Promise<void> {
  const list = [...claimOf(promotion, old.name), start ? 'start' : 'leave'];
  await runOnMember(cluster, old, { script: GIVE_BACK, arguments: list, timeoutMs: 180_000 }, task);
}

function claimOf({ epoch, run, systemIdentifier }: Promotion, to: string): string[] {
  return [String(epoch), run, to, systemIdentifier];
}

// Reading stops at the end of what was written, which pg_waldump reports as an error.
const COUNT_AHEAD = `
segment=$(ls -- "$data/pg_wal" | grep -E '^[0-9A-F]{24}$' | sort | tail -n 1)
[ -n "$segment" ] || { echo unknown; exit 0; }
timeline=$((16#\${segment:0:8}))
{ as_owner "$bin/pg_waldump" -p "$inside/pg_wal" -t "$timeline" -s "$1" -r Transaction 2>/dev/null || :; } |
  grep -cE 'desc: COMMIT' || :
`;

/** How many committed transactions the silent old primary has on its disk that the candidate never received. */
export async function countAhead(cluster: Cluster, old: Member, lsn: string, task: Task): Promise<number | undefined> {
  const { stdout } = await runOnMember(cluster, old, { script: COUNT_AHEAD, arguments: [lsn] }, task);
  return /^\d+$/.test(stdout.trim()) ? Number(stdout) : undefined;
}

const LOGIN_FROM = `
if within "$2" "$bin/psql" -XAtqw "$1 dbname=postgres passfile='$inside/selfhost.pgpass'" \\
  -c 'select not pg_is_in_recovery()' < /dev/null 2>/dev/null | grep -qx t
then echo answers; else echo silent; fi
`;

/** Whether the candidate itself can still log in to the old primary. */
export async function answersFrom(
  cluster: Cluster,
  candidate: Member,
  connection: string,
  seconds: number,
  task: Task,
): Promise<boolean> {
  const ask = { script: LOGIN_FROM, arguments: [connection, String(seconds)] };
  return (await runOnMember(cluster, candidate, ask, task)).stdout.startsWith('answers');
}
