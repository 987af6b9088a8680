import { path } from '../http/path';
import type { Json } from '../json';
import type { Task } from '../task';
import type { CloudflareApi } from './api';

/** What of a zone is to be fetched anew. */
export type Purge =
  | { readonly what: 'everything' }
  | { readonly what: 'files' | 'tags' | 'hosts' | 'prefixes'; readonly values: readonly string[] };

export async function purgeCache(api: CloudflareApi, zone: string, purge: Purge, task: Task): Promise<void> {
  const json: Json = purge.what === 'everything' ? { purge_everything: true } : { [purge.what]: purge.values };
  const at = path('/zones/{zone}/purge_cache', { zone });
  // An empty cache is not emptier after the second time.
  await api.ask({ method: 'POST', path: at, body: { json }, idempotent: true }, () => undefined, task);
}
