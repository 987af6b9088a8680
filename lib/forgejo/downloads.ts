import type { Readable } from 'node:stream';

import type { Task } from '../task';
import type { ForgejoApi } from './api';
import type { Base } from './kind';
import { type Names, type Sent, tableEndpoint } from './things';

/** Long enough for what no call would wait for. */
const DOWNLOAD_MS = 60 * 60 * 1000;

export interface Download {
  readonly fileName: string;
  readonly contentType: string;
  readonly content: Readable;
}

/** What an address gives, as it comes. Whoever gets it reads it to the end or destroys it. */
export async function download(
  api: ForgejoApi,
  base: Base,
  below: string,
  names: Names,
  fileName: string,
  task: Task,
  { query, since }: Pick<Sent, 'query' | 'since'> = {},
): Promise<Download> {
  const { headers, body } = await api.stream(
    tableEndpoint('GET', base, below, () => undefined, { since }),
    { at: { ...base.at, ...names }, deadlineMs: DOWNLOAD_MS, ...(query !== undefined && { query }) },
    task,
  );
  const [contentType = ''] = (headers['content-type'] ?? '').split(';');
  return { fileName, contentType: contentType || 'application/octet-stream', content: body };
}
