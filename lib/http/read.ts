import { type Readable, Transform, type TransformCallback } from 'node:stream';
import * as zlib from 'node:zlib';

import type { RawAnswer } from './send';

/** Undoes Content-Encoding. An encoding that nobody asked for and we do not know is undefined. */
function decoderFor(encoding: string): Transform | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    default:
      return undefined;
  }
}

export interface ReadLimits {
  readonly idleMs: number;
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
  /** What the reader of the body gets to see of an error. */
  readonly translate?: (error: ReadError) => Error;
}

/** The reasons why a body could not be read, for the caller to say in its own words. */
export class ReadError extends Error {
  constructor(
    readonly kind: 'too large' | 'idle' | 'stopped' | 'cut off' | 'wrong length' | 'unknown encoding',
    readonly reason: string = kind,
  ) {
    super(kind);
  }
}

/**
 * The decoded body, with backpressure. It fails when the server is silent for too long, when it is longer or shorter
 * than announced, and at once on the signal; closing it closes the connection.
 */
export function openBody(
  { headers, body }: RawAnswer,
  { idleMs, maxBytes = Infinity, signal, translate = (error) => error }: ReadLimits,
): Readable {
  const announced = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const decoder = encoding === 'identity' || encoding === '' ? undefined : decoderFor(encoding);
  let received = 0;
  let decoded = 0;

  const wire = new Transform({
    transform(chunk: Buffer, _encoding, callback: TransformCallback) {
      received += chunk.length;
      idle.refresh();
      if (announced !== undefined && received > announced) callback(new ReadError('wrong length'));
      else callback(null, chunk);
    },
    flush: (callback) =>
      callback(announced === undefined || received === announced ? null : new ReadError('wrong length')),
  });
  const content = new Transform({
    transform(chunk: Buffer, _encoding, callback: TransformCallback) {
      decoded += chunk.length;
      if (decoded > maxBytes) callback(translate(new ReadError('too large')));
      else callback(null, chunk);
    },
  });

  const fail = (error: ReadError) => content.destroy(translate(error));
  const stop = () => fail(new ReadError('stopped'));
  const idle = setTimeout(() => {
    // A reader that takes its time is no silent server.
    if (wire.writableNeedDrain || wire.readableLength > 0) idle.refresh();
    else fail(new ReadError('idle'));
  }, idleMs);

  body.on('error', (error: NodeJS.ErrnoException) => fail(new ReadError('cut off', error.code ?? 'ECONNRESET')));
  body.on('close', () => {
    if (!body.readableEnded) fail(new ReadError('cut off', 'ECONNRESET'));
  });
  wire.on('error', () => fail(new ReadError('wrong length')));
  decoder?.on('error', (error: NodeJS.ErrnoException) => fail(new ReadError('cut off', error.code ?? 'Z_DATA_ERROR')));
  wire.on('end', () => clearTimeout(idle));
  content.on('close', () => {
    clearTimeout(idle);
    signal.removeEventListener('abort', stop);
    for (const part of [body, wire, decoder]) part?.destroy();
  });
  signal.addEventListener('abort', stop, { once: true });

  if (encoding !== 'identity' && encoding !== '' && decoder === undefined)
    fail(new ReadError('unknown encoding', encoding));
  else if (signal.aborted) stop();
  else if (decoder) body.pipe(wire).pipe(decoder).pipe(content);
  else body.pipe(wire).pipe(content);
  return content;
}

export async function readWhole(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const largestErrorBody = 64 * 1024;

/** What an error says, as far as it can be had: reading it must not become a second error. */
export async function readErrorBody(answer: RawAnswer, limits: ReadLimits): Promise<string> {
  try {
    return (await readWhole(openBody(answer, { ...limits, maxBytes: largestErrorBody }))).toString();
  } catch {
    return '';
  }
}

export function looksLikeWebPage(headers: Readonly<Record<string, string>>, text: string): boolean {
  return /\bhtml\b/i.test(headers['content-type'] ?? '') || /^\s*<(!doctype|html|head|body)\b/i.test(text);
}
