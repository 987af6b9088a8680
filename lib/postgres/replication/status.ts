import { isObject } from '../../json';
import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeMember, type Member, type NamedCluster } from './cluster';
import { runOnMember } from './member-script';
import { parseJournal, type JournalShown } from './journal';
import type { Patience } from './patience';
import { parseRestoreRecord, type RestoreStep } from './restore-record';

/** What a host knows about who is the primary. */
export interface EpochRecord {
  readonly epoch: number;
  readonly primary: string;
  /** This member may be promoted with nothing but its own word that the old primary can acknowledge no commit. */
  readonly promotable: boolean;
}

export interface StandbySeen {
  readonly name: string;
  readonly address: string | null;
  readonly state: string;
  readonly syncState: string;
  readonly sentLsn: string | null;
  readonly flushLsn: string | null;
  readonly replayLsn: string | null;
  readonly lagBytes: number | null;
  readonly lagSeconds: number | null;
}

export interface SlotSeen {
  readonly name: string;
  readonly active: boolean;
  readonly retainedBytes: number | null;
  /** `reserved`, `extended`, `unreserved`, `lost`. */
  readonly walStatus: string | null;
}

export interface ReceiverSeen {
  readonly status: string;
  readonly from: string | null;
  readonly flushedLsn: string | null;
  readonly secondsSinceMessage: number | null;
}

/** What a server that answers says about itself. */
export interface ServerView {
  readonly version: number;
  readonly systemIdentifier: string;
  readonly role: 'primary' | 'standby';
  readonly timeline: number;
  /** Primary: the end of what is flushed. Standby: the end of what it has received and flushed, or else replayed. */
  readonly lsn: string | null;
  readonly replayLsn: string | null;
  readonly replayPaused: boolean;
  readonly receiver: ReceiverSeen | null;
  readonly standbys: readonly StandbySeen[];
  readonly slots: readonly SlotSeen[];
  readonly archiver: { readonly failed: number; readonly failing: boolean; readonly lastArchived: string | null };
  readonly checksums: boolean;
  readonly settings: Readonly<Record<string, string>>;
}

/** One member from its own view, as far as it could be looked at. */
export interface MemberStatus {
  readonly name: string;
  readonly host: { readonly reached: true } | { readonly reached: false; readonly why: string };
  /** What its host says without asking the server. */
  readonly folder: {
    readonly exists: boolean;
    readonly standby: boolean;
    readonly processes: number;
    readonly autostart: boolean;
    /** `in production`, `shut down`, `in archive recovery` of pg_controldata. */
    readonly state: string | null;
    readonly timeline: number | null;
    readonly checkpointLsn: string | null;
    readonly systemIdentifier: string | null;
  } | null;
  /** `down`: no process. `hung`: processes, and a login that is never answered. */
  readonly server:
    | ({ readonly kind: 'answers' } & ServerView)
    | { readonly kind: 'refuses'; readonly why: string }
    | { readonly kind: 'hung' }
    | { readonly kind: 'down' }
    | { readonly kind: 'unknown' };
  readonly record: EpochRecord | null;
  readonly journal: JournalShown | null;
  /** A restore over its server that goes on, or was cut off. */
  readonly restore: OpenRestore | null;
}

export interface OpenRestore {
  readonly step: RestoreStep;
  readonly at: string;
  readonly target: string;
}

// A standby whose primary is gone has no receiver that would name its timeline, and its control file names the one before
// until its next restartpoint: after two changes of roles in a row only the names of its WAL files do.
const STATUS_SQL = `
select json_build_object(
  'version', current_setting('server_version_num')::int,
  'systemIdentifier', (select system_identifier::text from pg_control_system()),
  'standby', pg_is_in_recovery(),
  'timeline', case when pg_is_in_recovery()
    then (select greatest(coalesce((select received_tli from pg_stat_wal_receiver), 0), r.min_recovery_end_timeline,
                          c.timeline_id, w.timeline) from pg_control_recovery() r, pg_control_checkpoint() c, lateral (
        select max(('x' || left(name, 8))::bit(32)::int) as timeline from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$') w)
    else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end,
  'lsn', case when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    else pg_current_wal_flush_lsn() end,
  'replayLsn', case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end,
  'replayPaused', case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end,
  'receiver', (select json_build_object('status', status, 'from', sender_host, 'flushedLsn', flushed_lsn,
      'secondsSinceMessage', extract(epoch from clock_timestamp() - last_msg_receipt_time)) from pg_stat_wal_receiver),
  'standbys', (select coalesce(json_agg(json_build_object('name', application_name, 'address', client_addr,
      'state', state, 'syncState', sync_state, 'sentLsn', sent_lsn, 'flushLsn', flush_lsn, 'replayLsn', replay_lsn,
      'lagBytes', case when not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn) end,
      'lagSeconds', extract(epoch from replay_lag)) order by application_name), '[]') from pg_stat_replication),
  'slots', (select coalesce(json_agg(json_build_object('name', slot_name, 'active', active, 'walStatus', wal_status,
      'retainedBytes', case when not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) end)
      order by slot_name), '[]') from pg_replication_slots),
  'archiver', (select json_build_object('failed', failed_count, 'lastArchived', last_archived_time,
      'failing', coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
      -- One that hangs has not failed yet.
      or (not pg_is_in_recovery() and current_setting('archive_mode') <> 'off' and exists (
        select from pg_ls_archive_statusdir() where name like '%.ready' and modification < now() - interval '1 min')))
    from pg_stat_archiver),
  'checksums', current_setting('data_checksums') = 'on',
  'settings', (select jsonb_object_agg(name, setting) from pg_settings where name in (
      'wal_level', 'max_wal_senders', 'wal_keep_size', 'wal_log_hints', 'synchronous_standby_names',
      'synchronous_commit', 'fsync', 'full_page_writes', 'archive_mode', 'hot_standby', 'max_slot_wal_keep_size',
      'listen_addresses', 'restart_after_crash', 'wal_sender_timeout'))
    || jsonb_build_object('restore_command_set', current_setting('restore_command') <> '')
)
`;

// The answers come line by line, each with its kind in front.
const READ_STATUS = `
printf 'folder %s %s %s\\n' "$([ -e "$data/PG_VERSION" ] && echo yes || echo no)" \\
  "$(is_standby_folder && echo yes || echo no)" "$(autostart)"
pids=$(server_pids)
printf 'processes %s\\n' "$(printf '%s' "$pids" | grep -c . || :)"
if [ -e "$data/PG_VERSION" ]; then control | sed 's/^/control /' || :; fi
if [ -e "$dir/record" ]; then sed 's/^/record /' "$dir/record"; fi
if [ -e "$dir/journal" ]; then grep -v '^saved_' "$dir/journal" | sed 's/^/journal /' || :; fi
if [ -e "$dir/restored" ] && { [ -e "$dir/restoring" ] || [ -e "$dir/autostart" ]; }; then
  sed 's/^/restore /' "$dir/restored"
fi
if [ -z "$pids" ]; then echo 'server down'; exit 0; fi
complaint=$(mktemp)
trap 'rm -f -- "$complaint"' EXIT
set +e
answer=$(within "$1" "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$socket" -p "$port" -U "$role" -d postgres \\
  2> "$complaint")
code=$?
set -e
if [ "$code" = 0 ]; then printf 'server answers %s\\n' "$answer"
elif [ "$code" = 124 ] || [ "$code" = 137 ]; then echo 'server hung'
else printf 'server refuses %s\\n' "$(tr '\\n' ' ' < "$complaint" | cut -c 1-300)"; fi
`;

/** How far the look at a member came, in words. */
export function describeSight({ name, host, server }: MemberStatus): string {
  if (!host.reached) return `the host of ${name} does not answer: ${host.why}`;
  switch (server.kind) {
    case 'answers':
      return `PostgreSQL of ${name} answers as a ${server.role}`;
    case 'refuses':
      return `PostgreSQL of ${name} refuses logins (${server.why})`;
    case 'hung':
      return `PostgreSQL of ${name} runs and answers no login`;
    case 'down':
      return `PostgreSQL of ${name} has no process`;
    case 'unknown':
      return `PostgreSQL of ${name} could not be asked`;
  }
}

export interface StatusOptions {
  /** How long a login and the question may take before the server counts as hung. Default 3 s. */
  readonly answerMs?: number;
  /** How long the host may take to say anything at all before it counts as not reached. Default 8 s. */
  readonly hostMs?: number | Patience;
}

/** Beyond the login itself: the look at folders and processes, on a host that is busy. */
const LOOK_MS = 5_000;

/** Looks at one member. It does not throw for what is wrong there: that is the answer. */
export async function readStatus(
  cluster: NamedCluster,
  member: Member,
  options: StatusOptions,
  task: Task,
): Promise<MemberStatus> {
  const { answerMs = 3_000, hostMs = 8_000 } = options;
  const unseen = {
    name: member.name,
    folder: null,
    server: { kind: 'unknown' as const },
    record: null,
    journal: null,
    restore: null,
  };
  const timeoutMs = (typeof hostMs === 'number' ? hostMs : 0) + answerMs + LOOK_MS;
  let spoke: () => void = () => undefined;
  const speaks = new Promise<void>((resolve) => {
    spoke = resolve;
  });
  try {
    const look = runOnMember(
      cluster,
      member,
      { script: READ_STATUS, arguments: [String(answerMs / 1000)], input: STATUS_SQL, timeoutMs, onOutput: spoke },
      task,
    );
    await withinHost(hostMs, Promise.race([speaks, look]));
    const { stdout } = await withinHost(timeoutMs, look);
    return parseStatus(cluster, member, stdout);
  } catch (error) {
    if (task.signal.aborted || !(error instanceof Failure)) throw error;
    if (error.code === 'status_unreadable') throw error;
    return { ...unseen, host: { reached: false, why: error.message } };
  }
}

/** A dead connection takes seconds to be given up; what comes after the deadline is not waited for. */
export async function withinHost<T>(limit: number | Patience, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  work.catch(() => undefined);
  const begin = performance.now();
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => {
      const seconds = Math.round((performance.now() - begin) / 100) / 10;
      reject(
        new Failure({
          code: 'no_answer',
          subject: 'the host',
          message: `The host did not answer within ${seconds} s`,
          nextStep: 'Check that it is up and can be reached by SSH.',
        }),
      );
    };
    if (typeof limit === 'number') timer = setTimeout(giveUp, limit);
    else void limit.over.then(giveUp);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function parseStatus(cluster: NamedCluster, member: Member, text: string): MemberStatus {
  const lines = text.split('\n');
  const after = (start: string) =>
    lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
  const control = new Map(after('control ').map((line) => splitAt(line, ':')));
  const [exists, standby, autostart] = (after('folder ')[0] ?? '').split(' ');
  const [server = ''] = after('server ');
  const unreadable = (what: string) =>
    new Failure({
      code: 'status_unreadable',
      subject: describeMember(cluster, member),
      message: `${describeMember(cluster, member)} gave an answer about ${what} that is not understood`,
      nextStep: 'Update the pack; if this is the newest, report it.',
    });
  if (exists === undefined || server === '') throw unreadable('itself');
  const number = (value: string | undefined) => (value === undefined || !/^\d+$/.test(value) ? null : Number(value));
  return {
    name: member.name,
    host: { reached: true },
    folder: {
      exists: exists === 'yes',
      standby: standby === 'yes',
      autostart: autostart === 'yes',
      processes: Number(after('processes ')[0] ?? 0),
      state: control.get('Database cluster state') ?? null,
      timeline: number(control.get("Latest checkpoint's TimeLineID")),
      checkpointLsn: control.get('Latest checkpoint location') ?? null,
      systemIdentifier: control.get('Database system identifier') ?? null,
    },
    server: parseServer(server, unreadable),
    record: parseRecord(after('record '), unreadable),
    journal: parseJournal(after('journal '), unreadable),
    restore: parseRestore(after('restore ')),
  };
}

function parseServer(text: string, unreadable: (what: string) => Failure): MemberStatus['server'] {
  const [kind, rest] = splitAt(text, ' ');
  if (kind === 'down' || kind === 'hung') return { kind };
  if (kind === 'refuses') return { kind, why: rest.replace(/^psql: error: /, '') };
  let view: unknown;
  try {
    view = JSON.parse(rest);
  } catch {
    throw unreadable('its server');
  }
  if (!isObject(view)) throw unreadable('its server');
  return { kind: 'answers', ...parseView(view, unreadable) };
}

type Fields = Record<string, unknown>;

function parseView(view: Fields, unreadable: (what: string) => Failure): ServerView {
  const text = (from: Fields, name: string): string | null => {
    const value = from[name];
    return typeof value === 'string' ? value : null;
  };
  const count = (from: Fields, name: string): number | null => {
    const value = from[name];
    return typeof value === 'number' ? value : null;
  };
  const must = <T>(value: T | null, what: string): T => {
    if (value === null) throw unreadable(what);
    return value;
  };
  const list = (name: string): Fields[] => (Array.isArray(view[name]) ? view[name].filter(isObject) : []);
  const object = (name: string): Fields | undefined => (isObject(view[name]) ? view[name] : undefined);
  const receiver = object('receiver');
  const archiver = object('archiver');
  return {
    version: must(count(view, 'version'), 'its version'),
    systemIdentifier: must(text(view, 'systemIdentifier'), 'its system identifier'),
    role: view.standby === true ? 'standby' : 'primary',
    timeline: must(count(view, 'timeline'), 'its timeline'),
    lsn: text(view, 'lsn'),
    replayLsn: text(view, 'replayLsn'),
    replayPaused: view.replayPaused === true,
    receiver:
      receiver === undefined
        ? null
        : {
            status: text(receiver, 'status') ?? 'unknown',
            from: text(receiver, 'from'),
            flushedLsn: text(receiver, 'flushedLsn'),
            secondsSinceMessage: count(receiver, 'secondsSinceMessage'),
          },
    standbys: list('standbys').map((one) => ({
      name: must(text(one, 'name'), 'a standby'),
      address: text(one, 'address'),
      state: text(one, 'state') ?? 'unknown',
      syncState: text(one, 'syncState') ?? 'unknown',
      sentLsn: text(one, 'sentLsn'),
      flushLsn: text(one, 'flushLsn'),
      replayLsn: text(one, 'replayLsn'),
      lagBytes: count(one, 'lagBytes'),
      lagSeconds: count(one, 'lagSeconds'),
    })),
    slots: list('slots').map((one) => ({
      name: must(text(one, 'name'), 'a slot'),
      active: one.active === true,
      retainedBytes: count(one, 'retainedBytes'),
      walStatus: text(one, 'walStatus'),
    })),
    archiver: {
      failed: (archiver && count(archiver, 'failed')) ?? 0,
      failing: archiver?.failing === true,
      lastArchived: (archiver && text(archiver, 'lastArchived')) ?? null,
    },
    checksums: view.checksums === true,
    settings: Object.fromEntries(
      Object.entries(object('settings') ?? {}).map(([name, value]) => [name, String(value)]),
    ),
  };
}

function parseRecord(lines: readonly string[], unreadable: (what: string) => Failure): EpochRecord | null {
  if (lines.length === 0) return null;
  const fields = new Map(lines.map((line) => splitAt(line, '=')));
  // Whoever cannot read it must not act as if there were none.
  if (fields.get('version') !== '1' || !/^\d+$/.test(fields.get('epoch') ?? '')) throw unreadable('its record');
  return {
    epoch: Number(fields.get('epoch')),
    primary: fields.get('primary') ?? '',
    promotable: fields.get('promotable') === 'yes',
  };
}

function parseRestore(lines: readonly string[]): OpenRestore | null {
  const seen = parseRestoreRecord(lines);
  return seen === undefined ? null : { step: seen.step, at: seen.at, target: seen.target };
}

function splitAt(line: string, mark: string): [string, string] {
  const at = line.indexOf(mark);
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + mark.length).trim()];
}
