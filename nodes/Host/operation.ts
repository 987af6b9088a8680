import type { RunAs } from '../../lib/host/command';
import type { Host } from '../../lib/host/host';
import type { NamedSecrets } from '../../lib/secrets/named-secrets';
import { operationsWith } from '../declaration';

/** What every operation of the Host node works with. */
export interface HostContext {
  readonly host: Host;
  /** Undefined leaves it to the credential: root where it has a sudo mode. */
  readonly runAs: RunAs | undefined;
  /** Absent when the node has no Named Secrets credential. */
  readonly secrets: NamedSecrets | undefined;
  /** The workflow this runs in: part of the identity of jobs. */
  readonly workflow: { readonly id: string; readonly execution: string };
}

export const operation = operationsWith<HostContext>();
