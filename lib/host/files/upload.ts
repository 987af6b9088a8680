import type { Readable } from 'node:stream';
import type { Task } from '../../task';
import type { Host } from '../host';
import { put, type WriteOptions, type WriteResult } from './write';

export interface UploadOptions extends WriteOptions {
  /** How many bytes the source has: gives the progress a fraction, and anything else is refused. */
  readonly size?: number;
}

const UPLOAD_TIMEOUT_MS = 6 * 3600_000;

/** Streams into a file in constant memory. All or nothing like writeFile; size and SHA-256 are verified on the host. */
export function uploadStream(
  host: Host,
  path: string,
  source: Readable,
  options: UploadOptions,
  task: Task,
): Promise<WriteResult> {
  return put(host, path, source, { timeoutMs: UPLOAD_TIMEOUT_MS, ...options }, task);
}
