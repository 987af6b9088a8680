import type { HetznerApi } from '../../lib/hetzner/api';
import { operationsWith } from '../declaration';
import type { DnsContext } from '../shared/dns/place';

/** What every operation of the Hetzner node works with. */
export interface HetznerContext extends DnsContext {
  readonly api: HetznerApi;
}

export const operation = operationsWith<HetznerContext>();
