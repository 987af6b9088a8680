import { isObject, parseJson } from '../../json';
import type { Task } from '../../task';
import { runOnMember } from '../replication/member-script';
import { readArchive, type TimelineSeen } from './archive';
import type { InfoSeen } from './info';
import type { Stanza } from './stanza';
import type { Reach } from './target';

/** What the host of the database says of itself. */
export interface ServerSeen {
  readonly now: string;
  readonly segmentBytes: number | null;
  /** The segment that PostgreSQL has handed over last, and when; null where it does not answer. */
  readonly lastArchived: string | null;
  readonly lastArchivedAt: string | null;
  readonly nextXid: string | null;
}

// A standby knows of the newest transactions a little later.
const LOOK = `
now_ms; printf 'now %s\\n' "$REPLY"
printf 'segment %s\\n' "$(control_field 'Bytes per WAL segment' 2>/dev/null || :)"
sql 2>/dev/null <<'SQL' | sed 's/^/server /' || :
select json_build_object(
  'lastArchived', last_archived_wal,
  'lastArchivedAt', to_char(last_archived_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'nextXid', case when not pg_is_in_recovery() then txid_snapshot_xmax(txid_current_snapshot())::text end
) from pg_stat_archiver;
SQL
`;

/** How far the history that a restore would follow can be played back: that timeline, or the newest where it is null. */
export async function readReach(
  stanza: Stanza,
  { archiveIds }: Pick<InfoSeen, 'archiveIds'>,
  {
    repository,
    timeline,
    own,
  }: { readonly repository: number; readonly timeline: number | null; readonly own: boolean },
  task: Task,
): Promise<Reach> {
  const archive = archiveIds.filter((one) => one.repository === repository).at(-1);
  const timelines = archive === undefined ? [] : (await readArchive(stanza, archive, task)).timelines;
  // Afterwards, so that nothing that is in the archive lies after it.
  const { stdout } = await runOnMember(stanza.cluster, stanza.member, { script: LOOK }, task);
  return reachOf(timelines, timeline, parseServer(stdout), own);
}

export function parseServer(stdout: string): ServerSeen {
  const after = (name: string) => new RegExp(`^${name} (.+)$`, 'm').exec(stdout)?.[1];
  const answer = parseJson(after('server') ?? '');
  const text = (name: string) => {
    const value = isObject(answer) ? answer[name] : undefined;
    return typeof value === 'string' ? value : null;
  };
  return {
    now: new Date(Number(after('now'))).toISOString(),
    segmentBytes: Number(after('segment')) || null,
    lastArchived: text('lastArchived'),
    lastArchivedAt: text('lastArchivedAt'),
    nextXid: text('nextXid'),
  };
}

/** `own`: what is followed is the history of the server that is there. */
export function reachOf(
  timelines: readonly TimelineSeen[],
  timeline: number | null,
  { now, segmentBytes, lastArchived, lastArchivedAt, nextXid }: ServerSeen,
  own: boolean,
): Reach {
  const followed = timelines.filter((one) => one.timeline === timeline);
  // One that has only just begun has no segment yet.
  const [newest] = (followed.length > 0 ? followed : timelines).toSorted((a, b) =>
    b.newest.slice(8).localeCompare(a.newest.slice(8)),
  );
  return {
    now,
    until: untilOf(newest, { now, lastArchived, lastArchivedAt }),
    endLsn: newest === undefined ? null : endOf(newest.newest, segmentBytes),
    nextXid: own ? nextXid : null,
  };
}

/**
 * What was handed over last bears the time of the database's own host. Of anything else only the repository's clock
 * tells, to the second; when that is ahead, nothing is later than now all the same.
 */
function untilOf(
  newest: TimelineSeen | undefined,
  { now, lastArchived, lastArchivedAt }: Pick<ServerSeen, 'now' | 'lastArchived' | 'lastArchivedAt'>,
): string {
  if (newest !== undefined && newest.newest === lastArchived && lastArchivedAt !== null) return lastArchivedAt;
  if (newest === undefined || newest.newestAt === null) return now;
  const written = Date.parse(newest.newestAt) + 999;
  return new Date(Math.min(written, Date.parse(now))).toISOString();
}

/** Where the size of a segment is not known, the end of the file of 4 GiB that it is a part of. */
function endOf(segment: string, bytes: number | null): string {
  const [log, part] = [BigInt(`0x${segment.slice(8, 16)}`), BigInt(`0x${segment.slice(16)}`)];
  const end = bytes === null ? (log + 1n) << 32n : (log << 32n) + (part + 1n) * BigInt(bytes);
  return `${(end >> 32n).toString(16)}/${(end & 0xffff_ffffn).toString(16)}`.toUpperCase();
}
