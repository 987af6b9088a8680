import { randomBytes } from 'node:crypto';

import { path } from '../http/path';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';

/** The zone as a BIND zone file, as Cloudflare writes it. */
export function exportZone(api: CloudflareApi, zone: string, task: Task): Promise<string> {
  return api.text({ method: 'GET', path: path('/zones/{zone}/dns_records/export', { zone }) }, task);
}

export interface Imported {
  readonly added: number;
  readonly parsed: number;
}

export interface ZoneFile {
  readonly file: string;
  /** Whether records that can be proxied are. */
  readonly proxied: boolean;
}

/** Adds the records of a zone file to those that are there. Cloudflare stops at the first that it does not take. */
export function importZone(
  api: CloudflareApi,
  zone: string,
  { file, proxied }: ZoneFile,
  task: Task,
): Promise<Imported> {
  const boundary = `n8n-${randomBytes(16).toString('hex')}`;
  const part = (disposition: string, content: string) =>
    `--${boundary}\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
  const bytes = [
    part('name="file"; filename="zone.txt"\r\ncontent-type: text/plain', file),
    part('name="proxied"', String(proxied)),
    `--${boundary}--\r\n`,
  ].join('');
  return api.ask(
    {
      method: 'POST',
      path: path('/zones/{zone}/dns_records/import', { zone }),
      body: { bytes, contentType: `multipart/form-data; boundary=${boundary}` },
    },
    (value) => {
      const result = Fields.of(value, 'the result of an import');
      return {
        added: result.optionalNumber('recs_added') ?? 0,
        parsed: result.optionalNumber('total_records_parsed') ?? 0,
      };
    },
    task,
  );
}
