import { isObject, parseJson } from '../../json';

/** The step that a restore over the server has come to: begun, its files restored, the server takes writes. */
export type RestoreStep = 'begun' | 'restored' | 'done';

/**
 * What a host keeps of a restore over its server, for as long as it can be undone: whoever asks for the same thing once
 * more, because the run that began it was killed, is answered with that and restores nothing a second time.
 */
export interface RestoreRecord {
  readonly cluster: string;
  readonly target: string;
  /** Names what was wanted, whatever the server and its backups look like by now. */
  readonly wish: string;
  /** Names what was wanted and what it meant: that backup, that timeline. */
  readonly work: string;
  /** The plan that was agreed to. */
  readonly hash: string;
  readonly lines: readonly string[];
}

export interface RestoreSeen extends RestoreRecord {
  readonly step: RestoreStep;
  /** Of that step. */
  readonly at: string;
  readonly begunAt: string;
  readonly timeline: number;
  readonly job: string | null;
}

/** Writes the record: the plan in its first line, then a line for each step. */
export const RESTORE_RECORD = `
begin_record() {
  prepare_member
  printf '%s\\n' "$1" | put "$dir/restored" || stop_with record_unwritable "the record $dir/restored cannot be written"
  record_step begun
}
record_step() {
  local kept
  kept=$(cat -- "$dir/restored")
  utc_now
  printf '%s\\n%s\\n' "$kept" "$1 $REPLY \${*:2}" | put "$dir/restored" ||
    stop_with record_unwritable "the record $dir/restored cannot be written"
}
forget_record() { rm -f -- "$dir/restored"; }
`;

/** For a script that looks. */
export const SHOW_RESTORE_RECORD = `
[ ! -e "$dir/restored" ] || sed 's/^/record /' "$dir/restored"
`;

export function recordLine(record: RestoreRecord): string {
  return JSON.stringify({ version: 1, ...record });
}

/** One that this version cannot read counts as none: then a restore is refused or planned as if nothing were known. */
export function parseRestoreRecord(lines: readonly string[]): RestoreSeen | undefined {
  const [first = '', ...steps] = lines.map((line) => line.trim());
  const record = parseRecord(first);
  const begunAt = /^begun (\S+)$/.exec(steps[0] ?? '')?.[1];
  const [, step, at, timeline = '0', job = '-'] =
    /^(begun|restored|done) (\S+)(?: (\d+) (\S+))?$/.exec(steps.at(-1) ?? '') ?? [];
  if (record === undefined || begunAt === undefined || at === undefined) return undefined;
  if (step !== 'begun' && step !== 'restored' && step !== 'done') return undefined;
  return { ...record, step, at, begunAt, timeline: Number(timeline), job: job === '-' ? null : job };
}

function parseRecord(line: string): RestoreRecord | undefined {
  const value = parseJson(line);
  if (!isObject(value)) return undefined;
  const { version, cluster, target, wish, work, hash, lines } = value;
  if (version !== 1 || typeof cluster !== 'string' || typeof target !== 'string') return undefined;
  if (typeof wish !== 'string' || typeof work !== 'string' || typeof hash !== 'string') return undefined;
  if (!Array.isArray(lines) || !lines.every((one) => typeof one === 'string')) return undefined;
  return { cluster, target, wish, work, hash, lines };
}
