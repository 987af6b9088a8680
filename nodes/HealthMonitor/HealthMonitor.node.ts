import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { targetOperations, watchOperations } from './actions/target.operations';
import { healthContext } from './context';
import type { HealthContext } from './operation';

export const HealthMonitor = actionNode<HealthContext>({
  name: 'healthMonitor',
  displayName: 'Health Monitor',
  description: 'Looks at services, certificates, databases, disks, mounts and backups, from n8n and from your hosts',
  icon: { light: 'file:healthMonitor.svg', dark: 'file:healthMonitor.dark.svg' },
  credentials: [
    {
      name: 'selfhostState',
      displayName: 'State (PostgreSQL)',
      required: true,
      testedBy: 'stateCredentialTest',
      displayOptions: { show: { resource: ['watch'], keepIn: ['postgres'] } },
    },
    { name: 'selfhostHost', displayName: 'Host (SSH)', required: false, testedBy: 'hostCredentialTest' },
    ...secretCredentials({ resource: ['target'] }),
  ],
  resources: [
    resource({ name: 'target', label: 'Target', operations: targetOperations }),
    resource({ name: 'watch', label: 'Watch', operations: watchOperations }),
  ],
  methods: {
    credentialTest: { hostCredentialTest, infisicalCredentialTest, secretsCredentialTest, stateCredentialTest },
  },
  context: healthContext,
});
