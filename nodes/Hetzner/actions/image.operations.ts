import { keepNewestSnapshots } from '../../../lib/hetzner/retention';
import { images, isos, locations, placementGroups, serverTypes, sshKeys } from '../../../lib/hetzner/resources/compute';
import { choice, number, schema, text, toggle } from '../../declaration';
import { createOf, deleteOf, getOf, listOf, protectionOf, target, updateOf } from '../build';
import { changeOptions, mannerOf } from '../fields';
import { operation } from '../operation';
import { fieldsOf } from '../../shared/shapeSchema';

const image = target(images, 'image', 'Image');
const iso = target(isos, 'iso', 'ISO');
const sshKey = target(sshKeys, 'sshKey', 'SSH Key');
const placementGroup = target(placementGroups, 'placementGroup', 'Placement Group');
const serverType = target(serverTypes, 'serverType', 'Server Type');
const location = target(locations, 'location', 'Location');

const architecture = choice({ label: 'Architecture', options: { x86: 'X86', arm: 'Arm' }, default: 'x86' });

const keepNewest = operation({
  resource: 'image',
  name: 'keepNewest',
  action: 'Keep the newest snapshots',
  description:
    'Deletes all but the newest snapshots with these labels, and shows which. Protected and unfinished ones stay.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    labelSelector: text({ label: 'Label Selector', required: true, placeholder: 'app=immich' }),
    keep: number({ label: 'Keep', default: 7, min: 1, integer: true }),
    options: changeOptions({}),
  },
  output: schema.lazy(() =>
    schema.object({
      fate: schema.oneOf(['kept', 'deleted', 'would be deleted', 'protected']),
      ...fieldsOf(images.shape),
    }),
  ),
  run: async ({ input, api, task }) => {
    const { labelSelector, keep, options, dryRun } = input;
    const found = await keepNewestSnapshots(api, { labelSelector, keep }, mannerOf(options, dryRun), task);
    return found.map(({ fate, image: one }) => ({ fate, ...one }));
  },
});

export const imageOperations = [
  getOf(image),
  listOf(image, {
    type: choice({
      label: 'Type',
      options: { system: 'System', snapshot: 'Snapshot', backup: 'Backup', app: 'App' },
      default: 'snapshot',
    }),
    status: choice({
      label: 'Status',
      options: { available: 'Available', creating: 'Creating' },
      default: 'available',
    }),
    architecture,
    boundTo: text({ label: 'Bound to Server', description: 'ID of the server that backups belong to' }),
    includeDeprecated: toggle({ label: 'Include Deprecated', description: 'Whether to list deprecated ones, too' }),
  }),
  updateOf(
    image,
    {
      fields: {
        description: text({ label: 'Description' }),
        toSnapshot: toggle({ label: 'Turn Backup Into Snapshot', description: 'Whether it is to outlive its server' }),
      },
      body: ({ description, toSnapshot }) => ({
        ...(description !== undefined && { description }),
        ...(toSnapshot === true && { type: 'snapshot' }),
      }),
    },
    { nameable: false },
  ),
  deleteOf(image),
  keepNewest,
  protectionOf(image),
];

export const isoOperations = [getOf(iso), listOf(iso, { architecture }, { labels: false, sort: false })];

export const sshKeyOperations = [
  createOf(sshKey, {
    fields: {
      publicKey: text({ label: 'Public Key', required: true, placeholder: 'ssh-ed25519 AAAA… daniel' }),
    },
    body: ({ name, labels, input }) => ({ name, labels, public_key: input.publicKey }),
    mismatch: ({ publicKey }, input) =>
      keyOf(publicKey) === keyOf(input.publicKey) ? undefined : 'it is another public key',
  }),
  getOf(sshKey),
  listOf(sshKey, { fingerprint: text({ label: 'Fingerprint' }) }),
  updateOf(sshKey),
  deleteOf(sshKey),
];

/** Without the comment at its end. */
function keyOf(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(' ');
}

export const placementGroupOperations = [
  createOf(placementGroup, {
    fields: {},
    body: ({ name, labels }) => ({ name, labels, type: 'spread' }),
  }),
  getOf(placementGroup),
  listOf(placementGroup),
  updateOf(placementGroup),
  deleteOf(placementGroup),
];

const plain = { labels: false, sort: false };

export const serverTypeOperations = [getOf(serverType), listOf(serverType, {}, plain)];
export const locationOperations = [getOf(location), listOf(location, {}, plain)];
