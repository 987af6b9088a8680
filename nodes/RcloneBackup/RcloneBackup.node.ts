import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { coverageOperation } from './actions/coverage.operation';
import {
  daemonBandwidthOperation,
  daemonJobOperation,
  daemonStartOperation,
  daemonStatsOperation,
  daemonStopOperation,
} from './actions/daemon.operations';
import { applyRetentionOperation, inventoryOperation, previewRetentionOperation } from './actions/keep.operations';
import {
  checkKitOperation,
  openKitOperation,
  proveOpeningOperation,
  writeKitOperation,
} from './actions/kit.operations';
import {
  kitPlanOperation,
  nightlyPlanOperation,
  servicePlanOperation,
  treePlansOperation,
} from './actions/plan.operations';
import { recoverOperation, recoveryPlanOperation } from './actions/recovery.operations';
import { drillOperation, restoreOperation, verifyOperation } from './actions/proof.operations';
import {
  aboutOperation,
  checkOperation,
  cleanUpOperation,
  copyOperation,
  dedupeOperation,
  deleteOperation,
  listOperation,
  stopTransferOperation,
  syncOperation,
  testOperation,
  transferStatusOperation,
} from './actions/remote.operations';
import { previewReplaceOperation, replaceOperation } from './actions/replace.operations';
import {
  fillOperation,
  listRunsOperation,
  retryOperation,
  scatterOperation,
  statusOperation,
} from './actions/run.operations';
import {
  copyTreeOperation,
  drillTreeOperation,
  forgetTreeOperation,
  previewForgetOperation,
  restoreTreeOperation,
  verifyTreeOperation,
} from './actions/tree.operations';
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
    ...secretCredentials(),
    ...controlCredentials,
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
        recoverOperation,
        previewReplaceOperation,
        replaceOperation,
        fillOperation,
        inventoryOperation,
        coverageOperation,
      ],
    }),
    resource({
      name: 'plan',
      label: 'Plan',
      operations: [
        nightlyPlanOperation,
        treePlansOperation,
        servicePlanOperation,
        kitPlanOperation,
        recoveryPlanOperation,
      ],
    }),
    resource({ name: 'run', label: 'Run', operations: [statusOperation, listRunsOperation] }),
    resource({
      name: 'retention',
      label: 'Retention',
      operations: [previewRetentionOperation, applyRetentionOperation],
    }),
    resource({
      name: 'tree',
      label: 'Tree',
      operations: [
        copyTreeOperation,
        verifyTreeOperation,
        drillTreeOperation,
        restoreTreeOperation,
        previewForgetOperation,
        forgetTreeOperation,
      ],
    }),
    resource({
      name: 'recoveryKit',
      label: 'Recovery Kit',
      operations: [writeKitOperation, checkKitOperation, openKitOperation, proveOpeningOperation],
    }),
    resource({
      name: 'remote',
      label: 'Remote',
      operations: [
        testOperation,
        listOperation,
        aboutOperation,
        copyOperation,
        syncOperation,
        checkOperation,
        deleteOperation,
        dedupeOperation,
        cleanUpOperation,
        transferStatusOperation,
        stopTransferOperation,
      ],
    }),
    resource({
      name: 'daemon',
      label: 'Rclone Daemon',
      operations: [
        daemonStatsOperation,
        daemonBandwidthOperation,
        daemonStartOperation,
        daemonJobOperation,
        daemonStopOperation,
      ],
    }),
  ],
  methods: {
    credentialTest: {
      hostCredentialTest,
      infisicalCredentialTest,
      planKeyCredentialTest,
      rcloneCredentialTest,
      secretsCredentialTest,
      stateCredentialTest,
    },
  },
  approvals: approvalDesk,
  context: backupContext,
});
