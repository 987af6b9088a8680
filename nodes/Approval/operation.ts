import type { StateStore } from '../../lib/state/store';
import { operationsWith } from '../declaration';

/** What every operation of the Approval node works with. */
export interface ApprovalContext {
  readonly store: StateStore;
  readonly planKey: string;
}

export const operation = operationsWith<ApprovalContext>();
