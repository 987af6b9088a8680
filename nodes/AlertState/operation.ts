import type { StateStore } from '../../lib/state/store';
import { operationsWith } from '../declaration';

export interface AlertContext {
  readonly store: StateStore;
}

export const operation = operationsWith<AlertContext>();
