import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Progress, Task } from '../../task';

const PIECE_BYTES = 256 * 1024;
const REPORT_EVERY_MS = 500;

/** Cuts what is in memory into pieces and gives a source as it comes. */
async function* piecesOf(content: string | Buffer | Readable): AsyncGenerator<Buffer> {
  if (content instanceof Readable) {
    for await (const chunk of content as AsyncIterable<unknown>) {
      if (typeof chunk === 'string') yield Buffer.from(chunk);
      else if (chunk instanceof Uint8Array) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      else throw new TypeError('it gives objects instead of bytes');
    }
    return;
  }
  const whole = Buffer.isBuffer(content) ? content : Buffer.from(content);
  for (let at = 0; at < whole.length; at += PIECE_BYTES) yield whole.subarray(at, at + PIECE_BYTES);
}

export interface Sealing {
  /** What the source must have; anything else breaks the transfer. */
  readonly size?: number;
  readonly moved: (bytes: number) => void;
  readonly ended: () => void;
}

/**
 * The content and, behind it, its SHA-256 in hexadecimal. Over exec, a connection that breaks looks to the far end just
 * like the end of the content; only with the seal is the content known to be whole and right.
 */
export function sealed(content: string | Buffer | Readable, { size, moved, ended }: Sealing): Readable {
  async function* pieces() {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of piecesOf(content)) {
      bytes += piece.length;
      if (size !== undefined && bytes > size) throw new Error(`it has more than the ${size} bytes that were announced`);
      hash.update(piece);
      yield piece;
      moved(bytes);
    }
    if (size !== undefined && bytes !== size) throw new Error(`it has ${bytes} bytes, but ${size} were announced`);
    ended();
    yield Buffer.from(hash.digest('hex'));
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 1024 * 1024 });
}

/** The SHA-256 and size of a content, reading a source to its end. */
export async function measure(content: string | Buffer | Readable) {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of piecesOf(content)) {
    hash.update(piece);
    size += piece.length;
  }
  return { sha256: hash.digest('hex'), size };
}

/** Reports bytes now and then, and always the end. */
export function reportBytes(verb: string, size: number | undefined, progress: Task['progress']) {
  let last = 0;
  return (bytes: number) => {
    const now = performance.now();
    if (bytes !== size && now - last < REPORT_EVERY_MS) return;
    last = now;
    progress(bytesProgress(verb, bytes, size));
  };
}

export function bytesProgress(verb: string, bytes: number, size: number | undefined): Progress {
  if (size === undefined) return { message: `${verb} ${readable(bytes)}` };
  return {
    message: `${verb} ${readable(bytes)} of ${readable(size)}`,
    fraction: size === 0 ? 1 : Math.min(1, bytes / size),
  };
}

function readable(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export interface StallWatch {
  /** The task with one more reason to stop. */
  readonly task: Task;
  readonly moved: () => void;
  /** Ends the watch: from here on only the whole deadline counts. */
  readonly end: () => void;
  readonly stalled: () => boolean;
  /** Lets go of the task. */
  readonly close: () => void;
}

/** A transfer may take hours, but not one in which nothing moves. */
export function watchStall(stallMs: number, task: Task, mayWait: () => boolean = () => false): StallWatch {
  const controller = new AbortController();
  let stalled = false;
  let timer: NodeJS.Timeout | undefined;
  const arm = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (mayWait()) {
        arm();
        return;
      }
      stalled = true;
      controller.abort();
    }, stallMs);
    timer.unref();
  };
  const onStop = () => {
    controller.abort();
  };
  const end = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  if (task.signal.aborted) onStop();
  task.signal.addEventListener('abort', onStop, { once: true });
  arm();
  return {
    task: { ...task, signal: controller.signal },
    moved: () => {
      if (timer !== undefined) arm();
    },
    end,
    stalled: () => stalled,
    close: () => {
      end();
      task.signal.removeEventListener('abort', onStop);
    },
  };
}
