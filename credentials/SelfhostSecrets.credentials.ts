import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostSecrets implements ICredentialType {
  name = 'selfhostSecrets';

  displayName = 'Named Secrets';

  icon = { light: 'file:secrets.svg', dark: 'file:secrets.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/secrets.md';

  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'Secrets',
      name: 'secrets',
      type: 'string',
      typeOptions: { password: true, rows: 5 },
      default: '',
      required: true,
      placeholder: 'DB_PASSWORD=…',
      description:
        'One NAME=value on each line; a value with line ends is written as a JSON string. Nodes use them as credential:NAME, and the values never enter a workflow.',
    },
  ];
}
