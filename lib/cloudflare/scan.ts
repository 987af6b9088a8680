import { path } from '../http/path';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';
import { type CloudflareRecord, jsonOf, parseRecord, type RecordBody } from './records';

/** Lets Cloudflare look for records of the zone in public DNS. It happens in the background; nothing is added. */
export async function startScan(api: CloudflareApi, zone: string, task: Task): Promise<void> {
  const at = path('/zones/{zone}/dns_records/scan/trigger', { zone });
  // Scanning twice finds the same.
  await api.ask({ method: 'POST', path: at, idempotent: true }, () => undefined, task);
}

/** What the scan has found so far, and nobody has accepted or rejected. */
export function scannedRecords(api: CloudflareApi, zone: string, task: Task): Promise<readonly CloudflareRecord[]> {
  const at = path('/zones/{zone}/dns_records/scan/review', { zone });
  return api.list({ path: at, pageSize: undefined, parse: parseRecord }, task);
}

export interface Review {
  readonly accept: readonly RecordBody[];
  /** Ids of found records. */
  readonly reject: readonly string[];
}

export interface Reviewed {
  readonly accepted: readonly CloudflareRecord[];
  readonly rejected: readonly string[];
}

/** Adds what is accepted to the zone, and forgets what is rejected. */
export function reviewScan(
  api: CloudflareApi,
  zone: string,
  { accept, reject }: Review,
  task: Task,
): Promise<Reviewed> {
  return api.ask(
    {
      method: 'POST',
      path: path('/zones/{zone}/dns_records/scan/review', { zone }),
      body: { json: { accepts: accept.map(jsonOf), rejects: reject.map((id) => ({ id })) } },
    },
    (value) => {
      const result = Fields.of(value, 'the review of a scan');
      return { accepted: result.list('accepts').map(parseRecord), rejected: result.texts('rejects') };
    },
    task,
  );
}
