import { json, number, text } from '../declaration';
import { hostField, hostOptions } from '../Host/fields';

export { hostField };

const EXAMPLE = JSON.stringify(
  {
    set: 'nightly',
    home: { provider: 'hetzner' },
    quorum: 2,
    sources: [{ kind: 'postgres', name: 'postgres/immich', database: 'immich', runAs: 'postgres' }],
    destinations: [
      { name: 'eva', remote: 'eva:backups', provider: 'ovh', host: 'eva' },
      { name: 'box', remote: 'box:backups', provider: 'hetzner' },
    ],
    keep: { daily: 7, weekly: 4, monthly: 6 },
  },
  null,
  2,
);

/** Read by the context, because only there the passwords of the credential are known. */
export const planField = json({
  label: 'Plan',
  required: true,
  default: EXAMPLE,
  description:
    'What is backed up where, as JSON. Keep it in one place, and let every operation read it from there. Passwords are references (credential:NAME).',
  parse: (value) => value,
});

const TREE_EXAMPLE = JSON.stringify(
  {
    set: 'photos',
    home: { provider: 'hetzner' },
    tree: { name: 'tree/photos', path: '/srv/photos', marker: '.mounted', excludes: ['*.tmp'] },
    password: 'credential:TREE_PASSWORD',
    destinations: [{ name: 'eva', remote: 'eva:backups', provider: 'ovh', host: 'eva' }],
    keep: { daily: 7, weekly: 4, monthly: 12 },
  },
  null,
  2,
);

export const treePlanField = json({
  label: 'Tree Plan',
  required: true,
  default: TREE_EXAMPLE,
  description:
    'Which folder or bucket is copied where, as JSON. Password is a reference (credential:NAME) to that of its repositories, which belongs into the recovery kit, too.',
  parse: (value) => value,
});

const KIT_EXAMPLE = JSON.stringify(
  {
    estate: 'the estate of example.org',
    recipients: ['age1…'],
    protects: { provider: 'hetzner' },
    places: [
      { name: 'eva', remote: 'eva:recovery', provider: 'ovh' },
      { name: 'drive', remote: 'drive:recovery', provider: 'google' },
    ],
    keys: { 'n8n-encryption-key': 'credential:N8N_ENCRYPTION_KEY' },
  },
  null,
  2,
);

export const kitField = json({
  label: 'Kit',
  required: true,
  default: KIT_EXAMPLE,
  description:
    'What is in the kit, who can open it, and where it lies, as JSON. The rclone configuration of the credential is always in it. Keys are references (credential:NAME).',
  parse: (value) => value,
});

export const sourceField = text({
  label: 'Source',
  placeholder: 'postgres/immich',
  description: 'Its name in the plan. Empty: the only one.',
});

export const backupField = text({
  label: 'Backup',
  default: 'latest',
  required: true,
  description: 'Latest, random, a name from the inventory, or a time: the newest backup that had begun by then',
});

export const destinationField = text({
  label: 'Destination',
  placeholder: 'eva',
  description: 'Its name in the plan. Empty: the first that has it complete.',
});

/** Where a drill restores to. */
export const throwawayFolder = text({
  default: '/var/tmp',
  description: 'Where the throwaway is made. The data stands there in plain until the drill is over.',
});

export const options = { hostKeys: hostOptions.hostKeys };

export const timeoutHours = number({
  label: 'Timeout (Hours)',
  default: 12,
  min: 0.01,
  max: 168,
  description: 'How long to wait. The job itself goes on.',
});

/** Where the kit is opened on a new host. */
export const kitFolderField = text({
  label: 'Kit Folder',
  default: '/var/lib/selfhost/recovery/kit',
  required: true,
  description: 'Where the opened recovery kit lies on the host',
});
