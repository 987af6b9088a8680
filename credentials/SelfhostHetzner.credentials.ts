import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostHetzner implements ICredentialType {
  name = 'selfhostHetzner';

  displayName = 'Hetzner (API Token)';

  icon = { light: 'file:hetzner.svg', dark: 'file:hetzner.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/hetzner.md';

  /** A token that can delete servers is not for requests to anywhere. */
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
        'Of one project, from Security and API Tokens in the Hetzner Console. Read & Write, or Read if it is only to look. The test of this credential tells which it is.',
    },
    {
      displayName: 'Read Only',
      name: 'readOnly',
      type: 'boolean',
      default: false,
      description: 'Whether every operation that could change something is refused with this credential',
    },
    {
      displayName: 'Cloud Base URL',
      name: 'cloudUrl',
      type: 'string',
      default: 'https://api.hetzner.cloud/v1',
      description: 'Only to be changed for a gateway in front of Hetzner’s API',
    },
    {
      displayName: 'Storage Box Base URL',
      name: 'storageUrl',
      type: 'string',
      default: 'https://api.hetzner.com/v1',
      description: 'Only to be changed for a gateway in front of Hetzner’s API',
    },
  ];
}
