import type { ForgejoApi } from '../../lib/forgejo/api';
import type { ForgejoRegistry } from '../../lib/forgejo/registry/registry';
import { operationsWith } from '../declaration';

/** What every operation of the Forgejo node works with. */
export interface ForgejoContext {
  readonly api: ForgejoApi;
  readonly registry: ForgejoRegistry;
}

export const operation = operationsWith<ForgejoContext>();
