import type { Service } from '../../lib/standby/service';
import { operationsWith } from '../declaration';

/** What every operation of the Service Standby node works with. */
export interface StandbyContext {
  readonly service: Service;
  /** Nobody has pressed a button for this run: a hold stops it. */
  readonly automatic: boolean;
}

export const operation = operationsWith<StandbyContext>();
