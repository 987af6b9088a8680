import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostDocker implements ICredentialType {
  name = 'selfhostDocker';

  displayName = 'Docker (Socket or TLS)';

  icon = { light: 'file:docker.svg', dark: 'file:docker.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/dockerHost.md';

  /** Who has it has the host. */
  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'Connection',
      name: 'connection',
      type: 'options',
      options: [
        { name: 'Socket of the N8n Server', value: 'socket' },
        { name: 'TLS With Client Certificate', value: 'tls' },
      ],
      default: 'socket',
      description: 'A port without TLS is not supported: who reaches it has the host',
    },
    {
      displayName: 'Socket Path',
      name: 'socketPath',
      type: 'string',
      default: '/var/run/docker.sock',
      displayOptions: { show: { connection: ['socket'] } },
    },
    {
      displayName: 'Address',
      name: 'address',
      type: 'string',
      default: '',
      placeholder: 'docker.example.org',
      displayOptions: { show: { connection: ['tls'] } },
      description: 'Its certificate must be for this name or IP address',
    },
    {
      displayName: 'Port',
      name: 'port',
      type: 'number',
      default: 2376,
      displayOptions: { show: { connection: ['tls'] } },
    },
    {
      displayName: 'Authority',
      name: 'authority',
      type: 'string',
      typeOptions: { rows: 4 },
      default: '',
      displayOptions: { show: { connection: ['tls'] } },
      description: 'The file ca.pem. No other authority is trusted.',
    },
    {
      displayName: 'Certificate',
      name: 'certificate',
      type: 'string',
      // It is public; n8n's linter wants whatever is called so hidden.
      typeOptions: { password: true, rows: 4 },
      default: '',
      displayOptions: { show: { connection: ['tls'] } },
      description: 'The file cert.pem',
    },
    {
      displayName: 'Private Key',
      name: 'privateKey',
      type: 'string',
      typeOptions: { password: true, rows: 4 },
      default: '',
      displayOptions: { show: { connection: ['tls'] } },
      description: 'The file key.pem',
    },
    {
      displayName: 'Read Only',
      name: 'readOnly',
      type: 'boolean',
      default: false,
      description: 'Whether every operation that could change something is refused with this credential',
    },
  ];
}
