import { Failure } from '../../failure';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { hashOfLines } from '../replication/agreed';
import { runOnMember } from '../replication/member-script';
import { readBackups } from './info';
import { commitTime, prepareRestore, SCRATCH } from './scratch';
import { describeStanza, type Stanza } from './stanza';
import { checkArchiving } from './stanza-commands';
import { describeTarget, type RestoreTarget } from './target';
import { runWork } from './work';

export interface DrillWish {
  /** A folder on the host that does not exist; it is gone afterwards. */
  readonly folder: string;
  /** `newest`: all that was archived. `random`: some moment since the oldest backup, another one each time. */
  readonly points: readonly ('newest' | 'random' | RestoreTarget)[];
  readonly repository?: number;
  /** The newest heartbeat in the copy may be so much older than its target. Default 15 min. */
  readonly heartbeatSeconds?: number;
  /** Also reads every index entry with pg_amcheck. Default true. */
  readonly amcheck?: boolean;
  readonly timeoutMs?: number;
  /** For tests: where in the span the random moment lies, 0 to 1. */
  readonly chance?: () => number;
}

export interface DrilledPoint {
  readonly target: string;
  readonly backup: string;
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly restoreSeconds: number;
  /** From the start of the copy until it took writes: the WAL was played back. */
  readonly recoverySeconds: number;
  readonly amcheckSeconds: number | null;
  readonly lastCommitAt: string | null;
  readonly heartbeatAt: string | null;
  /** How old the newest heartbeat was at the target. */
  readonly heartbeatAgeSeconds: number | null;
  readonly databases: readonly { readonly database: string; readonly tables: number; readonly rows: number }[];
  readonly job: string;
}

export interface DrillResult {
  readonly ok: boolean;
  readonly points: readonly DrilledPoint[];
  readonly seconds: number;
}

// One row, so that it costs nothing; every restore shows the one that was true at its target.
const BEAT = `
sql -v by="$1" <<'SQL'
-- A standby that is away must not keep a drill from beginning.
set synchronous_commit = local;
create schema if not exists selfhost;
create table if not exists selfhost.heartbeat (
  writer text primary key, at timestamptz not null, epoch bigint not null, beats bigint not null);
insert into selfhost.heartbeat values (:'by', clock_timestamp(), 0, 1)
  on conflict (writer) do update set at = excluded.at, beats = selfhost.heartbeat.beats + 1
  returning to_char(heartbeat.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
SQL
`;

/** Writes down in the database that it is alive now; a drill looks for it. Answers the time of the server. */
export async function writeHeartbeat({ cluster, member }: Stanza, task: Task): Promise<string> {
  const { stdout } = await runOnMember(cluster, member, { script: BEAT, arguments: ['pgbackrest'] }, task);
  return stdout.trim();
}

const DRILL = `${SCRATCH}
seconds=$3 amcheck=$4
# The work of a drill that nobody waits for any more ends by itself, and takes its folder with it.
prepare_scratch "$1" "$2" '' "$seconds"
shift 4
trap 'remove_scratch' EXIT
now_ms; begin=$REPLY
restore_scratch "$@"
now_ms; printf 'restored %s\\n' $((REPLY - begin))
begin=$REPLY
start_scratch
await_scratch "$seconds"
now_ms; printf 'recovered %s\\n' $((REPLY - begin))
printf 'commit %s\\n' "$(last_commit)"
scratch_sql <<'SQL' | sed 's/^/heartbeat /'
select to_regclass('selfhost.heartbeat') is not null as there \\gset
\\if :there
select to_char(max(at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') from selfhost.heartbeat;
\\endif
SQL
echo 'select datname from pg_database where datallowconn and not datistemplate order by datname' | scratch_sql |
while IFS= read -r database; do
  in_copy "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$scratch/socket" -p "$port" -U "$role" -d "$database" <<'SQL' | sed 's/^/counts /'
select json_build_object('database', current_database(), 'tables', count(*), 'rows', coalesce(sum(
    (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', n.nspname, c.relname), false, true, '')))[1]::text::bigint), 0))
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_';
SQL
done
if [ "$amcheck" = yes ]; then
  now_ms; begin=$REPLY
  # It adds its extension to the copy, which is thrown away.
  if ! in_copy test -x "$bin/pg_amcheck" < /dev/null; then echo 'amcheck absent'
  elif found=$(in_copy "$bin/pg_amcheck" -h "$scratch/socket" -p "$port" -U "$role" --all --install-missing --heapallindexed < /dev/null 2>&1); then
    now_ms; printf 'amcheck ok %s\\n' $((REPLY - begin))
  else
    now_ms; printf 'amcheck damaged %s %s\\n' $((REPLY - begin)) "$(printf '%s' "$found" | grep . | head -n 1 | cut -c 1-300)"
  fi
fi
`;

/**
 * Proves that the backups can be restored, by doing it: each point is restored into a scratch folder, started, looked at
 * and thrown away. The real server is only asked for a heartbeat and to archive it.
 */
export async function drill(stanza: Stanza, wish: DrillWish, task: Task): Promise<DrillResult> {
  const begin = performance.now();
  const beatAt = await writeHeartbeat(stanza, task);
  // So that what was just written can be restored, and a moment before it has a commit after it.
  await checkArchiving(stanza, 60, task);
  // Those that cannot be had are told before hours go by with the others, not in the place of what these have shown.
  for (const target of wish.points) {
    if (typeof target !== 'string') await prepareRestore(stanza, { target, repository: wish.repository }, task);
  }
  const points: DrilledPoint[] = [];
  for (const point of wish.points) {
    const target = typeof point === 'string' ? await targetOf(stanza, point, wish, beatAt, task) : point;
    task.progress({ message: `Drill ${points.length + 1} of ${wish.points.length}: ${describeTarget(target)}` });
    points.push(await drillOne(stanza, wish, target, target.kind === 'newest' ? beatAt : undefined, task));
  }
  return {
    ok: points.every(({ ok }) => ok),
    points,
    seconds: Math.round((performance.now() - begin) / 100) / 10,
  };
}

async function targetOf(
  stanza: Stanza,
  point: 'newest' | 'random',
  { repository, chance = Math.random }: DrillWish,
  beatAt: string,
  task: Task,
): Promise<RestoreTarget> {
  if (point === 'newest') return { kind: 'newest' };
  const { backups } = await readBackups(stanza, task);
  const [oldest] = backups
    .filter((one) => (repository ?? one.repository) === one.repository)
    .map(({ stoppedAt }) => Date.parse(stoppedAt))
    .sort((a, b) => a - b);
  // The second of its end is cut off, and a backup must have ended before the target.
  const from = (oldest ?? 0) + 1_000;
  const until = Date.parse(beatAt) - 1;
  if (oldest === undefined || from >= until) {
    throw new Failure({
      code: 'backup_missing',
      subject: describeStanza(stanza),
      message: `${describeStanza(stanza)} has no backup that is old enough to have a moment after it`,
      nextStep: 'Take a backup, and run the drill a little later.',
    });
  }
  return { kind: 'time', time: new Date(Math.floor(from + (until - from) * chance())).toISOString() };
}

async function drillOne(
  stanza: Stanza,
  wish: DrillWish,
  target: RestoreTarget,
  expected: string | undefined,
  task: Task,
): Promise<DrilledPoint> {
  const { folder, repository, amcheck = true, timeoutMs = 24 * 3_600_000, heartbeatSeconds = 900 } = wish;
  const { backup, options, bytes } = await prepareRestore(stanza, { target, repository }, task);
  const list = [folder, String(bytes), String(Math.floor(timeoutMs / 1000)), amcheck ? 'yes' : 'no', ...options];
  // Only the very same moment is the same job: a copy of another one would prove nothing about this.
  const moment = hashOfLines(stanza.cluster.name, 'drill', [amcheck, ...options], []);
  const work = { name: 'Drill', intent: `in ${folder} ${moment}`, script: DRILL, arguments: list, timeoutMs };
  const { stdout, job } = await runWork(stanza, work, task);
  const after = (start: string) => new RegExp(`^${start} (.*)$`, 'm').exec(stdout)?.[1] ?? '';
  const [verdict = '', took = '', ...found] = after('amcheck').split(' ');
  const heartbeatAt = after('heartbeat') || null;
  const until = target.kind === 'time' ? target.time : expected;
  const age = heartbeatAt === null || until === undefined ? null : (Date.parse(until) - Date.parse(heartbeatAt)) / 1000;
  const databases = [...stdout.matchAll(/^counts (.*)$/gm)].map(([, text = '']) => countsOf(text));
  const problems = [
    ...(verdict === 'damaged' ? [`pg_amcheck: ${found.join(' ')}`] : []),
    ...(amcheck && verdict !== 'damaged' && verdict !== 'ok' ? ['pg_amcheck is not installed on that host'] : []),
    ...(databases.length === 0 ? ['no database could be read'] : []),
    ...heartbeatProblems(target, heartbeatAt, age, heartbeatSeconds),
  ];
  return {
    target: describeTarget(target),
    backup: backup.label,
    ok: problems.length === 0,
    problems,
    restoreSeconds: Number(after('restored')) / 1000,
    recoverySeconds: Number(after('recovered')) / 1000,
    amcheckSeconds: verdict === 'ok' || verdict === 'damaged' ? Number(took) / 1000 : null,
    lastCommitAt: commitTime(after('commit')),
    heartbeatAt,
    heartbeatAgeSeconds: age,
    databases,
    job,
  };
}

function heartbeatProblems(
  target: RestoreTarget,
  at: string | null,
  age: number | null,
  mostSeconds: number,
): readonly string[] {
  if (at === null) {
    // The drill itself wrote one before the newest; at an earlier moment there may have been none yet.
    return target.kind === 'newest' ? ['the heartbeat that was written before the drill is not in the copy'] : [];
  }
  if (age === null) return [];
  if (age < 0 && target.kind === 'time') return [`the copy holds a heartbeat of ${at}, which is after its target`];
  if (age > mostSeconds) {
    return [`the newest heartbeat in the copy is of ${at}, ${Math.round(age)} s before its target`];
  }
  return [];
}

function countsOf(text: string): DrilledPoint['databases'][number] {
  const answer: unknown = JSON.parse(text);
  if (!isObject(answer)) return { database: 'unknown', tables: 0, rows: 0 };
  const { database, tables, rows } = answer;
  return { database: String(database), tables: Number(tables), rows: Number(rows) };
}
