import type { RunAs } from '../../lib/host/command';
import type { Host, Identity } from '../../lib/host/host';
import type { SecretSources } from '../../lib/secrets/resolve';
import { operationsWith } from '../declaration';

/** What every operation of the Host node works with. */
export interface HostContext {
  readonly identity: Identity;
  readonly host: Host;
  /** Undefined leaves it to the credential: root where it has a sudo mode. */
  readonly runAs: RunAs | undefined;
  /** What references can be resolved with. */
  readonly secrets: SecretSources;
  /** The workflow this runs in: part of the identity of jobs. */
  readonly workflow: { readonly id: string; readonly execution: string };
}

export const operation = operationsWith<HostContext>();
