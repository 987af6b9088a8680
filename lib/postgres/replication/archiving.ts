import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeMember, type Cluster, type Member } from './cluster';
import { runOnMember } from './member-script';

export type Archiving =
  /** What it has just written is in the archive. */
  | 'works'
  /** It was not taken in time: the archive fails, hangs, or is far behind. */
  | 'stuck'
  /** There is no archive, or nothing on the host tells. */
  | 'unknown';

// A segment that is finished now. The statistics tell of the past: a command that hangs has not failed yet.
const TRY_ARCHIVE = `
status=$data/pg_wal/archive_status
[ -d "$status" ] || { echo unknown; exit 0; }
segment=$(sql <<'SQL'
select pg_walfile_name(pg_switch_wal()) from pg_logical_emit_message(false, 'selfhost', 'to be archived')
where current_setting('archive_mode') <> 'off';
SQL
)
[ -n "$segment" ] || { echo unknown; exit 0; }
now_ms
until=$((REPLY + $1))
while [ -e "$status/$segment.ready" ]; do
  now_ms
  ((REPLY < until)) || { echo stuck; exit 0; }
  sleep 0.05
done
echo works
`;

/** Whether the archive of a primary takes what it writes now. It begins a new segment of WAL for that. */
export async function tryArchive(cluster: Cluster, member: Member, patienceMs: number, task: Task): Promise<Archiving> {
  const ask = { script: TRY_ARCHIVE, arguments: [String(patienceMs)], timeoutMs: patienceMs + 30_000 };
  const said = (await runOnMember(cluster, member, ask, task)).stdout.trim();
  if (said === 'works' || said === 'stuck' || said === 'unknown') return said;
  throw new Failure({
    code: 'status_unreadable',
    subject: describeMember(cluster, member),
    message: `${describeMember(cluster, member)}: whether it archives is answered by "${said.slice(0, 200)}"`,
    nextStep: 'Look what the shell of the host prints by itself (.bashrc, banners).',
  });
}
