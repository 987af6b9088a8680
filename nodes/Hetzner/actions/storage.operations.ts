import { otherThan, refuse } from '../../../lib/hetzner/checks';
import { findItem } from '../../../lib/hetzner/read';
import { locations, servers } from '../../../lib/hetzner/resources/compute';
import { volumes } from '../../../lib/hetzner/resources/storage';
import { present } from '../../../lib/hetzner/servers';
import { choice, number, text, toggle } from '../../declaration';
import { commandOf, createOf, deleteOf, getOf, idOf, listOf, protectionOf, target, updateOf } from '../build';
import { pickOne } from '../searches';

const volume = target(volumes, 'volume', 'Volume');
const sizeField = number({ label: 'Size (GB)', default: 10, min: 10, max: 10_240, integer: true });

export const volumeOperations = [
  createOf(volume, {
    fields: { size: sizeField },
    options: {
      server: text({ label: 'Server', description: 'ID or name of the server to attach it to' }),
      location: text({ label: 'Location', description: 'ID or name; needed without a server' }),
      format: choice({ label: 'Format', options: { ext4: 'Ext4', xfs: 'XFS' }, default: 'ext4' }),
      automount: toggle({ label: 'Mount', description: 'Whether the server mounts it by itself' }),
    },
    body: async ({ name, labels, input, options, api, task }) => {
      const { server = '', location = '', format, automount } = options;
      if ((server === '') === (location === '')) {
        throw refuse(
          `volume ${name}`,
          'A volume is created at a server or in a location: exactly one of the two must be given',
          'Add the option Server or the option Location.',
        );
      }
      return present({
        name,
        labels,
        size: input.size,
        server: server === '' ? undefined : (await idOf(api, servers, server, task)).id,
        location: location === '' ? undefined : (await findItem(api, locations, location, task)).name,
        format,
        automount: server === '' ? undefined : automount,
      });
    },
    mismatch: ({ sizeGb, location }, { size }, { location: place = '' }) =>
      sizeGb === size ? otherThan('location', location, place) : `it has ${sizeGb} GB, not ${size} GB`,
  }),
  getOf(volume),
  listOf(volume, {
    status: choice({
      label: 'Status',
      options: { available: 'Available', creating: 'Creating' },
      default: 'available',
    }),
  }),
  updateOf(volume),
  deleteOf(volume, 'Deletes a volume with all data on it, unless it is protected or attached'),
  commandOf(volume, {
    name: 'attach',
    action: 'Attach a volume to a server',
    description: 'Attaches a volume to a server in the same location',
    command: 'attach',
    input: {
      server: pickOne('server', { label: 'Server' }),
      automount: toggle({ label: 'Mount', description: 'Whether the server mounts it by itself' }),
    },
    body: async ({ input, api, task }) => ({
      server: (await idOf(api, servers, input.server, task)).id,
      automount: input.automount,
    }),
    isDone: ({ serverId }, body) => serverId === body?.['server'],
    check: ({ name, serverId }) => {
      if (serverId === null) return;
      throw refuse(`volume ${name}`, `${name} is attached to server ${serverId}`, 'Detach it there first.');
    },
  }),
  commandOf(volume, {
    name: 'detach',
    action: 'Detach a volume',
    description: 'Takes a volume from its server. Unmount it there first.',
    command: 'detach',
    isDone: ({ serverId }) => serverId === null,
  }),
  commandOf(volume, {
    name: 'resize',
    action: 'Resize a volume',
    description: 'Makes a volume larger; its file system is to be grown on the server afterwards',
    command: 'resize',
    input: { size: sizeField },
    body: ({ input }) => ({ size: input.size }),
    isDone: ({ sizeGb }, body) => sizeGb === body?.['size'],
    check: ({ name, sizeGb }, body) => {
      if (Number(body?.['size']) > sizeGb) return;
      throw refuse(
        `volume ${name}`,
        `${name} has ${sizeGb} GB, and volumes cannot shrink to ${String(Number(body?.['size']))} GB`,
        'Give a larger size, or move the data to a new volume.',
      );
    },
  }),
  protectionOf(volume),
];
