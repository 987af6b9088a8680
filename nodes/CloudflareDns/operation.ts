import type { CloudflareApi } from '../../lib/cloudflare/api';
import type { CloudflareZone } from '../../lib/cloudflare/zones';
import { operationsWith } from '../declaration';
import type { DnsContext } from '../shared/dns/place';

/** What every operation of the Cloudflare DNS node works with. */
export interface CloudflareContext extends DnsContext {
  readonly api: CloudflareApi;
  /** The zone with this name or id; asked for once in an execution. */
  readonly findZone: (named: string) => Promise<CloudflareZone>;
}

export const operation = operationsWith<CloudflareContext>();
