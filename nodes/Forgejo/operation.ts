import type { ForgejoApi } from '../../lib/forgejo/api';
import type { ForgejoRegistry } from '../../lib/forgejo/registry/registry';
import type { SecretSources } from '../../lib/secrets/resolve';
import { operationsWith } from '../declaration';

/** What every operation of the Forgejo node works with. */
export interface ForgejoContext {
  readonly api: ForgejoApi;
  readonly registry: ForgejoRegistry;
  /** What references to secrets can be resolved with. */
  readonly secrets: SecretSources;
}

export const operation = operationsWith<ForgejoContext>();
