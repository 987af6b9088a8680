import { Failure } from '../../failure';
import { keepOutput } from '../../host/kept-output';
import { path } from '../../http/path';
import type { Task } from '../../task';
import { inspectContainer } from './containers';
import type { Engine } from './engine';
import { cutOnHost } from './host-logs';
import { oneFrame, splitFrames, type Frame } from './frames';
import type { Readable } from 'node:stream';

export interface LogWish {
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** Unix seconds, with a fraction. */
  readonly since?: string;
  readonly until?: string;
  readonly tail?: number;
  readonly timestamps?: boolean;
  readonly follow?: boolean;
}

export interface LogText {
  readonly text: string;
  readonly bytes: number;
  readonly lines: number;
  /** The middle was left out. */
  readonly truncated: boolean;
}

/** The output of a container, piece by piece, in constant memory. */
export async function* followLogs(
  engine: Engine,
  container: string,
  wish: LogWish,
  task: Task,
): AsyncGenerator<Frame, void, undefined> {
  for await (const batch of logBatches(engine, container, wish, task)) yield* batch;
}

async function* logBatches(
  engine: Engine,
  container: string,
  wish: LogWish,
  task: Task,
): AsyncGenerator<readonly Frame[], void, undefined> {
  const { terminal } = await inspectContainer(engine, container, task);
  const { body } = await engine.stream(
    {
      method: 'GET',
      path: path('/containers/{container}/logs', { container }),
      query: {
        stdout: wish.stdout ?? true,
        stderr: wish.stderr ?? true,
        since: wish.since,
        until: wish.until,
        tail: wish.tail ?? 'all',
        timestamps: wish.timestamps ?? false,
        follow: wish.follow ?? false,
      },
    },
    task,
  );
  yield* batches(body, terminal);
}

/** Reads a framed or plain body; whatever breaks it off breaks this off, too. */
export async function* frames(body: Readable, terminal: boolean): AsyncGenerator<Frame, void, undefined> {
  for await (const batch of batches(body, terminal)) yield* batch;
}

async function* batches(body: Readable, terminal: boolean): AsyncGenerator<readonly Frame[], void, undefined> {
  const splitter = terminal ? oneFrame() : splitFrames();
  try {
    for await (const chunk of body) {
      yield splitter.split(chunk as Buffer);
    }
    splitter.end();
  } finally {
    body.destroy();
  }
}

/** So few lines are here before a shell on the host has begun. */
const FEW_LINES = 1_000;

/** The logs up to now as text; of more than `maxBytes` the beginning and the end. `grep` keeps lines that match. */
export async function readLogs(
  engine: Engine,
  container: string,
  wish: LogWish & { readonly maxBytes?: number; readonly grep?: string },
  task: Task,
): Promise<LogText> {
  const maxBytes = wish.maxBytes ?? 256 * 1024;
  const kept = keepOutput(maxBytes);
  const wanted = wish.grep === undefined || wish.grep === '' ? undefined : pattern(wish.grep);
  if (wish.tail === undefined || wish.tail > FEW_LINES) {
    const cut = await cutOnHost(engine, container, { ...wish, maxBytes }, task);
    if (cut !== undefined) return cut;
  }
  let lines = 0;
  const open = { stdout: false, stderr: false };
  const rest = { stdout: NOTHING, stderr: NOTHING };
  const isWanted = (line: string) => wanted?.test(line.endsWith('\r') ? line.slice(0, -1) : line) === true;
  const take = (line: string, end = '\n') => {
    if (!isWanted(line)) return;
    lines += 1;
    kept.add(Buffer.from(line + end));
  };
  /** Whole lines. What is kept are pieces of these bytes, not copies: of a gigabyte even short-lived ones are felt. */
  const takeLines = (bytes: Buffer) => {
    const text = bytes.toString();
    const faithful = Buffer.byteLength(text) === bytes.length;
    let at = 0;
    let from = 0;
    const keep = () => {
      if (at > from) kept.add(bytes.subarray(from, at));
    };
    for (const line of text.slice(0, -1).split('\n')) {
      const length = faithful ? Buffer.byteLength(line) + 1 : bytes.indexOf(LINE_END, at) + 1 - at;
      if (isWanted(line)) {
        lines += 1;
      } else {
        keep();
        from = at + length;
      }
      at += length;
    }
    keep();
  };
  const read = ({ stream, data }: Frame) => {
    if (wanted === undefined) {
      // A gigabyte passes through here: nothing is made of it that would have to be swept up again.
      kept.add(data);
      lines += lineEnds(data);
      open[stream] = data.at(-1) !== LINE_END;
      return;
    }
    // The two streams are woven line by line, as they came. Only whole lines become text, all of a piece at once.
    const end = data.lastIndexOf(LINE_END);
    if (end !== -1) {
      const whole = data.subarray(0, end + 1);
      takeLines(rest[stream].length === 0 ? whole : Buffer.concat([rest[stream], whole]));
      rest[stream] = NOTHING;
    }
    if (end + 1 < data.length) rest[stream] = Buffer.concat([rest[stream], data.subarray(end + 1)]);
    if (rest[stream].length > LONGEST_LINE) {
      take(rest[stream].toString(), '');
      rest[stream] = NOTHING;
    }
  };
  for await (const batch of logBatches(engine, container, { ...wish, follow: false }, task)) batch.forEach(read);
  for (const left of [rest.stdout, rest.stderr]) if (left.length > 0) take(left.toString());
  lines += Number(open.stdout) + Number(open.stderr);
  return { text: kept.text(), bytes: kept.bytes, lines, truncated: kept.truncated };
}

const LONGEST_LINE = 256 * 1024;
const LINE_END = 0x0a;
const NOTHING: Buffer = Buffer.alloc(0);

function lineEnds(data: Buffer): number {
  let count = 0;
  for (let at = data.indexOf(LINE_END); at !== -1; at = data.indexOf(LINE_END, at + 1)) count += 1;
  return count;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new Failure({
      code: 'invalid_parameter',
      subject: 'Grep',
      message: `"${text}" is not a regular expression`,
      nextStep: 'Write characters with a meaning, like ( or *, with a backslash before them.',
    });
  }
}
