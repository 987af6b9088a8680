import type { Surroundings } from '../../lib/health/check';
import type { StateStore } from '../../lib/state/store';
import { operationsWith } from '../declaration';

export interface HealthContext {
  readonly surroundings: () => Promise<Surroundings>;
  readonly openStore: () => Promise<StateStore>;
}

export const operation = operationsWith<HealthContext>();
