import type { HetznerApi } from '../../lib/hetzner/api';
import type { Host } from '../../lib/host/host';
import type { Database } from '../../lib/postgres/connection';
import type { Cluster, Member } from '../../lib/postgres/replication/cluster';
import type { SecretSources } from '../../lib/secrets/resolve';
import { operationsWith } from '../declaration';

export interface PostgresContext {
  readonly cluster: Cluster;
  /** SQL at a member, as the login of the PostgreSQL credential. */
  readonly databaseOf: (member: Member) => Database;
  readonly hostOf: (name: string) => Host;
  /** Throws where the node has no Hetzner credential, or one that may change nothing. */
  readonly hetzner: () => Promise<HetznerApi>;
  /** Where secrets behind references come from. */
  readonly secrets: () => Promise<SecretSources>;
  /** Throws when one of their hosts is on hold, and this operation is one that a hold keeps away. */
  readonly refuseHeld: (members: readonly Member[]) => Promise<void>;
  /** Nobody in person asks for it, so a hold on the hosts is obeyed. */
  readonly automatic: boolean;
}

export const operation = operationsWith<PostgresContext>();
