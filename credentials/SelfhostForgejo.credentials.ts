import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostForgejo implements ICredentialType {
  name = 'selfhostForgejo';

  displayName = 'Forgejo (Access Token)';

  icon = { light: 'file:forgejo.svg', dark: 'file:forgejo.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/forgejoTrigger.md';

  /** A token that can change code that is deployed is not for requests to anywhere. */
  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'Base URL',
      name: 'baseUrl',
      type: 'string',
      default: '',
      required: true,
      placeholder: 'https://git.example.org',
      description: 'Address of the server, with its sub-path if it has one. Gitea from 1.22 works too.',
    },
    {
      displayName: 'Access Token',
      name: 'token',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      required: true,
      description:
        'Made under Settings, Applications. The test of this credential names the user and the scopes that are missing.',
    },
    {
      displayName: 'Certificate Authority',
      name: 'privateAuthority',
      type: 'string',
      typeOptions: { rows: 4 },
      default: '',
      placeholder: '-----BEGIN CERTIFICATE-----',
      description: 'In PEM format, if the server has a certificate of a private authority',
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
