import { Failure } from '../../failure';
import type { Task } from '../../task';
import { runOnMember } from '../replication/member-script';
import type { BackupSeen, InfoSeen } from './info';
import { describeStanza, type Stanza } from './stanza';
import { lsnNumber } from './target';

/** What a server is a copy of, the timeline it writes on, and where it left each of those before it. */
export interface Lineage {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly parents: readonly { readonly timeline: number; readonly until: string }[];
}

// Of the folder that was put aside where what is in place is half a restore. The control file names a new timeline only
// after a checkpoint; the names of the WAL do so at once.
const LINEAGE = `
folder=$data
line_of "$dir/restoring"
[ "$REPLY" != kept ] || [ ! -e "$data.selfhost-before" ] || folder=$data.selfhost-before
[ -e "$folder/global/pg_control" ] || exit 0
echo "system $(od -An -tu8 -N8 -- "$folder/global/pg_control" | tr -d ' ')"
newest=$(ls -- "$folder/pg_wal" | { grep -E '^[0-9A-F]{24}$' || :; } | cut -c 1-8 | sort | tail -n 1)
[ -n "$newest" ] || exit 0
echo "timeline $((16#$newest))"
[ ! -e "$folder/pg_wal/$newest.history" ] || sed -nE 's/^([0-9]+)\\s+([0-9A-F]+\\/[0-9A-F]+).*/parent \\1 \\2/p' "$folder/pg_wal/$newest.history"
`;

/**
 * The history of the server that is there, where it still is. An archive may hold timelines that were given up again, by
 * an undone restore for one, and PostgreSQL would follow the newest of them.
 */
export async function readLineage({ cluster, member }: Stanza, task: Task): Promise<Lineage | undefined> {
  const { stdout } = await runOnMember(cluster, member, { script: LINEAGE }, task);
  const [, systemIdentifier] = /^system (\d+)$/m.exec(stdout) ?? [];
  const [, timeline] = /^timeline (\d+)$/m.exec(stdout) ?? [];
  if (systemIdentifier === undefined || timeline === undefined) return undefined;
  const parents = [...stdout.matchAll(/^parent (\d+) (\S+)$/gm)];
  return {
    systemIdentifier,
    timeline: Number(timeline),
    parents: parents.map(([, parent, until = '0/0']) => ({ timeline: Number(parent), until })),
  };
}

/** The backups of one database system: after an upgrade of PostgreSQL those of the former are kept beside. */
export function backupsOfSystem({ backups, systems }: Known, identifier: string | null): readonly BackupSeen[] {
  if (systems.length === 0) return backups;
  return backups.filter(({ system, repository }) =>
    systems.some((one) => one.system === system && one.repository === repository && one.identifier === identifier),
  );
}

type Known = Pick<InfoSeen, 'backups' | 'systems'>;

/** The backups from which that timeline can be reached. */
export function backupsOf(stanza: Stanza, known: Known, lineage: Lineage): readonly BackupSeen[] {
  const own = backupsOfSystem(known, lineage.systemIdentifier).filter((backup) => isOn(lineage, backup));
  const { length } = known.backups;
  if (own.length > 0 || length === 0) return own;
  throw new Failure({
    code: 'backup_missing',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: none of its ${length} backups belongs to the history of the server that is there (timeline ${lineage.timeline})`,
    nextStep: 'Take a full backup of this one. For another history name its timeline, or a backup of it.',
  });
}

/** The timeline that a backup was taken on. */
export function timelineOf({ firstWal }: Pick<BackupSeen, 'firstWal'>): number {
  return parseInt(firstWal.slice(0, 8), 16);
}

function isOn({ timeline, parents }: Lineage, { firstWal, stopLsn }: BackupSeen): boolean {
  const own = timelineOf({ firstWal });
  if (own === timeline) return true;
  const parent = parents.find((one) => one.timeline === own);
  return parent !== undefined && lsnNumber(stopLsn) <= lsnNumber(parent.until);
}
