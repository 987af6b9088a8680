import type { Readable } from 'node:stream';

import type { Json } from '../json';
import type { Path, Query } from './path';
import type { Headers } from './settings';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type Body =
  | { readonly json: Json }
  | { readonly form: Query }
  | { readonly bytes: string | Buffer; readonly contentType: string }
  /** Read once, so never sent twice: such a request is not repeated. */
  | { readonly stream: Readable; readonly length: number; readonly contentType?: string };

export interface HttpRequest {
  readonly method: Method;
  readonly path: Path;
  readonly query?: Query;
  readonly body?: Body;
  readonly headers?: Headers;
  /** May it be sent twice? By default GET, HEAD, PUT and DELETE may, POST and PATCH may not. */
  readonly idempotent?: boolean;
  /** The whole call with its waits and retries; by default the client's `totalMs`. */
  readonly deadlineMs?: number;
  /** False: a redirect is a failure also for GET and HEAD. */
  readonly followRedirects?: boolean;
}

export interface Answer<Content> {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Headers;
  readonly body: Content;
}

export function isRepeatable({ method, body, idempotent }: HttpRequest): boolean {
  if (body !== undefined && 'stream' in body) return false;
  return idempotent ?? (method !== 'POST' && method !== 'PATCH');
}

export function isRead({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}
