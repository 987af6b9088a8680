import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostCloudflare implements ICredentialType {
  name = 'selfhostCloudflare';

  displayName = 'Cloudflare (API Token)';

  icon = { light: 'file:cloudflare.svg', dark: 'file:cloudflare.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/cloudflareDns.md';

  /** A token that can change DNS is not for requests to anywhere. */
  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'API Token',
      name: 'apiToken',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      required: true,
      description:
        'With the permissions Zone: Read and DNS: Edit for the zones that n8n may change, and DNS: Read if it is only to look. The test of this credential names what is missing.',
    },
    {
      displayName: 'Read Only',
      name: 'readOnly',
      type: 'boolean',
      default: false,
      description: 'Whether every operation that could change something is refused with this credential',
    },
    {
      displayName: 'Base URL',
      name: 'baseUrl',
      type: 'string',
      default: 'https://api.cloudflare.com/client/v4',
      description: 'Only to be changed for a gateway in front of Cloudflare’s API',
    },
  ];
}
