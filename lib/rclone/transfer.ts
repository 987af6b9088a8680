import { randomBytes } from 'node:crypto';
import type { RcloneConfiguration } from '../backup/plan';
import { renderFields, secretsOf, vaultFields } from '../backup/plan-fields';
import { Failure } from '../failure';
import { awaitJob } from '../host/jobs/await';
import { jobLogs } from '../host/jobs/logs';
import { readJob } from '../host/jobs/read';
import type { Job } from '../host/jobs/record';
import { startJob } from '../host/jobs/start';
import type { Host } from '../host/host';
import { isObject, parseJson } from '../json';
import { redact } from '../secrets/redact';
import type { Task } from '../task';
import { checkedPath, wordFields } from './ask';
import { RCLONE } from './script';

interface Pace {
  /** As --bwlimit takes it: `10M`. */
  readonly bandwidth?: string;
}

/** Long work with remotes. What takes something away can be tried first. */
export type Transfer =
  | ({ readonly kind: 'copy'; readonly from: string; readonly to: string; readonly dryRun: boolean } & Pace)
  | ({
      readonly kind: 'sync';
      readonly from: string;
      readonly to: string;
      readonly dryRun: boolean;
      /** More deletions than this end it. */
      readonly maxDelete: number;
    } & Pace)
  | { readonly kind: 'check'; readonly from: string; readonly to: string; readonly download: boolean }
  /** `to` is a crypt remote. */
  | { readonly kind: 'cryptCheck'; readonly from: string; readonly to: string }
  | { readonly kind: 'delete'; readonly path: string; readonly minAge?: string; readonly dryRun: boolean }
  | { readonly kind: 'dedupe'; readonly path: string; readonly mode: DedupeMode; readonly dryRun: boolean }
  | { readonly kind: 'cleanUp'; readonly path: string; readonly dryRun: boolean };

export type DedupeMode = 'skip' | 'first' | 'newest' | 'oldest' | 'largest' | 'smallest' | 'rename';

export interface Progressed {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly transfers: number;
  readonly checks: number;
  readonly deletes: number;
  readonly errors: number;
}

export interface TransferState {
  readonly job: Job;
  /** Undefined while it runs. */
  readonly good?: boolean;
  readonly sentence: string;
  readonly progress: Progressed;
  /** Of a dry run: what would be done to which file. Of a check: what differs. */
  readonly items: readonly { readonly path: string; readonly what: string }[];
  readonly errors: readonly string[];
}

export const TRANSFER_NAMES: Readonly<Record<Transfer['kind'], string>> = {
  copy: 'Rclone copy',
  sync: 'Rclone sync',
  check: 'Rclone check',
  cryptCheck: 'Rclone cryptcheck',
  delete: 'Rclone delete',
  dedupe: 'Rclone dedupe',
  cleanUp: 'Rclone cleanup',
};

/** The words of the rclone command. */
export function wordsOf(transfer: Transfer): string[] {
  const log = ['--use-json-log', '--stats', '1s', '--stats-log-level', 'NOTICE', '--log-level', 'NOTICE'];
  const dry = 'dryRun' in transfer && transfer.dryRun ? ['--dry-run'] : [];
  const flags = [...log, '--contimeout', '15s', '--timeout', '60s', ...dry];
  const pace = (bandwidth: string | undefined) =>
    bandwidth === undefined || bandwidth === '' ? [] : ['--bwlimit', checkedBandwidth(bandwidth)];
  switch (transfer.kind) {
    case 'copy':
      return ['copy', ...flags, ...pace(transfer.bandwidth), '--', ...pair(transfer)];
    case 'sync':
      return [
        'sync',
        ...flags,
        ...pace(transfer.bandwidth),
        '--max-delete',
        String(transfer.maxDelete),
        '--',
        ...pair(transfer),
      ];
    case 'check':
      return [
        'check',
        ...flags,
        '--combined',
        '-',
        ...(transfer.download ? ['--download'] : []),
        '--',
        ...pair(transfer),
      ];
    case 'cryptCheck':
      return ['cryptcheck', ...flags, '--combined', '-', '--', ...pair(transfer)];
    case 'delete': {
      const age =
        transfer.minAge === undefined || transfer.minAge === '' ? [] : ['--min-age', checkedAge(transfer.minAge)];
      return ['delete', ...flags, ...age, '--', belowRoot(transfer.path)];
    }
    case 'dedupe':
      return ['dedupe', ...flags, '--dedupe-mode', transfer.mode, '--', checkedPath(transfer.path)];
    case 'cleanUp':
      return ['cleanup', ...flags, '--', checkedPath(transfer.path)];
  }
}

/** Starts it as a job on the host, or attaches to the one with the same intent. */
export async function startTransfer(
  host: Host,
  rclone: RcloneConfiguration,
  transfer: Transfer,
  options: { readonly intent?: string },
  task: Task,
): Promise<Job & { readonly changed: boolean }> {
  const words = wordsOf(transfer);
  return await startJob(
    host,
    {
      name: TRANSFER_NAMES[transfer.kind],
      intent: options.intent ?? `${new Date().toISOString()} ${randomBytes(4).toString('hex')}`,
      owner: task.owner,
      command: { script: RCLONE, strict: false },
      secretInput: renderFields({ ...vaultFields({ rclone, crypt: '' }), ...wordFields(words) }),
    },
    task,
  );
}

/** How it stands, or how it ended. */
export async function readTransfer(
  host: Host,
  rclone: RcloneConfiguration,
  { id, run }: { readonly id: string; readonly run?: string },
  task: Task,
): Promise<TransferState> {
  const job = await readJob(host, id, task, run);
  const maxBytes = 8 * 1024 * 1024;
  const said = (await jobLogs(host, id, { run: job.run, stream: 'stderr', fromByte: -maxBytes, maxBytes }, task)).text;
  const out = (await jobLogs(host, id, { run: job.run, stream: 'stdout', fromByte: -maxBytes, maxBytes }, task)).text;
  return { job, ...redact(describeTransfer(job, said, out), secretsOf({ rclone, crypt: '' })) };
}

/** Waits for its end and tells how far it is. */
export async function awaitTransfer(
  host: Host,
  rclone: RcloneConfiguration,
  { id, run }: Pick<Job, 'id' | 'run'>,
  options: { readonly timeoutMs: number },
  task: Task,
): Promise<TransferState> {
  const heard: Task = {
    ...task,
    progress: ({ message }) => {
      const stats = statsOf(message);
      if (stats === undefined) return;
      const fraction = stats.totalBytes > 0 ? { fraction: stats.bytes / stats.totalBytes } : {};
      task.progress({ message: tell(stats), ...fraction });
    },
  };
  await awaitJob(host, id, { run, timeoutMs: options.timeoutMs }, heard);
  return await readTransfer(host, rclone, { id, run }, task);
}

const DIFFERENCES: Readonly<Record<string, string>> = {
  '-': 'only at the destination',
  '+': 'only at the source',
  '*': 'differs',
  '!': 'could not be read',
};

/** Pure: what rclone's log and output say. */
export function describeTransfer(
  job: Pick<Job, 'state' | 'name'>,
  log: string,
  output: string,
): Omit<TransferState, 'job'> {
  const lines = log.split('\n').flatMap((line): Record<string, unknown>[] => {
    const value = parseJson(line);
    return isObject(value) ? [value] : [];
  });
  const progress = lines.map(({ stats }) => progressOf(stats)).findLast((each) => each !== undefined) ?? NOTHING;
  const skipped = lines.flatMap(({ object, skipped: what }) =>
    typeof object === 'string' && typeof what === 'string' ? [{ path: object, what: `would ${what}` }] : [],
  );
  const differences = output.split('\n').flatMap((line) => {
    const what = DIFFERENCES[line.charAt(0)];
    return what === undefined || line.charAt(1) !== ' ' ? [] : [{ path: line.slice(2), what }];
  });
  const errors = lines.flatMap(({ level, msg, object }) =>
    level === 'error' && typeof msg === 'string' ? [typeof object === 'string' ? `${object}: ${msg}` : msg] : [],
  );
  // What goes wrong before its log begins stands there as it is.
  const plain = log
    .split('\n')
    .flatMap((line) => /^\d{4}\/\d\d\/\d\d [\d:]+ (?:(?:ERROR|CRITICAL) *: )?(Failed .*)$/.exec(line)?.[1] ?? []);
  const items = [...skipped, ...differences];
  const { state } = job;
  if (state.kind === 'running')
    return { sentence: `${job.name} is running: ${tell(progress)}`, progress, items, errors };
  const good = state.kind === 'finished' && 'exitCode' in state.exit && state.exit.exitCode === 0;
  const why =
    plain.at(-1) ?? errors.at(-1) ?? (state.kind === 'finished' ? 'no reason was given' : `it was ${state.kind}`);
  return {
    good,
    sentence: good ? `${job.name} is done: ${tell(progress)}` : `${job.name} did not go well: ${why}`,
    progress,
    items,
    errors: errors.length === 0 && !good ? plain : errors,
  };
}

const NOTHING: Progressed = {
  bytes: 0,
  totalBytes: 0,
  bytesPerSecond: 0,
  transfers: 0,
  checks: 0,
  deletes: 0,
  errors: 0,
};

function statsOf(line: string): Progressed | undefined {
  const value = parseJson(line);
  return isObject(value) ? progressOf(value['stats']) : undefined;
}

function progressOf(stats: unknown): Progressed | undefined {
  if (!isObject(stats)) return undefined;
  const count = (name: string) => (typeof stats[name] === 'number' ? Math.round(stats[name]) : 0);
  return {
    bytes: count('bytes'),
    totalBytes: count('totalBytes'),
    bytesPerSecond: count('speed'),
    transfers: count('transfers'),
    checks: count('checks'),
    deletes: count('deletes'),
    errors: count('errors'),
  };
}

function tell({ bytes, totalBytes, transfers, checks, deletes }: Progressed): string {
  const parts = [
    `${bytes} of ${totalBytes} bytes`,
    `${transfers} files moved`,
    ...(checks > 0 ? [`${checks} compared`] : []),
    ...(deletes > 0 ? [`${deletes} deleted`] : []),
  ];
  return parts.join(', ');
}

function pair({ from, to }: { readonly from: string; readonly to: string }): string[] {
  return [checkedPath(from), checkedPath(to)];
}

/** A whole remote is never deleted, whatever an expression made of the path. */
function belowRoot(path: string): string {
  const checked = checkedPath(path);
  if (/^[^:]*:\/*$/.test(checked) || /^\/*$/.test(checked) || !checked.includes(':'))
    throw unusable(`"${path.slice(0, 60)}" is not a folder or file below a remote`);
  return checked;
}

function checkedBandwidth(bandwidth: string): string {
  if (/^[0-9.]+[BKMGbkmg]?$/.test(bandwidth)) return bandwidth;
  throw unusable('the bandwidth is not like 10M');
}

function checkedAge(age: string): string {
  if (/^\d+(\.\d+)?(ms|s|m|h|d|w|M|y)$/.test(age)) return age;
  throw unusable('the age is not like 30d');
}

function unusable(why: string): Failure {
  return new Failure({
    code: 'rclone_request_unusable',
    subject: 'the rclone command',
    message: `Nothing was started: ${why}`,
    nextStep: 'Correct the field, or the expression that fills it.',
  });
}
