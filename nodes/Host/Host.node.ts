import { actionNode, resource } from '../declaration';
import { runCommandOperation } from './actions/command/run.operation';
import { runScriptOperation } from './actions/command/runScript.operation';
import { getFactsOperation } from './actions/facts/get.operation';
import { appendLineOperation } from './actions/file/append.operation';
import { deleteFileOperation } from './actions/file/delete.operation';
import { downloadFileOperation } from './actions/file/download.operation';
import { ensureFileOperation } from './actions/file/ensure.operation';
import { listDirectoryOperation } from './actions/file/list.operation';
import { readFileOperation } from './actions/file/read.operation';
import { statFileOperation } from './actions/file/stat.operation';
import { uploadFileOperation } from './actions/file/upload.operation';
import { writeFileOperation } from './actions/file/write.operation';
import { liftHoldOperation, readHoldOperation, setHoldOperation } from './actions/hold/hold.operations';
import { scanHostKeysOperation } from './actions/hostKey/scan.operation';
import { auditInventoryOperation } from './actions/inventory/audit.operation';
import { checkInventoryOperation } from './actions/inventory/check.operation';
import { attachJobOperation } from './actions/job/attach.operation';
import { cancelJobOperation } from './actions/job/cancel.operation';
import { cleanJobsOperation } from './actions/job/clean.operation';
import { listJobsOperation } from './actions/job/list.operation';
import { jobLogsOperation } from './actions/job/logs.operation';
import { startJobOperation } from './actions/job/start.operation';
import { jobStatusOperation } from './actions/job/status.operation';
import { serviceChangeOperations } from './actions/service/change.operation';
import { listServicesOperation, listTimersOperation } from './actions/service/list.operation';
import { serviceStatusOperation } from './actions/service/status.operation';
import { summarizePlanOperation } from './actions/terraform/summary.operation';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { hostContext } from './context';
import { hostCredentialTest } from './methods/hostCredentialTest';
import { secretsCredentialTest } from './methods/secretsCredentialTest';
import type { HostContext } from './operation';

export const Host = actionNode<HostContext>({
  name: 'host',
  displayName: 'Host',
  description: 'Commands, files, services, facts and long jobs on your servers, over SSH with pinned host keys',
  icon: { light: 'file:host.svg', dark: 'file:host.dark.svg' },
  credentials: [
    { name: 'selfhostHost', required: true, testedBy: 'hostCredentialTest' },
    ...secretCredentials({ resource: ['command', 'job'] }),
  ],
  resources: [
    resource({ name: 'command', label: 'Command', operations: [runCommandOperation, runScriptOperation] }),
    resource({ name: 'facts', label: 'Facts', operations: [getFactsOperation] }),
    resource({
      name: 'file',
      label: 'File',
      operations: [
        appendLineOperation,
        deleteFileOperation,
        downloadFileOperation,
        ensureFileOperation,
        listDirectoryOperation,
        readFileOperation,
        statFileOperation,
        uploadFileOperation,
        writeFileOperation,
      ],
    }),
    resource({ name: 'hold', label: 'Hold', operations: [readHoldOperation, setHoldOperation, liftHoldOperation] }),
    resource({ name: 'hostKey', label: 'Host Key', operations: [scanHostKeysOperation] }),
    resource({ name: 'inventory', label: 'Inventory', operations: [checkInventoryOperation, auditInventoryOperation] }),
    resource({
      name: 'job',
      label: 'Job',
      operations: [
        startJobOperation,
        attachJobOperation,
        jobStatusOperation,
        jobLogsOperation,
        cancelJobOperation,
        listJobsOperation,
        cleanJobsOperation,
      ],
    }),
    resource({
      name: 'service',
      label: 'Service',
      operations: [serviceStatusOperation, ...serviceChangeOperations, listServicesOperation, listTimersOperation],
    }),
    resource({ name: 'terraform', label: 'Terraform', operations: [summarizePlanOperation] }),
  ],
  methods: { credentialTest: { hostCredentialTest, infisicalCredentialTest, secretsCredentialTest } },
  context: hostContext,
});
