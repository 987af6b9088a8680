import { parseIdentity } from '../../lib/host/identity';
import { selectHost } from '../../lib/host/select';
import { actionNode, resource } from '../declaration';
import { runCommandOperation } from './actions/command/run.operation';
import { hostCredentialTest } from './methods/credentialTest';
import type { HostContext } from './operation';

export const Host = actionNode<HostContext>({
  name: 'host',
  displayName: 'Host',
  description: 'Run commands on your servers over SSH with pinned host keys',
  icon: { light: 'file:host.svg', dark: 'file:host.dark.svg' },
  credentials: [{ name: 'selfhostHost', required: true, testedBy: 'hostCredentialTest' }],
  resources: [resource({ name: 'command', label: 'Command', operations: [runCommandOperation] })],
  methods: { credentialTest: { hostCredentialTest } },
  context: async ({ execute, itemIndex, input }) => {
    const identity = parseIdentity(await execute.getCredentials('selfhostHost', itemIndex));
    const host = selectHost(identity, typeof input['host'] === 'string' ? input['host'] : '');
    return { host, readOnly: identity.readOnly };
  },
});
