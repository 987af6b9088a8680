import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostHost implements ICredentialType {
  name = 'selfhostHost';

  displayName = 'Host (SSH)';

  icon = { light: 'file:host.svg', dark: 'file:host.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/host.md';

  /** Root on people's machines is not for requests to anywhere. */
  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'User',
      name: 'user',
      type: 'string',
      default: 'root',
      required: true,
      description: 'The user to log in as on every host below',
    },
    {
      displayName: 'Log In With',
      name: 'login',
      type: 'options',
      options: [
        { name: 'Private Key', value: 'key' },
        { name: 'Password', value: 'password' },
        { name: 'SSH Agent', value: 'agent' },
      ],
      default: 'key',
    },
    {
      displayName: 'Private Key',
      name: 'privateKey',
      type: 'string',
      typeOptions: { password: true, rows: 4 },
      default: '',
      displayOptions: { show: { login: ['key'] } },
      description: 'The whole file, in OpenSSH or PEM format',
    },
    {
      displayName: 'Passphrase',
      name: 'passphrase',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['key'] } },
      description: 'Of the private key, if it has one',
    },
    {
      displayName: 'Password',
      name: 'password',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['password'] } },
    },
    {
      displayName: 'Agent Socket',
      name: 'agentSocket',
      type: 'string',
      default: '',
      placeholder: '/run/user/1000/ssh-agent.socket',
      displayOptions: { show: { login: ['agent'] } },
      description: 'Path of the agent’s socket on the n8n server',
    },
    {
      displayName: 'Hosts',
      name: 'hosts',
      type: 'string',
      typeOptions: { rows: 5 },
      default: '',
      required: true,
      placeholder: 'bruno=203.0.113.7:22 SHA256:…',
      description:
        'One line for each host key that is trusted: name=address[:port] and its SHA256 fingerprint, or a known_hosts line. A host that is not listed is refused and its fingerprint shown; the Host Key operation of the Host node prints such lines.',
    },
    {
      displayName: 'Default Host',
      name: 'defaultHost',
      type: 'string',
      default: '',
      placeholder: 'bruno',
      description: 'Used where a node names no host. Not needed when only one is listed.',
    },
    {
      displayName: 'Jump Host',
      name: 'jumpHost',
      type: 'string',
      default: '',
      description: 'One of the hosts above, through which all others are reached with the same login',
    },
    {
      displayName: 'Sudo',
      name: 'sudo',
      type: 'options',
      options: [
        { name: 'None: Commands Run as the User', value: 'none' },
        { name: 'Without Password', value: 'passwordless' },
        { name: 'With Password', value: 'password' },
      ],
      default: 'none',
      description: 'How commands become root',
    },
    {
      displayName: 'Sudo Password',
      name: 'sudoPassword',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { sudo: ['password'] } },
    },
    {
      displayName: 'Read Only',
      name: 'readOnly',
      type: 'boolean',
      default: false,
      description: 'Whether every operation that could change something is refused with this credential',
    },
    {
      displayName: 'Host Keys From Workflow',
      name: 'pinsFromWorkflow',
      type: 'boolean',
      default: false,
      description:
        'Whether a workflow may bring host keys of further hosts, for example from an inventory. It can never replace a key listed here.',
    },
  ];
}
