import type { DockerAccess } from '../../lib/docker/engine/access';
import type { Engine } from '../../lib/docker/engine/engine';
import type { NamedSecrets } from '../../lib/secrets/named-secrets';
import { operationsWith } from '../declaration';

/** What every operation of the Docker Host node works with. */
export interface DockerContext {
  /** Name of the host, for the items. */
  readonly hostName: string;
  readonly access: DockerAccess;
  /** Connected when an operation needs it: Compose does not. */
  readonly engine: () => Promise<Engine>;
  /** Absent when the node has no Named Secrets credential. */
  readonly secrets: NamedSecrets | undefined;
}

export const operation = operationsWith<DockerContext>();
