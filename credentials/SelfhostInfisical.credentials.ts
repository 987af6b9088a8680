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
        { name: 'Access Token', value: 'token' },
        { name: 'AWS IAM', value: 'aws' },
        { name: 'Azure', value: 'azure' },
        { name: 'Google Cloud', value: 'gcp' },
        { name: 'JWT', value: 'jwt' },
        { name: 'Kubernetes', value: 'kubernetes' },
        { name: 'LDAP', value: 'ldap' },
        { name: 'OIDC', value: 'oidc' },
        { name: 'Universal Auth', value: 'universal' },
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
      displayName: 'Identity ID',
      name: 'identityId',
      type: 'string',
      default: '',
      displayOptions: { show: { login: ['aws', 'azure', 'gcp', 'jwt', 'kubernetes', 'ldap', 'oidc'] } },
      description: 'Of the machine identity',
    },
    {
      displayName:
        'The machine that n8n runs on says who it is. It does so only to the site that SELFHOST_INFISICAL_SITE in the environment of n8n names.',
      name: 'machineNotice',
      type: 'notice',
      default: '',
      displayOptions: { show: { login: ['azure', 'gcp'] } },
    },
    {
      displayName: 'AWS Region',
      name: 'region',
      type: 'string',
      default: 'us-east-1',
      displayOptions: { show: { login: ['aws'] } },
    },
    {
      displayName: 'Access Key ID',
      name: 'accessKeyId',
      type: 'string',
      default: '',
      displayOptions: { show: { login: ['aws'] } },
      description:
        'Empty: the keys in the environment of n8n, or the role of the machine, for the site that SELFHOST_INFISICAL_SITE in that environment names',
    },
    {
      displayName: 'Secret Access Key',
      name: 'secretAccessKey',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['aws'] } },
    },
    {
      displayName: 'Session Token',
      name: 'sessionToken',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['aws'] } },
      description: 'Only of keys that AWS lent for a while',
    },
    {
      displayName: 'User Name',
      name: 'username',
      type: 'string',
      default: '',
      displayOptions: { show: { login: ['ldap'] } },
    },
    {
      displayName: 'Password',
      name: 'password',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['ldap'] } },
    },
    {
      displayName: 'Token',
      name: 'jwt',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { login: ['jwt', 'kubernetes', 'oidc'] } },
      description:
        'Empty: read from a file for each login, for the site that SELFHOST_INFISICAL_SITE in the environment of n8n names. The file is that of SELFHOST_INFISICAL_TOKEN_FILE there, and for Kubernetes otherwise the one of the service account.',
    },
    {
      displayName: 'Organization',
      name: 'organization',
      type: 'string',
      default: '',
      displayOptions: { hide: { login: ['token'] } },
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
