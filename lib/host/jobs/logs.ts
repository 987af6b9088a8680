import type { Task } from '../../task';
import type { Host } from '../host';
import { runStateScript, unreadableRecord } from '../state-folder';
import { checkId, checkRun, jobMissing } from './record';
import { READ_LOG } from './scripts';

export interface LogRequest {
  readonly stream: 'stdout' | 'stderr';
  readonly run: string;
  /** From which byte of all that was written; negative counts from the end. */
  readonly fromByte?: number;
  readonly maxBytes?: number;
  /** Only the last lines, of at most `maxBytes`. */
  readonly tailLines?: number;
}

export interface JobLog {
  /** What was kept of the part that was asked for; where bytes are missing a line says how many. */
  readonly text: string;
  /** Where to go on reading. */
  readonly nextByte: number;
  /** All that the command has written so far. */
  readonly totalBytes: number;
  /** Bytes of the part that were not kept. */
  readonly droppedBytes: number;
}

const DEFAULT_BYTES = 256 * 1024;
const MOST_BYTES = 16 * 1024 * 1024;

export async function jobLogs(host: Host, id: string, request: LogRequest, task: Task): Promise<JobLog> {
  const { stream, run, tailLines } = request;
  const max = Math.min(request.maxBytes ?? DEFAULT_BYTES, MOST_BYTES);
  const from = request.fromByte ?? (tailLines === undefined ? 0 : -max);
  const { stdout } = await runStateScript(
    host,
    { script: READ_LOG, arguments: [checkId(id), checkRun(run), stream, String(Math.trunc(from)), String(max)] },
    task,
  );
  const [total = '', ...lines] = stdout.trimEnd().split('\n');
  if (total === '') throw jobMissing(host, id, run);
  if (!/^\d+$/.test(total)) throw unreadableRecord(host, `the log of job ${id}`);
  const totalBytes = Number(total);
  const begin = Math.min(from < 0 ? Math.max(0, totalBytes + from) : from, totalBytes);
  const log = join(begin, totalBytes, max, lines);
  return tailLines === undefined ? log : { ...log, text: lastLines(log.text, tailLines) };
}

function join(begin: number, totalBytes: number, max: number, lines: readonly string[]): JobLog {
  const parts: Buffer[] = [];
  let at = begin;
  let kept = 0;
  let droppedBytes = 0;
  const skipTo = (offset: number) => {
    if (offset <= at) return;
    parts.push(Buffer.from(`\n[... ${offset - at} bytes left out ...]\n`));
    droppedBytes += offset - at;
    at = offset;
  };
  for (const line of lines) {
    const [offset = '', data = ''] = line.split(' ');
    const bytes = Buffer.from(data, 'base64');
    skipTo(Number(offset));
    parts.push(bytes);
    kept += bytes.length;
    at += bytes.length;
  }
  // Less than was asked for, and yet not the end: the rest is missing.
  if (kept < max) skipTo(totalBytes);
  const joined = Buffer.concat(parts);
  const partial = at < totalBytes || droppedBytes === 0 ? unfinishedCharacter(joined) : 0;
  return {
    text: joined.subarray(0, joined.length - partial).toString('utf8'),
    nextByte: at - partial,
    totalBytes,
    droppedBytes,
  };
}

/** How many bytes at the end begin a character whose rest has not come yet. */
function unfinishedCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const length = byte >= 0b1111_0000 ? 4 : byte >= 0b1110_0000 ? 3 : byte >= 0b1100_0000 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

function lastLines(text: string, count: number): string {
  const lines = text.split('\n');
  const ended = lines.at(-1) === '' ? 1 : 0;
  return lines.slice(Math.max(0, lines.length - ended - count)).join('\n');
}
