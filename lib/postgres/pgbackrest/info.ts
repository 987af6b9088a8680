import { Failure } from '../../failure';
import { isObject, parseJson } from '../../json';
import type { Task } from '../../task';
import { runOnMember } from '../replication/member-script';
import { findGaps, readArchive, type ArchiveSeen } from './archive';
import { runPgbackrest } from './run';
import { describeStanza, stanzaOptions, type Stanza } from './stanza';

export type BackupType = 'full' | 'diff' | 'incr';

export interface BackupSeen {
  readonly label: string;
  readonly repository: number;
  /** Number of its database system in that repository: a new major version is a new one. */
  readonly system: number;
  readonly type: BackupType;
  readonly startedAt: string;
  readonly stoppedAt: string;
  /** A restore to a point needs a backup that had ended by then. */
  readonly stopLsn: string;
  readonly firstWal: string;
  readonly lastWal: string;
  /** Pages that were damaged already when they were backed up. */
  readonly damagedPages: boolean;
  readonly databaseBytes: number;
  /** What this backup alone takes in the repository. */
  readonly repositoryBytes: number;
  readonly needs: readonly string[];
}

export interface RepositorySeen {
  readonly key: number;
  readonly status: 'ok' | 'no stanza' | 'no backups' | 'damaged' | 'unreachable';
  readonly why: string;
  readonly cipher: string;
  readonly backups: number;
  readonly newest: string | null;
  readonly newestAt: string | null;
  /** How long ago the newest good backup ended. */
  readonly newestAgeSeconds: number | null;
  readonly bytes: number;
}

/** What `pgbackrest info` answers, once it is understood. */
export interface InfoSeen {
  readonly repositories: readonly RepositorySeen[];
  readonly backups: readonly BackupSeen[];
  /** The histories in the repositories: `15-1`, and after an upgrade `16-2`. */
  readonly archiveIds: readonly { readonly id: string; readonly repository: number }[];
  readonly backupRunning: boolean;
  readonly systemIdentifier: string | null;
  /** Those that the repositories have known, by their numbers there. */
  readonly systems: readonly { readonly system: number; readonly repository: number; readonly identifier: string }[];
}

export interface ArchiverSeen {
  readonly mode: string;
  readonly failing: boolean;
  readonly lastArchived: string | null;
  readonly lastArchivedAt: string | null;
  readonly lastFailed: string | null;
  readonly lastFailedAt: string | null;
  /** WAL that is written and waits to be archived. */
  readonly waitingBytes: number;
}

export interface StanzaInfo extends InfoSeen {
  readonly stanza: string;
  readonly archiver: ArchiverSeen | null;
  readonly archives: readonly ArchiveSeen[];
  readonly verdict: 'ok' | 'warning' | 'failing';
  readonly reasons: readonly string[];
}

export interface InfoOptions {
  /** An older newest backup is a reason. Default 26 hours: one a day, and two hours of grace. */
  readonly oldestSeconds?: number;
}

const DAY_AND_GRACE = 26 * 3_600;
const ANSWER_BYTES = 32 * 1024 * 1024;

/** Backups, repositories, the archiver and gaps in the WAL, and what of that should worry somebody. */
export async function readInfo(stanza: Stanza, options: InfoOptions, task: Task): Promise<StanzaInfo> {
  const seen = await readBackups(stanza, task);
  const { archiver, segmentBytes } = await readArchiver(stanza, task);
  const archives: ArchiveSeen[] = [];
  for (const archive of seen.archiveIds) {
    const repository = seen.repositories.find(({ key }) => key === archive.repository);
    if (repository?.status !== 'ok') continue;
    const kept = seen.backups.filter((backup) => backup.repository === archive.repository);
    archives.push(findGaps(await readArchive(stanza, archive, task), kept, segmentBytes));
  }
  const reasons = reasonsOf(seen, archiver, archives, options.oldestSeconds ?? DAY_AND_GRACE);
  return {
    stanza: stanza.name,
    ...seen,
    archiver,
    archives,
    verdict: reasons.some(({ grave }) => grave) ? 'failing' : reasons.length > 0 ? 'warning' : 'ok',
    reasons: reasons.map(({ text }) => text),
  };
}

export async function readBackups(stanza: Stanza, task: Task): Promise<InfoSeen> {
  const list = ['info', '--output=json', ...stanzaOptions(stanza)];
  const { stdout } = await runPgbackrest(stanza, list, { maxOutputBytes: ANSWER_BYTES }, task);
  return parseInfo(stanza, stdout, new Date());
}

/** Reads what `info --output=json` prints. */
export function parseInfo(stanza: Stanza, text: string, now: Date): InfoSeen {
  const unreadable = (what: string) =>
    new Failure({
      code: 'pgbackrest_unreadable',
      subject: describeStanza(stanza),
      message: `${describeStanza(stanza)}: what pgBackRest says about ${what} is not understood`,
      nextStep: 'Update the pack; if this is the newest, report it with the version of pgBackRest.',
    });
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw unreadable('its backups');
  }
  const found = Array.isArray(answer) ? answer.filter(isObject).find(({ name }) => name === stanza.name) : undefined;
  // `requested backup missing` and an unknown stanza come without one.
  if (found === undefined) throw unreadable(`stanza ${stanza.name}`);
  const list = (of: Record<string, unknown>, name: string) => {
    const value = of[name];
    return Array.isArray(value) ? value.filter(isObject) : [];
  };
  const backups = list(found, 'backup').map((one) => parseBackup(one, unreadable));
  const status = isObject(found.status) ? found.status : {};
  const lock = isObject(status.lock) && isObject(status.lock.backup) ? status.lock.backup : {};
  return {
    repositories: list(found, 'repo').map((one) => parseRepository(one, backups, now, unreadable)),
    backups,
    archiveIds: list(found, 'archive').map((one) => ({
      id: must(text_(one.id), 'its archive', unreadable),
      repository: must(isObject(one.database) ? number_(one.database['repo-key']) : null, 'its archive', unreadable),
    })),
    backupRunning: lock.held === true,
    // Twenty digits do not fit a number: the text as it stands counts.
    systemIdentifier: [...text.matchAll(/"system-id":(\d+)/g)].at(-1)?.[1] ?? null,
    systems: [...text.matchAll(/"id":(\d+),"repo-key":(\d+),"system-id":(\d+)/g)].map(
      ([, system, repository, identifier = '']) => ({
        system: Number(system),
        repository: Number(repository),
        identifier,
      }),
    ),
  };
}

type Unreadable = (what: string) => Failure;

const text_ = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const number_ = (value: unknown): number | null => (typeof value === 'number' ? value : null);
function must<T>(value: T | null, what: string, unreadable: Unreadable): T {
  if (value === null) throw unreadable(what);
  return value;
}

function parseBackup(one: Record<string, unknown>, unreadable: Unreadable): BackupSeen {
  const { archive, lsn, timestamp, info, database } = one;
  if (!isObject(archive) || !isObject(timestamp) || !isObject(info) || !isObject(database)) {
    throw unreadable('a backup');
  }
  const text = (value: unknown) => must(text_(value), 'a backup', unreadable);
  const number = (value: unknown) => must(number_(value), 'a backup', unreadable);
  const { type } = one;
  if (type !== 'full' && type !== 'diff' && type !== 'incr') throw unreadable('the type of a backup');
  const stored = isObject(info.repository) ? number_(info.repository.delta) : null;
  return {
    label: text(one.label),
    repository: number(database['repo-key']),
    system: number(database.id),
    type,
    startedAt: instant(number(timestamp.start)),
    stoppedAt: instant(number(timestamp.stop)),
    stopLsn: text(isObject(lsn) ? lsn.stop : undefined),
    firstWal: text(archive.start),
    lastWal: text(archive.stop),
    damagedPages: one.error === true,
    databaseBytes: number(info.size),
    // Block incremental backups (2.46 and later) say it under another name.
    repositoryBytes: stored ?? 0,
    needs: Array.isArray(one.reference) ? one.reference.filter((label) => typeof label === 'string') : [],
  };
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function parseRepository(
  one: Record<string, unknown>,
  backups: readonly BackupSeen[],
  now: Date,
  unreadable: Unreadable,
): RepositorySeen {
  const key = must(number_(one.key), 'a repository', unreadable);
  const status = isObject(one.status) ? one.status : {};
  const code = must(number_(status.code), 'a repository', unreadable);
  const own = backups.filter(({ repository }) => repository === key);
  const newest = own.toSorted((a, b) => a.stoppedAt.localeCompare(b.stoppedAt)).at(-1);
  return {
    key,
    status: STATUS[code] ?? 'unreachable',
    // The rest of it are attempts and hints.
    why: (text_(status.message) ?? '').split('\n', 1)[0]?.slice(0, 300) ?? '',
    cipher: text_(one.cipher) ?? 'none',
    backups: own.length,
    newest: newest?.label ?? null,
    newestAt: newest?.stoppedAt ?? null,
    newestAgeSeconds:
      newest === undefined ? null : Math.max(0, Math.round((now.getTime() - Date.parse(newest.stoppedAt)) / 1000)),
    bytes: own.reduce((sum, { repositoryBytes }) => sum + repositoryBytes, 0),
  };
}

const STATUS: Readonly<Record<number, RepositorySeen['status']>> = {
  0: 'ok',
  1: 'no stanza',
  2: 'no backups',
  3: 'damaged',
  5: 'damaged',
  99: 'unreachable',
};

const ARCHIVER = `
printf 'segment %s\\n' "$(control_field 'Bytes per WAL segment' 2>/dev/null || :)"
sql 2>/dev/null <<'SQL' | sed 's/^/archiver /' || :
select json_build_object(
  'mode', current_setting('archive_mode'),
  'failing', coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false),
  'lastArchived', last_archived_wal, 'lastFailed', last_failed_wal,
  'lastArchivedAt', to_char(last_archived_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'lastFailedAt', to_char(last_failed_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'waitingBytes', (select count(*) from pg_ls_archive_statusdir() where name like '%.ready')
    * pg_size_bytes(current_setting('wal_segment_size'))
) from pg_stat_archiver;
SQL
`;

const USUAL_SEGMENT = 16 * 1024 * 1024;

/** What PostgreSQL says about its archiving; null where it does not answer, as after a loss. */
async function readArchiver(
  { cluster, member }: Stanza,
  task: Task,
): Promise<{ readonly archiver: ArchiverSeen | null; readonly segmentBytes: number }> {
  const { stdout } = await runOnMember(cluster, member, { script: ARCHIVER }, task);
  const lines = stdout.split('\n');
  const after = (start: string) => lines.find((line) => line.startsWith(start))?.slice(start.length) ?? '';
  const segmentBytes = Number(after('segment ')) || USUAL_SEGMENT;
  const answer = parseJson(after('archiver '));
  if (!isObject(answer)) return { archiver: null, segmentBytes };
  return {
    segmentBytes,
    archiver: {
      mode: text_(answer.mode) ?? 'unknown',
      failing: answer.failing === true,
      lastArchived: text_(answer.lastArchived),
      lastArchivedAt: text_(answer.lastArchivedAt),
      lastFailed: text_(answer.lastFailed),
      lastFailedAt: text_(answer.lastFailedAt),
      waitingBytes: number_(answer.waitingBytes) ?? 0,
    },
  };
}

interface Reason {
  readonly grave: boolean;
  readonly text: string;
}

function reasonsOf(
  { repositories, backups }: InfoSeen,
  archiver: ArchiverSeen | null,
  archives: readonly ArchiveSeen[],
  oldestSeconds: number,
): readonly Reason[] {
  const reasons: Reason[] = [];
  const grave = (text: string) => reasons.push({ grave: true, text });
  const slight = (text: string) => reasons.push({ grave: false, text });
  if (repositories.length === 0) grave('no repository is configured');
  for (const { key, status, why, newestAgeSeconds } of repositories) {
    if (status === 'no stanza') {
      grave(`repository ${key} does not know this stanza, or is not what should be mounted there (${why})`);
    } else if (status !== 'ok') grave(`repository ${key}: ${status} (${why})`);
    else if (newestAgeSeconds !== null && newestAgeSeconds > oldestSeconds) {
      grave(`repository ${key}: the newest backup is ${hours(newestAgeSeconds)} old`);
    }
  }
  for (const { label, damagedPages } of backups) {
    if (damagedPages) slight(`backup ${label} holds pages that were damaged in the database`);
  }
  if (archiver === null) slight('PostgreSQL does not answer, so nobody knows whether it archives');
  else if (archiver.mode === 'off') grave('archive_mode is off: nothing after the newest backup can be restored');
  else if (archiver.failing) {
    grave(
      `the archiver fails since ${archiver.lastFailed ?? 'an unknown segment'}; ${archiver.waitingBytes} bytes wait`,
    );
  }
  for (const { repository, gaps, missing } of archives) {
    const [first] = gaps;
    if (first === undefined) continue;
    const more = missing > 1 ? ` and ${missing - 1} more` : '';
    grave(
      `repository ${repository}: WAL ${first.from}${more} is missing; a restore of an earlier backup ends there without a word`,
    );
  }
  return reasons;
}

function hours(seconds: number): string {
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
