import type { Host } from '../../lib/host/host';
import { operationsWith } from '../declaration';

/** What every operation of the Host node works with. */
export interface HostContext {
  readonly host: Host;
}

export const operation = operationsWith<HostContext>();
