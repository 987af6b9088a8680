import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostPlanKey implements ICredentialType {
  name = 'selfhostPlanKey';

  displayName = 'Plan Key';

  icon = { light: 'file:planKey.svg', dark: 'file:planKey.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/approval.md';

  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'Key',
      name: 'secretKey',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      required: true,
      description:
        'Random text of at least 32 characters, for example what "openssl rand -hex 32" prints. Whoever has it can forge plans and approvals. The same wherever plans are made, approved and applied.',
    },
  ];
}
