import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { applyRetentionOperation, inventoryOperation, previewRetentionOperation } from './actions/keep.operations';
import { drillOperation, restoreOperation, verifyOperation } from './actions/proof.operations';
import {
  fillOperation,
  listRunsOperation,
  retryOperation,
  scatterOperation,
  statusOperation,
} from './actions/run.operations';
import { backupContext } from './context';
import { rcloneCredentialTest } from './methods/rcloneCredentialTest';
import type { BackupContext } from './operation';

export const RcloneBackup = actionNode<BackupContext>({
  name: 'rcloneBackup',
  displayName: 'Rclone Backup',
  description:
    'Encrypted backups from your servers to many places at once: scatter, verify, keep, restore, and prove it',
  icon: { light: 'file:rcloneBackup.svg', dark: 'file:rcloneBackup.dark.svg' },
  credentials: [
    { name: 'selfhostHost', required: true, testedBy: 'hostCredentialTest' },
    { name: 'selfhostRclone', required: true, testedBy: 'rcloneCredentialTest' },
    { name: 'selfhostSecrets', displayName: 'Named Secrets', required: false, testedBy: 'secretsCredentialTest' },
    { name: 'selfhostInfisical', displayName: 'Infisical', required: false, testedBy: 'infisicalCredentialTest' },
  ],
  resources: [
    resource({
      name: 'backup',
      label: 'Backup',
      operations: [
        scatterOperation,
        retryOperation,
        verifyOperation,
        drillOperation,
        restoreOperation,
        fillOperation,
        inventoryOperation,
      ],
    }),
    resource({ name: 'run', label: 'Run', operations: [statusOperation, listRunsOperation] }),
    resource({
      name: 'retention',
      label: 'Retention',
      operations: [previewRetentionOperation, applyRetentionOperation],
    }),
  ],
  methods: {
    credentialTest: { hostCredentialTest, infisicalCredentialTest, rcloneCredentialTest, secretsCredentialTest },
  },
  context: backupContext,
});
