import type { DockerAccess } from '../../lib/docker/engine/access';
import type { Engine } from '../../lib/docker/engine/engine';
import type { SecretSources } from '../../lib/secrets/resolve';
import { operationsWith } from '../declaration';

/** What every operation of the Docker Host node works with. */
export interface DockerContext {
  /** Name of the host, for the items. */
  readonly hostName: string;
  /** Throws where Docker is reached without SSH: then nothing can be done on its host. */
  readonly access: () => DockerAccess;
  /** Connected when an operation needs it: Compose does not. */
  readonly engine: () => Promise<Engine>;
  /** What references can be resolved with. */
  readonly secrets: SecretSources;
}

export const operation = operationsWith<DockerContext>();
