import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostPostgres implements ICredentialType {
  name = 'selfhostPostgres';

  displayName = 'PostgreSQL (Replication)';

  icon = { light: 'file:postgres.svg', dark: 'file:postgres.dark.svg' } as const;

  documentationUrl =
    'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/postgresReplication.md';

  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'User',
      name: 'user',
      type: 'string',
      default: 'monitor',
      required: true,
      description: 'For queries, write probes and the logins by which a loss is noticed. It need not be a superuser.',
    },
    { displayName: 'Password', name: 'password', type: 'string', typeOptions: { password: true }, default: '' },
    { displayName: 'Database', name: 'database', type: 'string', default: 'postgres', required: true },
    {
      displayName: 'Reach',
      name: 'reach',
      type: 'options',
      options: [
        {
          name: 'SSH Tunnel',
          value: 'tunnel',
          description: 'To the loopback of each host, by the SSH login below or by the Host credential of the node',
        },
        { name: 'Direct', value: 'direct', description: 'To the address of each member' },
      ],
      default: 'tunnel',
    },
    {
      displayName: 'SSH Hosts',
      name: 'sshHosts',
      type: 'string',
      typeOptions: { rows: 2 },
      default: '',
      placeholder: 'bruno=203.0.113.7:22 SHA256:…',
      displayOptions: { show: { reach: ['tunnel'] } },
      description:
        'Host keys as in the Host credential. With a login here, which may be one that can do nothing but forward, the test of this credential logs in for real. Empty: the Host credential of the node is used.',
    },
    {
      displayName: 'SSH User',
      name: 'sshUser',
      type: 'string',
      default: 'root',
      displayOptions: { show: { reach: ['tunnel'] } },
    },
    {
      displayName: 'SSH Private Key',
      name: 'sshPrivateKey',
      type: 'string',
      typeOptions: { password: true, rows: 4 },
      default: '',
      displayOptions: { show: { reach: ['tunnel'] } },
    },
    {
      displayName: 'Encrypt',
      name: 'encrypt',
      type: 'boolean',
      default: true,
      displayOptions: { show: { reach: ['direct'] } },
      description: 'Whether the connection is encrypted and the certificate of the server checked',
    },
    {
      displayName: 'Private Authority',
      name: 'privateAuthority',
      type: 'string',
      typeOptions: { rows: 4 },
      default: '',
      displayOptions: { show: { reach: ['direct'], encrypt: [true] } },
      description: 'Certificate in PEM format of the authority that signed the server’s, where it is one of your own',
    },
    {
      displayName: 'Test At',
      name: 'testHost',
      type: 'string',
      default: '',
      placeholder: 'bruno',
      description: 'Where the test of this credential logs in: a host of the list above, or an address when direct',
    },
    { displayName: 'Test Port', name: 'testPort', type: 'number', default: 5432 },
    {
      displayName: 'Replication User',
      name: 'replicationUser',
      type: 'string',
      default: 'selfhost_replication',
      required: true,
      description: 'By which members read from each other. The set-up makes it.',
    },
    {
      displayName: 'Replication Password',
      name: 'replicationPassword',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      required: true,
      description: 'At least 8 letters, digits and signs. It reaches the hosts by standard input only.',
    },
  ];
}
