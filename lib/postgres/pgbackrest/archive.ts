import { Failure } from '../../failure';
import { isObject, parseJson } from '../../json';
import type { Task } from '../../task';
import type { BackupSeen } from './info';
import { runPgbackrest } from './run';
import { describeStanza, stanzaOptions, type Stanza } from './stanza';

/** The WAL of one history in one repository, as its files say. */
export interface ArchiveFiles {
  readonly id: string;
  readonly repository: number;
  /** Names of whole segments, sorted. */
  readonly segments: readonly string[];
  /** When the newest segment was written into the repository. */
  readonly newestAt: string | null;
  /** The same of each timeline, with the name of its last segment. */
  readonly timelines: readonly TimelineSeen[];
}

export interface TimelineSeen {
  readonly timeline: number;
  readonly newest: string;
  readonly newestAt: string | null;
}

export interface Gap {
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

export interface ArchiveSeen {
  readonly id: string;
  readonly repository: number;
  readonly segments: number;
  readonly oldest: string | null;
  readonly newest: string | null;
  readonly newestAt: string | null;
  readonly gaps: readonly Gap[];
  readonly missing: number;
}

const ANSWER_BYTES = 32 * 1024 * 1024;

/** `info` knows the first and the last segment only, and `verify` takes what lies between two gaps for whole. */
export async function readArchive(
  stanza: Stanza,
  { id, repository }: { readonly id: string; readonly repository: number },
  task: Task,
): Promise<ArchiveFiles> {
  const path = `archive/${stanza.name}/${id}`;
  const list = ['repo-ls', '--output=json', '--recurse', `--repo=${repository}`, ...stanzaOptions(stanza), path];
  const { stdout, truncated } = await runPgbackrest(stanza, list, { maxOutputBytes: ANSWER_BYTES }, task);
  const files = parseJson(stdout);
  if (truncated || !isObject(files)) {
    throw new Failure({
      code: 'pgbackrest_unreadable',
      subject: describeStanza(stanza),
      message: `${describeStanza(stanza)}: the list of its archive in repository ${repository} cannot be read`,
      nextStep: 'Look at the repository; if it is fine, report this with the version of pgBackRest.',
    });
  }
  const segments: string[] = [];
  const newestOf = new Map<string, number>();
  for (const [name, facts] of Object.entries(files)) {
    const [, segment] = /(?:^|\/)([0-9A-F]{24})-[0-9a-f]{40}(?:\.[a-z0-9]+)?$/.exec(name) ?? [];
    if (segment === undefined) continue;
    segments.push(segment);
    const timeline = segment.slice(0, 8);
    const at = isObject(facts) && typeof facts.time === 'number' ? facts.time : 0;
    newestOf.set(timeline, Math.max(newestOf.get(timeline) ?? 0, at));
  }
  segments.sort();
  const instant = (seconds: number) => (seconds === 0 ? null : new Date(seconds * 1000).toISOString());
  return {
    id,
    repository,
    segments: [...new Set(segments)],
    newestAt: instant(Math.max(0, ...newestOf.values())),
    timelines: [...newestOf].map(([timeline, at]) => ({
      timeline: parseInt(timeline, 16),
      newest: segments.findLast((name) => name.startsWith(timeline)) ?? '',
      newestAt: instant(at),
    })),
  };
}

/**
 * What is missing between the first segment that a kept backup needs and the newest. Before the oldest backup gaps are
 * what an expiry has left, and harm nobody.
 */
export function findGaps(
  { id, repository, segments, newestAt }: Omit<ArchiveFiles, 'timelines'>,
  backups: readonly Pick<BackupSeen, 'firstWal'>[],
  segmentBytes: number,
): ArchiveSeen {
  const perFile = BigInt(Math.round(0x1_0000_0000 / segmentBytes));
  const [first] = backups.map(({ firstWal }) => firstWal).sort();
  const gaps: Gap[] = [];
  if (first !== undefined) {
    for (const timeline of new Set(segments.map((name) => name.slice(0, 8)))) {
      const own = segments.filter((name) => name.startsWith(timeline) && name.slice(8) >= first.slice(8));
      const numberOf = (name: string) => BigInt(`0x${name.slice(8, 16)}`) * perFile + BigInt(`0x${name.slice(16)}`);
      const nameOf = (number: bigint) => `${timeline}${hex(number / perFile)}${hex(number % perFile)}`;
      const begin = timeline === first.slice(0, 8) ? numberOf(first) : undefined;
      let expected = begin;
      for (const name of own) {
        const at = numberOf(name);
        if (expected !== undefined && at > expected) {
          gaps.push({ from: nameOf(expected), to: nameOf(at - 1n), count: Number(at - expected) });
        }
        expected = at + 1n;
      }
    }
  }
  return {
    id,
    repository,
    segments: segments.length,
    oldest: segments[0] ?? null,
    newest: segments.at(-1) ?? null,
    newestAt,
    gaps,
    missing: gaps.reduce((sum, { count }) => sum + count, 0),
  };
}

function hex(number: bigint): string {
  return number.toString(16).toUpperCase().padStart(8, '0');
}
