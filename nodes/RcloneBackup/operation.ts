import type { Described } from '../../lib/backup/described/described';
import type { DescribedTree } from '../../lib/backup/described/tree';
import type { Host } from '../../lib/host/host';
import type { RcloneCredential } from '../../lib/rclone/credential';
import { operationsWith } from '../declaration';

/** What every operation of the Rclone Backup node works with. */
export interface BackupContext {
  readonly host: Host;
  readonly hostName: string;
  readonly rclone: RcloneCredential;
  /** The plan as it stands in the field, read with the credential's passwords. */
  readonly describe: (plan: unknown) => Described;
  /** The same for a tree, with the password of its repositories. */
  readonly describeTree: (plan: unknown) => Promise<DescribedTree>;
  /** The value behind a secret reference. */
  readonly secret: (reference: string) => Promise<string>;
}

export const operation = operationsWith<BackupContext>();
