import { refuse } from '../../../lib/hetzner/checks';
import { findItem } from '../../../lib/hetzner/read';
import { images, placementGroups, servers, sshKeys } from '../../../lib/hetzner/resources/compute';
import { networks } from '../../../lib/hetzner/resources/network';
import { changeServerType, ensureServer, present, shutDownServer, snapshotServer } from '../../../lib/hetzner/servers';
import { isObject } from '../../../lib/json';
import { choice, list, number, schema, text, toggle } from '../../declaration';
import {
  commandOf,
  deleteOf,
  getOf,
  idOf,
  listOf,
  metricsOf,
  newNameField,
  reverseDnsOf,
  target,
  updateOf,
} from '../build';
import { changeOptions, labelsField, mannerOf, secretOption } from '../fields';
import { operation } from '../operation';
import { changeItemOf, changeSchema } from '../output';
import { pickOne } from '../searches';

const server = target(servers, 'server', 'Server');
const rootPassword = { root_password: 'rootPassword' };
const hostPrivateKey = { host_private_key: 'hostPrivateKey' };

const create = operation({
  resource: 'server',
  name: 'create',
  action: 'Create a server',
  description: 'Creates a server, unless there is one with this name, these labels and this type',
  effect: 'creates',
  dryRun: true,
  input: {
    name: newNameField,
    serverType: pickOne('serverType', { label: 'Server Type' }),
    image: pickOne('image', { label: 'Image' }),
    location: pickOne('location', { label: 'Location', required: false, description: 'Empty: Hetzner chooses' }),
    labels: labelsField,
    options: changeOptions({
      ...secretOption,
      sshKeys: list({ label: 'SSH Keys', description: 'IDs or names. Without any, the server gets a root password.' }),
      networks: list({ label: 'Networks', description: 'IDs or names' }),
      volumes: list({ label: 'Volumes', description: 'IDs or names' }),
      mountVolumes: toggle({ label: 'Mount Volumes', description: 'Whether to mount the volumes on the first start' }),
      firewalls: list({ label: 'Firewalls', description: 'IDs or names' }),
      placementGroup: text({ label: 'Placement Group', description: 'ID or name' }),
      userData: text({
        label: 'User Data',
        multiline: true,
        noTrim: true,
        placeholder: '#cloud-config',
        description: 'For cloud-init, at most 32 KiB. Hetzner keeps it readable: no secrets in it.',
      }),
      hostKey: toggle({
        label: 'Host Key',
        default: true,
        description:
          'Whether to make its SSH host key here and hand it over by cloud-init, so that the very first connection is verified',
      }),
      start: toggle({ label: 'Start', default: true, description: 'Whether to start it once it is created' }),
      publicIpv4: toggle({ label: 'Public IPv4', default: true, description: 'Whether it has a public IPv4 address' }),
      publicIpv6: toggle({ label: 'Public IPv6', default: true, description: 'Whether it has a public IPv6 network' }),
      primaryIpv4: text({ label: 'Primary IPv4', description: 'ID or name of a primary IP to use' }),
      primaryIpv6: text({ label: 'Primary IPv6', description: 'ID or name of a primary IP to use' }),
    }),
  },
  output: changeSchema(servers, {
    maybe: true,
    secrets: { ...rootPassword, ...hostPrivateKey },
    more: {
      hostKeyFingerprint: schema.nullable(schema.string('Null without Host Key')),
      hostKeyPin: schema.nullable(schema.string('A line for the host list of a Host credential, or for its pins')),
      knownHosts: schema.nullable(schema.string('A line for a known_hosts file')),
    },
  }),
  run: async ({ input, api, task }): Promise<object> => {
    const { name, serverType: type, image, location, labels, dryRun, options } = input;
    const { wait: _, timeoutSeconds: __, lockedSeconds: ___, returnSecrets, start, ...rest } = options;
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ''));
    const wish = {
      ...given,
      name,
      type,
      image,
      labels,
      ...(location !== '' && { location }),
      ...(start !== undefined && { startAfterCreate: start }),
    };
    const {
      hostKey,
      hostPrivateKey: hidden,
      ...changed
    } = await ensureServer(api, wish, mannerOf(options, dryRun), task);
    const answer = { ...(isObject(changed.answer) && changed.answer), host_private_key: hidden };
    const secrets = { ...rootPassword, ...hostPrivateKey };
    return {
      ...changeItemOf(servers, { ...changed, answer }, { dryRun, secrets, reveal: returnSecrets === true }),
      hostKeyFingerprint: hostKey?.fingerprint ?? null,
      hostKeyPin: hostKey?.pinLine ?? null,
      knownHosts: hostKey?.knownHosts ?? null,
    };
  },
});

const shutdown = operation({
  resource: 'server',
  name: 'shutdown',
  label: 'Shut Down',
  action: 'Shut down a server',
  description: 'Asks the system to stop, and waits until the server is off',
  effect: 'changes',
  dryRun: true,
  input: {
    ...serverChoice(),
    options: changeOptions({
      graceSeconds: number({
        label: 'Grace (Seconds)',
        default: 120,
        min: 1,
        max: 3600,
        description: 'How long the system may take to stop',
      }),
      powerOff: toggle({
        label: 'Power Off Afterwards',
        description: 'Whether to cut the power when it has not stopped by then',
      }),
    }),
  },
  output: changeSchema(servers),
  run: async ({ input, api, task }): Promise<object> => {
    const { id } = await idOf(api, servers, input.server, task);
    const { graceSeconds = 120, powerOff = false } = input.options;
    const how = { graceMs: graceSeconds * 1000, powerOff };
    const changed = await shutDownServer(api, id, how, mannerOf(input.options, input.dryRun), task);
    return changeItemOf(servers, changed, { dryRun: input.dryRun });
  },
});

function serverChoice() {
  return { server: pickOne('server', { label: 'Server' }) };
}

const changeType = operation({
  resource: 'server',
  name: 'changeType',
  action: 'Change the type of a server',
  description: 'Gives a stopped server more or fewer cores and memory. Its disk can only grow.',
  effect: 'changes',
  dryRun: true,
  input: {
    ...serverChoice(),
    serverType: pickOne('serverType', { label: 'Server Type' }),
    growDisk: toggle({
      label: 'Grow Disk',
      description: 'Whether the disk grows, too. There is no way back to a type with less.',
    }),
    options: changeOptions({}),
  },
  output: changeSchema(servers),
  run: async ({ input, api, task }): Promise<object> => {
    const { id } = await idOf(api, servers, input.server, task);
    const wish = { type: input.serverType, growDisk: input.growDisk };
    const changed = await changeServerType(api, id, wish, mannerOf(input.options, input.dryRun), task);
    return changeItemOf(servers, changed, { dryRun: input.dryRun });
  },
});

const createImage = operation({
  resource: 'server',
  name: 'createImage',
  action: 'Create an image of a server',
  description: 'Makes a snapshot of the disk of a server. Attached volumes are not in it.',
  effect: 'creates',
  dryRun: true,
  input: {
    ...serverChoice(),
    imageDescription: text({ label: 'Description', required: true, placeholder: 'before the upgrade' }),
    labels: labelsField,
    options: changeOptions({}),
  },
  output: changeSchema(servers, { more: { imageId: schema.nullable(schema.integer('Of the new snapshot')) } }),
  run: async ({ input, api, task }): Promise<object> => {
    const { id } = await idOf(api, servers, input.server, task);
    const wish = { description: input.imageDescription, labels: input.labels };
    const { imageId, ...changed } = await snapshotServer(api, id, wish, mannerOf(input.options, input.dryRun), task);
    return { ...changeItemOf(servers, changed, { dryRun: input.dryRun }), imageId };
  },
});

const metrics = metricsOf(server, { cpu: 'CPU', disk: 'Disk', network: 'Network' });

const networkField = { network: pickOne('network', { label: 'Network' }) };
const hasNetwork = (item: { readonly networkIds: readonly number[] }, id: unknown) =>
  item.networkIds.includes(Number(id));

const isAt = ({ privateIps }: { readonly privateIps: readonly string[] }, ip: unknown) =>
  ip === undefined || privateIps.some((one) => one === ip);

export const serverOperations = [
  create,
  getOf(server),
  listOf(server, {
    status: choice({
      label: 'Status',
      options: { running: 'Running', off: 'Off', initializing: 'Initializing', migrating: 'Migrating' },
      default: 'running',
    }),
  }),
  updateOf(server),
  deleteOf(server),
  commandOf(server, {
    name: 'powerOn',
    label: 'Power On',
    action: 'Power on a server',
    description: 'Switches a server on',
    command: 'poweron',
    isDone: ({ status }) => status === 'running',
  }),
  commandOf(server, {
    name: 'powerOff',
    action: 'Power off a server',
    description: 'Cuts the power. What was not written to disk is lost; Shut Down is the kind way.',
    effect: 'destroys',
    command: 'poweroff',
    isDone: ({ status }) => status === 'off',
  }),
  shutdown,
  commandOf(server, {
    name: 'reboot',
    action: 'Reboot a server',
    description: 'Asks the system to start again',
    command: 'reboot',
  }),
  commandOf(server, {
    name: 'reset',
    action: 'Reset a server',
    description: 'Cuts the power and starts again, also when the system hangs. What was not written to disk is lost.',
    effect: 'destroys',
    command: 'reset',
  }),
  commandOf(server, {
    name: 'rebuild',
    action: 'Rebuild a server',
    description: 'Overwrites the disk with an image. Everything on it is lost.',
    effect: 'destroys',
    needsApproval: true,
    command: 'rebuild',
    input: { image: pickOne('image', { label: 'Image' }) },
    // A name is left as it is: Hetzner takes the image of that name for the architecture of the server.
    body: async ({ input, api, task }) => {
      await findItem(api, images, input.image, task);
      return { image: input.image };
    },
    check: ({ name, rebuildProtected }) => {
      if (!rebuildProtected) return;
      throw refuse(
        `server ${name}`,
        `${name} is protected from being rebuilt`,
        'Switch its protection off first.',
        'protected',
      );
    },
    secrets: rootPassword,
  }),
  changeType,
  createImage,
  commandOf(server, {
    name: 'enableBackups',
    action: 'Enable the backups of a server',
    description: 'Lets Hetzner back up its disk every day, for a fifth of its price. Volumes are not in it.',
    command: 'enable_backup',
    isDone: ({ backupWindow }) => backupWindow !== null,
  }),
  commandOf(server, {
    name: 'disableBackups',
    action: 'Disable the backups of a server',
    description: 'Ends the backups, and deletes all there are',
    effect: 'destroys',
    needsApproval: true,
    command: 'disable_backup',
    isDone: ({ backupWindow }) => backupWindow === null,
  }),
  commandOf(server, {
    name: 'enableRescue',
    action: 'Enable the rescue system of a server',
    description: 'Lets the next start boot into the rescue system',
    command: 'enable_rescue',
    input: {
      rescueSshKeys: list({ label: 'SSH Keys', description: 'IDs or names. Without any there is a password.' }),
    },
    body: async ({ input, api, task }) => {
      const keys = await Promise.all(input.rescueSshKeys.map((key) => idOf(api, sshKeys, key, task)));
      return { type: 'linux64', ssh_keys: keys.map(({ id }) => id) };
    },
    isDone: ({ rescueEnabled }) => rescueEnabled,
    secrets: rootPassword,
  }),
  commandOf(server, {
    name: 'disableRescue',
    action: 'Disable the rescue system of a server',
    description: 'Lets the next start boot from the disk again',
    command: 'disable_rescue',
    isDone: ({ rescueEnabled }) => !rescueEnabled,
  }),
  commandOf(server, {
    name: 'attachIso',
    label: 'Attach ISO',
    action: 'Attach an ISO to a server',
    description: 'Puts an ISO into the drive; the next start boots from it',
    command: 'attach_iso',
    input: { iso: pickOne('iso', { label: 'ISO' }) },
    body: ({ input }) => ({ iso: input.iso }),
    isDone: ({ iso }, body) => iso !== null && iso === body?.['iso'],
  }),
  commandOf(server, {
    name: 'detachIso',
    label: 'Detach ISO',
    action: 'Detach the ISO from a server',
    description: 'Takes the ISO out of the drive',
    command: 'detach_iso',
    isDone: ({ iso }) => iso === null,
  }),
  commandOf(server, {
    name: 'attachNetwork',
    action: 'Attach a server to a network',
    description: 'Gives a server an address in a private network',
    command: 'attach_to_network',
    input: {
      ...networkField,
      privateIp: text({ label: 'Private IP', description: 'Empty: Hetzner chooses' }),
      aliasIps: list({ label: 'Alias IPs' }),
    },
    body: async ({ input, api, task }) =>
      present({
        network: (await idOf(api, networks, input.network, task)).id,
        ip: input.privateIp === '' ? undefined : input.privateIp,
        alias_ips: input.aliasIps.length === 0 ? undefined : input.aliasIps,
      }),
    isDone: (item, body) => hasNetwork(item, body?.['network']) && isAt(item, body?.['ip']),
    check: (item, body) => {
      if (!hasNetwork(item, body?.['network'])) return;
      throw refuse(
        `server ${item.name}`,
        `${item.name} is in this network already, at another address: ${item.privateIps.join(', ')}`,
        'Detach it from the network first.',
        'uniqueness_error',
      );
    },
  }),
  commandOf(server, {
    name: 'detachNetwork',
    action: 'Detach a server from a network',
    description: 'Takes a server out of a private network',
    command: 'detach_from_network',
    input: networkField,
    body: async ({ input, api, task }) => ({ network: (await idOf(api, networks, input.network, task)).id }),
    isDone: (item, body) => !hasNetwork(item, body?.['network']),
  }),
  commandOf(server, {
    name: 'setAliasIps',
    label: 'Set Alias IPs',
    action: 'Set the alias addresses of a server',
    description: 'Replaces all further addresses of a server in a private network',
    command: 'change_alias_ips',
    input: { ...networkField, aliasIps: list({ label: 'Alias IPs' }) },
    body: async ({ input, api, task }) => ({
      network: (await idOf(api, networks, input.network, task)).id,
      alias_ips: input.aliasIps,
    }),
    check: (item, body) => {
      if (hasNetwork(item, body?.['network'])) return;
      throw refuse(`server ${item.name}`, `${item.name} is not in this network`, 'Attach it to the network first.');
    },
  }),
  commandOf(server, {
    name: 'joinPlacementGroup',
    action: 'Add a server to a placement group',
    description: 'Keeps it on another machine than the other servers of the group. The server must be off.',
    command: 'add_to_placement_group',
    input: { placementGroup: pickOne('placementGroup', { label: 'Placement Group' }) },
    body: async ({ input, api, task }) => ({
      placement_group: (await idOf(api, placementGroups, input.placementGroup, task)).id,
    }),
    isDone: ({ placementGroupId }, body) => placementGroupId === body?.['placement_group'],
  }),
  commandOf(server, {
    name: 'leavePlacementGroup',
    action: 'Remove a server from its placement group',
    description: 'Lets it run on any machine again',
    command: 'remove_from_placement_group',
    isDone: ({ placementGroupId }) => placementGroupId === null,
  }),
  reverseDnsOf(server),
  commandOf(server, {
    name: 'protect',
    label: 'Change Protection',
    action: 'Change the protection of a server',
    description: 'Protects it from deletion and from being rebuilt, or lifts the protection',
    command: 'change_protection',
    input: { protect: toggle({ label: 'Protect', default: true, description: 'Whether it is to be protected' }) },
    body: ({ input }) => ({ delete: input.protect, rebuild: input.protect }),
    isDone: ({ deleteProtected, rebuildProtected }, body) =>
      deleteProtected === body?.['delete'] && rebuildProtected === body['rebuild'],
  }),
  commandOf(server, {
    name: 'resetPassword',
    action: 'Reset the root password of a server',
    description: 'Gives root a new password. The server must run and have the guest agent.',
    command: 'reset_password',
    secrets: rootPassword,
  }),
  commandOf(server, {
    name: 'requestConsole',
    action: 'Request a console of a server',
    description: 'Gives address and password of a console in the browser, good for a minute',
    command: 'request_console',
    secrets: { wss_url: 'consoleUrl', password: 'consolePassword' },
  }),
  metrics,
];
