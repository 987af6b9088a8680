import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostInfisical implements ICredentialType {
  name = 'selfhostInfisical';

  displayName = 'Infisical';

  icon = { light: 'file:infisical.svg', dark: 'file:infisical.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/infisical.md';

  /** A login that reads every secret of an estate is not for requests to anywhere. */
  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'Site URL',
      name: 'siteUrl',
      type: 'string',
      default: 'https://app.infisical.com',
      required: true,
      placeholder: 'https://secrets.example.org',
      description: 'Where the web page of Infisical is, without /api',
    },
    {
      displayName: 'Log In With',
      name: 'login',
      type: 'options',
      options: [
        { name: 'Universal Auth', value: 'universal' },
        { name: 'Access Token', value: 'token' },
      ],
      default: 'universal',
    },
    {
      displayName: 'Client ID',
      name: 'clientId',
      type: 'string',
      default: '',
      displayOptions: { show: { login: ['universal'] } },
      description: 'Of the machine identity',
    },
    {
      displayName: 'Client Secret',
      name: 'clientSecret',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['universal'] } },
    },
    {
      displayName: 'Organization',
      name: 'organization',
      type: 'string',
      default: '',
      displayOptions: { show: { login: ['universal'] } },
      description: 'Name of a sub-organization to log in to. Empty: the identity’s own.',
    },
    {
      displayName: 'Access Token',
      name: 'accessToken',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['token'] } },
      description: 'It is used as it is and never renewed',
    },
    {
      displayName: 'Read Only',
      name: 'readOnly',
      type: 'boolean',
      default: false,
      description: 'Whether every operation that could change something is refused with this credential',
    },
    {
      displayName: 'Private Certificate Authority',
      name: 'privateAuthority',
      type: 'string',
      typeOptions: { rows: 3 },
      default: '',
      placeholder: '-----BEGIN CERTIFICATE-----',
      description: 'In PEM, for a server whose certificate no public authority signed',
    },
  ];
}
