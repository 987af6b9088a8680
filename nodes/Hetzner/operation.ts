import type { HetznerApi } from '../../lib/hetzner/api';
import { operationsWith } from '../declaration';

/** What every operation of the Hetzner node works with. */
export interface HetznerContext {
  readonly api: HetznerApi;
}

export const operation = operationsWith<HetznerContext>();
