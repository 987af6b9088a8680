import { actionNode, resource } from '../declaration';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { healthCheckOperations, monitorOperations, poolOperations } from './actions/balancing/balancing.operations';
import { dnssecStatusOperation, dnssecSwitchOperations } from './actions/dnssec/dnssec.operations';
import { lookUpOperation, waitOperation } from './actions/lookup/lookup.operations';
import { batchRecordsOperation } from './actions/record/batch.operation';
import {
  createRecordOperation,
  deleteRecordOperation,
  updateRecordOperation,
  upsertRecordOperation,
} from './actions/record/change.operations';
import { getRecordOperation, listRecordsOperation } from './actions/record/read.operations';
import { pointNamesOperation, recordPlanOperations } from './actions/zone/plan.operations';
import { zoneOperations } from './actions/zone/zone.operations';
import { cloudflareContext } from './context';
import { cloudflareCredentialTest } from './methods/cloudflareCredentialTest';
import type { CloudflareContext } from './operation';

export const CloudflareDns = actionNode<CloudflareContext>({
  name: 'cloudflareDns',
  displayName: 'Cloudflare DNS',
  description: 'Change DNS at Cloudflare safely: plan, apply exactly that plan, undo, fail over, and look it up',
  icon: { light: 'file:cloudflareDns.svg', dark: 'file:cloudflareDns.dark.svg' },
  credentials: [
    { name: 'selfhostCloudflare', required: true, testedBy: 'cloudflareCredentialTest' },
    ...controlCredentials,
  ],
  resources: [
    resource({ name: 'address', label: 'Address', operations: [pointNamesOperation] }),
    resource({ name: 'dnssec', label: 'DNSSEC', operations: [dnssecStatusOperation, ...dnssecSwitchOperations] }),
    resource({ name: 'healthCheck', label: 'Health Check', operations: healthCheckOperations }),
    resource({ name: 'lookup', label: 'Lookup', operations: [lookUpOperation, waitOperation] }),
    resource({ name: 'monitor', label: 'Monitor', operations: monitorOperations }),
    resource({ name: 'pool', label: 'Pool', operations: poolOperations }),
    resource({
      name: 'record',
      label: 'Record',
      operations: [
        batchRecordsOperation,
        createRecordOperation,
        deleteRecordOperation,
        getRecordOperation,
        listRecordsOperation,
        updateRecordOperation,
        upsertRecordOperation,
      ],
    }),
    resource({
      name: 'zone',
      label: 'Zone',
      operations: [...recordPlanOperations, ...zoneOperations],
    }),
  ],
  methods: { credentialTest: { cloudflareCredentialTest, planKeyCredentialTest, stateCredentialTest } },
  approvals: approvalDesk,
  context: cloudflareContext,
});
