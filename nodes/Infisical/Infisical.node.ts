import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { fileOperations } from './actions/file.operations';
import { kmsOperations } from './actions/kms.operations';
import { leaseOperations } from './actions/lease.operations';
import { environmentOperations, folderOperations, projectOperations } from './actions/project.operations';
import { rotationOperations } from './actions/rotation.operations';
import { secretChanges } from './actions/secret-changes.operations';
import { secretReads } from './actions/secret-reads.operations';
import { infisicalContext } from './context';
import type { InfisicalContext } from './operation';

export const Infisical = actionNode<InfisicalContext>({
  name: 'infisical',
  displayName: 'Infisical',
  description:
    'Secrets from Infisical to your hosts as .env files, and leased logins, without their ever entering an item',
  icon: { light: 'file:infisical.svg', dark: 'file:infisical.dark.svg' },
  credentials: [
    { name: 'selfhostInfisical', required: true, testedBy: 'infisicalCredentialTest' },
    {
      name: 'selfhostHost',
      displayName: 'Host (SSH)',
      required: true,
      testedBy: 'hostCredentialTest',
      displayOptions: {
        show: {
          resource: ['file', 'kms', 'lease', 'rotation'],
          operation: ['write', 'check', 'create', 'decrypt', 'rotate', 'listUnfinished'],
        },
      },
    },
    {
      name: 'selfhostSecrets',
      displayName: 'Named Secrets',
      required: false,
      testedBy: 'secretsCredentialTest',
      displayOptions: {
        show: {
          resource: ['secret', 'kms', 'rotation'],
          operation: ['create', 'update', 'upsert', 'encrypt', 'rotate'],
        },
      },
    },
    ...controlCredentials,
  ],
  resources: [
    resource({ name: 'environment', label: 'Environment', operations: environmentOperations }),
    resource({ name: 'file', label: 'File on a Host', operations: fileOperations }),
    resource({ name: 'folder', label: 'Folder', operations: folderOperations }),
    resource({ name: 'kms', label: 'KMS', operations: kmsOperations }),
    resource({ name: 'lease', label: 'Lease', operations: leaseOperations }),
    resource({ name: 'project', label: 'Project', operations: projectOperations }),
    resource({ name: 'rotation', label: 'Rotation', operations: rotationOperations }),
    resource({ name: 'secret', label: 'Secret', operations: [...secretReads, ...secretChanges] }),
  ],
  methods: {
    credentialTest: {
      hostCredentialTest,
      infisicalCredentialTest,
      planKeyCredentialTest,
      secretsCredentialTest,
      stateCredentialTest,
    },
  },
  approvals: approvalDesk,
  context: infisicalContext,
});
