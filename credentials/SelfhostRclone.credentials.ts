import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class SelfhostRclone implements ICredentialType {
  name = 'selfhostRclone';

  displayName = 'Rclone Remotes';

  icon = { light: 'file:rclone.svg', dark: 'file:rclone.dark.svg' } as const;

  documentationUrl = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/blob/main/docs/nodes/rcloneBackup.md';

  /** The keys to every backup are not for requests to anywhere. */
  restrictToSupportedNodes = true as const;

  properties: INodeProperties[] = [
    {
      displayName: 'Configuration',
      name: 'place',
      type: 'options',
      options: [
        { name: 'Kept Here', value: 'here' },
        { name: 'A File on the Host', value: 'host' },
      ],
      default: 'here',
      description:
        'A file on the host is used in place, so that tokens which rclone refreshes (OneDrive, Google Drive) survive',
    },
    {
      displayName: 'Rclone Configuration',
      name: 'configuration',
      type: 'string',
      typeOptions: { password: true, rows: 6 },
      default: '',
      placeholder: '[eva]',
      displayOptions: { show: { place: ['here'] } },
      description: 'What rclone config show prints, with any number of remotes. Passwords in it are obscured.',
    },
    {
      displayName: 'Further Remotes',
      name: 'remotes',
      type: 'fixedCollection',
      typeOptions: { multipleValues: true },
      default: {},
      placeholder: 'Add Remote',
      displayOptions: { show: { place: ['here'] } },
      options: [
        {
          displayName: 'Remote',
          name: 'remote',
          values: [
            { displayName: 'Name', name: 'name', type: 'string', default: '', placeholder: 'eva' },
            {
              displayName: 'Type',
              name: 'type',
              type: 'string',
              default: '',
              placeholder: 'sftp',
              description: 'As rclone calls it',
            },
            {
              displayName: 'Settings',
              name: 'settings',
              type: 'string',
              typeOptions: { password: true, rows: 4 },
              default: '',
              placeholder: 'host = 203.0.113.7',
              description: 'One key = value on each line. Passwords stand as they are here, not obscured.',
            },
          ],
        },
      ],
    },
    {
      displayName: 'Encryption Password',
      name: 'encryptionPassword',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { place: ['here'] } },
      description:
        'The password of rclone crypt that backups are encrypted with. Empty: the crypt remote of the configuration. Keep it outside of n8n, too: without it no backup can be read.',
    },
    {
      displayName: 'Encryption Salt',
      name: 'encryptionSalt',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { place: ['here'] } },
      description: 'The second password of rclone crypt. Keep it with the first.',
    },
    {
      displayName: 'Path',
      name: 'configPath',
      type: 'string',
      default: '',
      placeholder: '/root/.config/rclone/rclone.conf',
      displayOptions: { show: { place: ['host'] } },
    },
    {
      displayName: 'Configuration Password',
      name: 'configPassword',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      displayOptions: { show: { place: ['host'] } },
      description: 'Where the file is encrypted',
    },
    {
      displayName: 'Crypt Remote',
      name: 'vault',
      type: 'string',
      default: '',
      placeholder: 'vault',
      description:
        'Whose passwords backups are encrypted with, where the configuration has more than one or is on the host',
    },
    {
      displayName: 'May Delete',
      name: 'mayDelete',
      type: 'boolean',
      default: false,
      description:
        'Whether operations that take something away at a remote are allowed. Give retention a credential of its own, and let the one that uploads be unable to delete where the remote allows it.',
    },
  ];
}
