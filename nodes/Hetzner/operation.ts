import type { HetznerApi } from '../../lib/hetzner/api';
import { resolveReference, type SecretSources } from '../../lib/secrets/resolve';
import type { Task } from '../../lib/task';
import { operationsWith } from '../declaration';
import type { DnsContext } from '../shared/dns/place';

/** What every operation of the Hetzner node works with. */
export interface HetznerContext extends DnsContext {
  readonly api: HetznerApi;
  /** What references to secrets can be resolved with. */
  readonly secrets: SecretSources;
}

/** A password or key of a field: itself, or what a reference stands for. */
export async function reveal(value: string, secrets: SecretSources, task: Task): Promise<string> {
  return /^(credential|infisical):/.test(value) ? resolveReference(value, secrets, task) : value;
}

export const operation = operationsWith<HetznerContext>();
