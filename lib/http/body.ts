import { Transform, type TransformCallback } from 'node:stream';

import { encodeQuery } from './path';
import type { Body } from './request';
import { ConnectError } from './trouble';

/** A body as it goes over the wire. */
export type WireBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly contentType: string }
  | {
      readonly kind: 'stream';
      readonly stream: Transform;
      readonly length: number;
      readonly contentType: string;
      /** Set when it was the source, not the connection, that failed. */
      readonly sourceError: () => Error | undefined;
    };

export function encodeBody(body: Body | undefined, onProgress: () => void): WireBody {
  if (body === undefined) return { kind: 'none' };
  if ('json' in body) {
    return { kind: 'bytes', bytes: Buffer.from(JSON.stringify(body.json)), contentType: 'application/json' };
  }
  if ('form' in body) {
    const contentType = 'application/x-www-form-urlencoded';
    return { kind: 'bytes', bytes: Buffer.from(encodeQuery(body.form)), contentType };
  }
  if ('bytes' in body) return { kind: 'bytes', bytes: Buffer.from(body.bytes), contentType: body.contentType };
  return measure(body, onProgress);
}

type StreamBody = Extract<Body, { readonly stream: unknown }>;

/** Passes the stream on, and fails when it is not exactly as long as was promised to the server. */
function measure(
  { stream: source, length, contentType = 'application/octet-stream' }: StreamBody,
  onProgress: () => void,
): WireBody {
  let sourceError: Error | undefined;
  let passed = 0;
  const wrongLength = (reason: 'TOO_SHORT' | 'TOO_LONG') => (sourceError = new ConnectError('upload source', reason));
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, callback: TransformCallback) {
      passed += chunk.length;
      onProgress();
      if (passed > length) callback(wrongLength('TOO_LONG'));
      else callback(null, chunk);
    },
    flush(callback) {
      callback(passed === length ? null : wrongLength('TOO_SHORT'));
    },
    destroy(error, callback) {
      source.destroy();
      callback(error);
    },
  });
  const fail = (error: Error) => {
    sourceError ??= error;
    stream.destroy(error);
  };
  source.on('error', fail);
  source.on('close', () => {
    if (!source.readableEnded) fail(new ConnectError('upload source', 'CLOSED_EARLY'));
  });
  stream.on('error', () => undefined);
  // Over before it was begun: no event would tell it any more.
  if (source.destroyed || source.readableEnded) fail(new ConnectError('upload source', 'CLOSED_EARLY'));
  source.pipe(stream);
  return { kind: 'stream', stream, length, contentType, sourceError: () => sourceError };
}
