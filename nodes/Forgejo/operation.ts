import type { ForgejoApi } from '../../lib/forgejo/api';
import { operationsWith } from '../declaration';

/** What every operation of the Forgejo node works with. */
export interface ForgejoContext {
  readonly api: ForgejoApi;
}

export const operation = operationsWith<ForgejoContext>();
