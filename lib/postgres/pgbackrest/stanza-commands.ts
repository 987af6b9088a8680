import type { Task } from '../../task';
import { runOnMember } from '../replication/member-script';
import { readBackups } from './info';
import { runPgbackrest } from './run';
import { stanzaOptions, type Stanza } from './stanza';

const LONG_MS = 600_000;

export interface StanzaWish {
  /** Only says whether something would be changed. */
  readonly dryRun: boolean;
}

const SYSTEM = `
control_field 'Database system identifier'
`;

/** Begins the stanza in every repository that has not got it. Run twice it changes nothing. */
export async function createStanza(
  stanza: Stanza,
  { dryRun }: StanzaWish,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const before = await readBackups(stanza, task);
  if (dryRun) return { changed: before.repositories.some(({ status }) => status === 'no stanza') };
  // It says nothing of what it found there already, so that is looked at first. It is run all the same: it compares.
  await runPgbackrest(stanza, ['stanza-create', ...stanzaOptions(stanza)], { timeoutMs: LONG_MS }, task);
  return { changed: before.repositories.some(({ status }) => status === 'no stanza') };
}

/** After an upgrade of PostgreSQL: the stanza goes on with the new system, and its old backups stay. */
export async function upgradeStanza(
  stanza: Stanza,
  { dryRun }: StanzaWish,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const before = await readBackups(stanza, task);
  if (dryRun) {
    const { stdout } = await runOnMember(stanza.cluster, stanza.member, { script: SYSTEM }, task);
    return { changed: before.systemIdentifier !== null && before.systemIdentifier !== stdout.trim() };
  }
  await runPgbackrest(stanza, ['stanza-upgrade', ...stanzaOptions(stanza)], { timeoutMs: LONG_MS }, task);
  const after = await readBackups(stanza, task);
  return { changed: before.systemIdentifier !== after.systemIdentifier };
}

export interface CheckResult {
  readonly ok: true;
  /** The segment that was switched, archived and found in the repository, where it says so. */
  readonly archived: string | null;
  readonly tookMs: number;
}

// A moment is found by the first commit after it, and on a quiet server there may be none yet. What keeps the server
// from taking it is told by the check.
const COMMIT = `
sql > /dev/null 2>&1 <<'SQL' || :
set synchronous_commit = local;
select case when not pg_is_in_recovery() then txid_current() end;
SQL
`;

/** Has PostgreSQL archive a segment and waits until it is in every repository: every moment until now can be had. */
export async function checkArchiving(stanza: Stanza, seconds: number, task: Task): Promise<CheckResult> {
  await runOnMember(stanza.cluster, stanza.member, { script: COMMIT }, task);
  const list = ['check', '--log-level-console=info', `--archive-timeout=${seconds}`, ...stanzaOptions(stanza)];
  const { stdout, durationMs } = await runPgbackrest(stanza, list, { timeoutMs: seconds * 1000 + 120_000 }, task);
  const [, archived = null] = /WAL segment ([0-9A-F]{24}) successfully archived/.exec(stdout) ?? [];
  return { ok: true, archived, tookMs: durationMs };
}
