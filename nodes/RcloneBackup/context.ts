import { parseDescribed } from '../../lib/backup/described/described';
import { parseDescribedTree } from '../../lib/backup/described/tree';
import { Failure } from '../../lib/failure';
import { parseRcloneCredential, vaultOf } from '../../lib/rclone/credential';
import { resolveReference } from '../../lib/secrets/resolve';
import type { ContextQuestion } from '../declaration';
import { hostContext } from '../Host/context';
import type { BackupContext } from './operation';

/** Operations that take something away at a remote; a credential has to allow them. */
const DELETING = new Set([
  'retention apply',
  'remote sync',
  'remote delete',
  'remote dedupe',
  'remote cleanUp',
  'tree forget',
]);

/** The host as the Host node knows it, with its hold and its read-only switch, and the remotes of the credential. */
export async function backupContext(question: ContextQuestion): Promise<BackupContext & { readOnly: boolean }> {
  const { execute, itemIndex, input, operation, task } = question;
  const rclone = parseRcloneCredential(await execute.getCredentials('selfhostRclone', itemIndex));
  const called = `${operation.resource} ${operation.name}`;
  if (DELETING.has(called) && input['dryRun'] !== true && !rclone.mayDelete) throw mayNotDelete(called);
  const ofHost = await hostContext(question);
  const { secrets, readOnly } = ofHost;
  const secret = (reference: string) => resolveReference(reference, secrets, task);
  return {
    // Plans are made without a host.
    get host() {
      return ofHost.host;
    },
    get hostName() {
      return ofHost.host.target.name;
    },
    rclone,
    describe: (plan) => parseDescribed(plan, vaultOf(rclone), ofHost.host.target.name),
    describeTree: async (written) => {
      const { plan, keep } = parseDescribedTree(written, vaultOf(rclone), ofHost.host.target.name);
      return { plan: { ...plan, password: await secret(plan.password) }, keep };
    },
    secret,
    readOnly,
  };
}

function mayNotDelete(called: string): Failure {
  return new Failure({
    code: 'rclone_may_not_delete',
    subject: 'the Rclone Remotes credential',
    message: `Refused: "${called}" takes something away at a remote, and the Rclone Remotes credential does not allow it`,
    nextStep: 'Use a credential with May Delete switched on, one of its own for this purpose.',
  });
}
