import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostState implements ICredentialType {
  name = 'selfhostState';

  displayName = 'State (PostgreSQL)';

  icon = { light: 'file:state.svg', dark: 'file:state.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/state.md';

  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'Host',
      name: 'host',
      type: 'string',
      default: 'localhost',
      required: true,
      description: 'Where the PostgreSQL server is. The database of n8n itself will do: one table, selfhost_state.',
    },
    { displayName: 'Port', name: 'port', type: 'number', default: 5432 },
    { displayName: 'Database', name: 'database', type: 'string', default: 'n8n', required: true },
    {
      displayName: 'User',
      name: 'user',
      type: 'string',
      default: 'n8n',
      required: true,
      description: 'May make a table in the database, or may read and write selfhost_state',
    },
    { displayName: 'Password', name: 'password', type: 'string', typeOptions: { password: true }, default: '' },
    {
      displayName: 'Encrypt',
      name: 'encrypt',
      type: 'boolean',
      default: false,
      description:
        'Whether the connection is encrypted and the certificate of the server checked. Without it the password and the state cross the network as they are.',
    },
    {
      displayName: 'Private Authority',
      name: 'privateAuthority',
      type: 'string',
      typeOptions: { rows: 4 },
      default: '',
      displayOptions: { show: { encrypt: [true] } },
      description: 'Certificate in PEM format of the authority that signed the server’s, where it is one of your own',
    },
  ];
}
