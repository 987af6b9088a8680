import type { HetznerApi } from '../../lib/hetzner/api';
import type { SecretSources } from '../../lib/secrets/resolve';
import { operationsWith } from '../declaration';
import type { DnsContext } from '../shared/dns/place';

/** What every operation of the Hetzner node works with. */
export interface HetznerContext extends DnsContext {
  readonly api: HetznerApi;
  /** What references to secrets can be resolved with. */
  readonly secrets: SecretSources;
}

export const operation = operationsWith<HetznerContext>();
