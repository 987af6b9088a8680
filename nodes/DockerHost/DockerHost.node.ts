import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { auditOperation } from './actions/audit';
import { composeOperations } from './actions/compose';
import { containerOperations } from './actions/container';
import { stackOperations } from './actions/stack';
import { imageOperations, networkOperations, systemOperations, volumeOperations } from './actions/things';
import { dockerContext } from './context';
import { dockerCredentialTest } from './methods/dockerCredentialTest';
import type { DockerContext } from './operation';

export const DockerHost = actionNode<DockerContext>({
  name: 'dockerHost',
  displayName: 'Docker Host',
  description:
    'Containers, Compose projects and deploys that roll back on your servers, over SSH with pinned host keys',
  icon: { light: 'file:dockerHost.svg', dark: 'file:dockerHost.dark.svg' },
  credentials: [
    // One of the two; without SSH there is no Compose and no deploy.
    { name: 'selfhostHost', displayName: 'Host (SSH)', required: false, testedBy: 'hostCredentialTest' },
    {
      name: 'selfhostDocker',
      displayName: 'Docker (Socket or TLS), Instead of a Host',
      required: false,
      testedBy: 'dockerCredentialTest',
    },
    ...secretCredentials({ resource: ['stack', 'compose', 'image', 'container'] }),
    // What an AI agent may not do without a person is in these.
    ...controlCredentials.map((one) => ({
      ...one,
      displayOptions: { show: { resource: ['container', 'volume', 'system'] } },
    })),
  ],
  resources: [
    resource({ name: 'container', label: 'Container', operations: containerOperations }),
    resource({ name: 'image', label: 'Image', operations: imageOperations }),
    resource({ name: 'volume', label: 'Volume', operations: volumeOperations }),
    resource({ name: 'network', label: 'Network', operations: networkOperations }),
    resource({ name: 'system', label: 'System', operations: [...systemOperations, auditOperation] }),
    resource({ name: 'compose', label: 'Compose', operations: composeOperations }),
    resource({ name: 'stack', label: 'Stack', operations: stackOperations }),
  ],
  methods: {
    credentialTest: {
      dockerCredentialTest,
      hostCredentialTest,
      infisicalCredentialTest,
      planKeyCredentialTest,
      secretsCredentialTest,
      stateCredentialTest,
    },
  },
  approvals: approvalDesk,
  context: dockerContext,
});
