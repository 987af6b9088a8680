import { changeItem } from '../../../lib/hetzner/change';
import { otherThan } from '../../../lib/hetzner/checks';
import { contains } from '../../../lib/hetzner/contains';
import { findItem, listItems } from '../../../lib/hetzner/read';
import type { Resource } from '../../../lib/hetzner/resource';
import { locations } from '../../../lib/hetzner/resources/compute';
import {
  storageBoxes,
  storageBoxSnapshots,
  storageBoxSubaccounts,
  storageBoxTypes,
} from '../../../lib/hetzner/resources/storage';
import { present } from '../../../lib/hetzner/servers';
import {
  changeBoxType,
  checkPassword,
  createSnapshot,
  listFolders,
  planBody,
  usedPercent,
} from '../../../lib/hetzner/storage-boxes';
import { createItem } from '../../../lib/hetzner/create';
import type { SecretSources } from '../../../lib/secrets/resolve';
import type { Task } from '../../../lib/task';
import { list, number, optional, schema, secretText, text, toggle } from '../../declaration';
import type { Fields } from '../../declaration';
import { commandOf, createOf, deleteOf, getOf, idOf, listOf, protectionOf, target, updateOf } from '../build';
import type { Target } from '../build';
import { changeOptions, labelsField, mannerOf } from '../fields';
import { reveal } from '../../shared/secretSources';
import { operation } from '../operation';
import { changeItemOf, changeSchema } from '../output';
import { pickOne } from '../searches';

const box = target(storageBoxes, 'storageBox', 'Storage Box');
const boxType = target(storageBoxTypes, 'storageBoxType', 'Storage Box Type');
const boxField = { storageBox: pickOne('storageBox', { label: 'Storage Box' }) };

/** Something inside of a storage box. */
function inBox<R extends Resource>(resource: R, name: string, label: string, choose: Fields): Target<R> {
  const withinOf: Target<R>['withinOf'] = async (input, api, task) => ({
    box: (await idOf(api, storageBoxes, input['storageBox'] as string, task)).id,
  });
  return {
    resource,
    name,
    label,
    a: `a ${resource.label}`,
    many: `${resource.label}s`,
    choose: { ...boxField, ...choose },
    within: boxField,
    withinOf,
    placeOf: async (input, api, task) => {
      const within = await withinOf(input, api, task);
      const reference = String(input[Object.keys(choose)[0] ?? '']);
      if (/^\d+$/.test(reference)) return { ...within, id: Number(reference) };
      const found = (await findItem(api, resource, reference, task, within)) as { readonly id: number };
      return { ...within, id: found.id };
    },
  };
}

const snapshot = inBox(storageBoxSnapshots, 'storageBoxSnapshot', 'Storage Box Snapshot', {
  snapshot: text({ label: 'Snapshot', required: true, description: 'ID or name' }),
});
const subaccount = inBox(storageBoxSubaccounts, 'storageBoxSubaccount', 'Storage Box Subaccount', {
  subaccount: text({ label: 'Subaccount', required: true, description: 'ID or name' }),
});

const password = secretText({
  label: 'Password',
  required: true,
  description: '12 to 128 characters, with small and capital letters, digits and special characters',
});
async function passwordOf(input: { readonly password: string }, secrets: SecretSources, task: Task): Promise<string> {
  const value = await reveal(input.password, secrets, task);
  checkPassword(value);
  return value;
}

const access = {
  reachableExternally: toggle({
    label: 'Reachable Externally',
    description: 'Whether it can be reached from outside of Hetzner',
  }),
  sambaEnabled: toggle({ label: 'Samba', description: 'Whether Samba is on' }),
  sshEnabled: toggle({ label: 'SSH', description: 'Whether SSH is on: SFTP, rsync, Borg' }),
  webdavEnabled: toggle({ label: 'WebDAV', description: 'Whether WebDAV is on' }),
};
const boxAccess = {
  ...access,
  zfsEnabled: toggle({ label: 'ZFS Folder', description: 'Whether the snapshot folder is visible' }),
};
const subaccountAccess = {
  ...access,
  readOnly: toggle({ label: 'Read Only', description: 'Whether it may only read' }),
};

interface Access {
  readonly reachableExternally?: boolean;
  readonly sambaEnabled?: boolean;
  readonly sshEnabled?: boolean;
  readonly webdavEnabled?: boolean;
  readonly zfsEnabled?: boolean;
  readonly readOnly?: boolean;
}

function accessBody(settings: Access) {
  return present({
    reachable_externally: settings.reachableExternally,
    samba_enabled: settings.sambaEnabled,
    ssh_enabled: settings.sshEnabled,
    webdav_enabled: settings.webdavEnabled,
    zfs_enabled: settings.zfsEnabled,
    readonly: settings.readOnly,
  });
}

/** The field of the item for each setting of the API. */
const settingFields = {
  reachable_externally: 'reachableExternally',
  samba_enabled: 'sambaEnabled',
  ssh_enabled: 'sshEnabled',
  webdav_enabled: 'webdavEnabled',
  zfs_enabled: 'zfsEnabled',
  readonly: 'readOnly',
} as const;

function hasSettings(item: object, body: object | undefined): boolean {
  const values = item as Readonly<Record<string, unknown>>;
  return Object.entries(body ?? {}).every(
    ([name, value]) => values[settingFields[name as keyof typeof settingFields]] === value,
  );
}

const usage = operation({
  resource: 'storageBox',
  name: 'usage',
  label: 'Get Usage',
  action: 'Get the usage of storage boxes',
  description: 'Tells how full a storage box is, or all of them',
  effect: 'reads',
  input: { storageBox: pickOne('storageBox', { label: 'Storage Box', required: false, description: 'Empty: all' }) },
  output: schema.object({
    id: schema.integer(),
    name: schema.string(),
    type: schema.string(),
    usedPercent: schema.nullable(schema.number('Null: not measured yet')),
    usedBytes: schema.nullable(schema.integer()),
    dataBytes: schema.nullable(schema.integer()),
    snapshotBytes: schema.nullable(schema.integer()),
    sizeBytes: schema.integer(),
  }),
  run: async ({ input, api, task }) => {
    const all =
      input.storageBox === ''
        ? await listItems(api, storageBoxes, {}, task)
        : [await findItem(api, storageBoxes, input.storageBox, task)];
    return all.map((one) => {
      const { id, name, type, usedBytes, dataBytes, snapshotBytes, sizeBytes } = one;
      return { id, name, type, usedPercent: usedPercent(one), usedBytes, dataBytes, snapshotBytes, sizeBytes };
    });
  },
});

const folders = operation({
  resource: 'storageBox',
  name: 'folders',
  label: 'List Folders',
  action: 'List the folders of a storage box',
  description: 'Gives the folders below a path',
  effect: 'reads',
  input: { ...boxField, options: optional({ path: text({ label: 'Path', placeholder: 'backups' }) }) },
  output: schema.object({ folder: schema.string() }),
  run: async ({ input, api, task }) => {
    const { id } = await idOf(api, storageBoxes, input.storageBox, task);
    return (await listFolders(api, id, input.options.path ?? '', task)).map((folder) => ({ folder }));
  },
});

const setPlan = operation({
  resource: 'storageBox',
  name: 'setSnapshotPlan',
  action: 'Set the snapshot plan of a storage box',
  description: 'Lets Hetzner make snapshots by itself, daily, weekly or monthly, in UTC',
  effect: 'changes',
  dryRun: true,
  input: {
    ...boxField,
    maxSnapshots: number({ label: 'Max Snapshots', default: 7, min: 1, max: 250, integer: true }),
    hour: number({ label: 'Hour (UTC)', default: 3, min: 0, max: 23, integer: true }),
    minute: number({ label: 'Minute', default: 30, min: 0, max: 59, integer: true }),
    options: changeOptions({
      dayOfWeek: number({
        label: 'Day of Week',
        default: 1,
        min: 1,
        max: 7,
        integer: true,
        description: '1 is Monday',
      }),
      dayOfMonth: number({ label: 'Day of Month', default: 1, min: 1, max: 31, integer: true }),
    }),
  },
  output: changeSchema(storageBoxes),
  run: async ({ input, api, task }): Promise<object> => {
    const { maxSnapshots, hour, minute, options, dryRun } = input;
    const { dayOfWeek, dayOfMonth } = options;
    const body = planBody({
      maxSnapshots,
      hour,
      minute,
      ...(dayOfWeek !== undefined && { dayOfWeek }),
      ...(dayOfMonth !== undefined && { dayOfMonth }),
    });
    const place = await idOf(api, storageBoxes, input.storageBox, task);
    const wanted = { day_of_week: null, day_of_month: null, ...body };
    const isDone = ({ snapshotPlan }: { readonly snapshotPlan: unknown }) => contains(snapshotPlan, wanted);
    const change = { place, command: 'enable_snapshot_plan', body, isDone } as const;
    const changed = await changeItem(api, storageBoxes, change, mannerOf(options, dryRun), task);
    return changeItemOf(storageBoxes, changed, { dryRun });
  },
});

const changeType = operation({
  resource: 'storageBox',
  name: 'changeType',
  action: 'Change the type of a storage box',
  description: 'Makes a storage box larger, or smaller where the data fits',
  effect: 'changes',
  dryRun: true,
  input: {
    ...boxField,
    storageBoxType: pickOne('storageBoxType', { label: 'Storage Box Type' }),
    options: changeOptions({}),
  },
  output: changeSchema(storageBoxes),
  run: async ({ input, api, task }): Promise<object> => {
    const place = await idOf(api, storageBoxes, input.storageBox, task);
    const type = await findItem(api, storageBoxTypes, input.storageBoxType, task);
    const changed = await changeBoxType(api, place, type, mannerOf(input.options, input.dryRun), task);
    return changeItemOf(storageBoxes, changed, { dryRun: input.dryRun });
  },
});

export const storageBoxOperations = [
  createOf(box, {
    fields: {
      storageBoxType: pickOne('storageBoxType', { label: 'Storage Box Type' }),
      location: pickOne('location', { label: 'Location' }),
      password,
    },
    options: { ...boxAccess, sshKeys: list({ label: 'SSH Keys', description: 'Public keys' }) },
    body: async ({ name, labels, input, options, api, secrets, task }) =>
      present({
        name,
        labels,
        storage_box_type: (await findItem(api, storageBoxTypes, input.storageBoxType, task)).name,
        location: (await findItem(api, locations, input.location, task)).name,
        password: await passwordOf(input, secrets, task),
        ssh_keys: options.sshKeys,
        access_settings: accessBody(options),
      }),
    mismatch: ({ type, location }, input) =>
      otherThan('type', type, input.storageBoxType) ?? otherThan('location', location, input.location),
  }),
  getOf(box),
  listOf(box),
  updateOf(box),
  deleteOf(box, 'Deletes a storage box with all data on it, unless it is protected'),
  usage,
  folders,
  changeType,
  commandOf(box, {
    name: 'changeAccess',
    action: 'Change the access settings of a storage box',
    description: 'Switches the ways on and off by which it can be reached. What is not given stays.',
    command: 'update_access_settings',
    input: { access: optional(boxAccess, { label: 'Access', add: 'Add Setting' }) },
    body: ({ input }) => accessBody(input.access),
    isDone: hasSettings,
  }),
  commandOf(box, {
    name: 'setPassword',
    action: 'Set the password of a storage box',
    description: 'Gives the main account a new password',
    command: 'reset_password',
    input: { password },
    body: async ({ input, secrets, task }) => ({ password: await passwordOf(input, secrets, task) }),
  }),
  commandOf(box, {
    name: 'rollback',
    action: 'Roll back a storage box to a snapshot',
    description: 'Puts everything back as it was. What came later is lost, newer snapshots included.',
    effect: 'destroys',
    needsApproval: true,
    command: 'rollback_snapshot',
    input: { snapshot: text({ label: 'Snapshot', required: true, description: 'ID or name' }) },
    body: ({ input }) => ({ snapshot: input.snapshot }),
  }),
  setPlan,
  commandOf(box, {
    name: 'removeSnapshotPlan',
    action: 'Remove the snapshot plan of a storage box',
    description: 'Ends the snapshots that Hetzner makes by itself; those there are stay',
    command: 'disable_snapshot_plan',
    isDone: ({ snapshotPlan }) => snapshotPlan === null,
  }),
  protectionOf(box),
];

const createSnapshotOperation = operation({
  resource: 'storageBoxSnapshot',
  name: 'create',
  action: 'Create a snapshot of a storage box',
  description: 'Keeps a storage box as it is now',
  effect: 'creates',
  dryRun: true,
  input: {
    ...boxField,
    snapshotDescription: text({ label: 'Description', required: true, placeholder: 'before the upgrade' }),
    labels: labelsField,
    options: changeOptions({}),
  },
  output: changeSchema(storageBoxSnapshots, { maybe: true }),
  run: async ({ input, api, task }): Promise<object> => {
    const { id } = await idOf(api, storageBoxes, input.storageBox, task);
    const wish = { description: input.snapshotDescription, labels: input.labels };
    const changed = await createSnapshot(api, id, wish, mannerOf(input.options, input.dryRun), task);
    return changeItemOf(storageBoxSnapshots, changed, { dryRun: input.dryRun });
  },
});

const descriptionField = text({ label: 'Description' });

export const storageBoxSnapshotOperations = [
  createSnapshotOperation,
  getOf(snapshot),
  listOf(snapshot, {
    isAutomatic: toggle({
      label: 'Automatic',
      description: 'Whether to list those of the plan, or only those made by hand',
    }),
  }),
  updateOf(
    snapshot,
    { fields: { description: descriptionField }, body: ({ description }) => present({ description }) },
    { nameable: false },
  ),
  deleteOf(snapshot),
];

const createSubaccount = operation({
  resource: 'storageBoxSubaccount',
  name: 'create',
  action: 'Create a subaccount of a storage box',
  description: 'Creates an account for one folder, unless there is one with this name and these labels',
  effect: 'creates',
  dryRun: true,
  input: {
    ...boxField,
    name: text({ label: 'Name', required: true }),
    homeDirectory: text({ label: 'Home Directory', required: true, placeholder: 'backups/bruno' }),
    password,
    labels: labelsField,
    options: changeOptions({ ...subaccountAccess, description: descriptionField }),
  },
  output: changeSchema(storageBoxSubaccounts, { maybe: true }),
  run: async ({ input, api, secrets, task }): Promise<object> => {
    const { name, homeDirectory, labels, options, dryRun } = input;
    const newPassword = await passwordOf(input, secrets, task);
    const { id } = await idOf(api, storageBoxes, input.storageBox, task);
    const within = { box: id };
    const named = async () => {
      const all = await listItems(api, storageBoxSubaccounts, { within }, task);
      return all.find((one) => one.name === name);
    };
    const body = present({
      name,
      labels,
      home_directory: homeDirectory,
      password: newPassword,
      description: options.description,
      access_settings: accessBody(options),
    });
    const creation = {
      within,
      name,
      labels,
      body: () => body,
      find: named,
      mismatch: (item: { readonly homeDirectory: string }) =>
        item.homeDirectory === homeDirectory ? undefined : `its folder is ${item.homeDirectory}`,
    };
    const changed = await createItem(api, storageBoxSubaccounts, creation, mannerOf(options, dryRun), task);
    return changeItemOf(storageBoxSubaccounts, changed, { dryRun });
  },
});

export const storageBoxSubaccountOperations = [
  createSubaccount,
  getOf(subaccount),
  listOf(subaccount, { username: text({ label: 'Username' }) }),
  updateOf(subaccount, {
    fields: { description: descriptionField },
    body: ({ description }) => present({ description }),
  }),
  deleteOf(subaccount),
  commandOf(subaccount, {
    name: 'changeAccess',
    action: 'Change the access settings of a subaccount',
    description: 'Switches the ways on and off by which it can be used. What is not given stays.',
    command: 'update_access_settings',
    input: { access: optional(subaccountAccess, { label: 'Access', add: 'Add Setting' }) },
    body: ({ input }) => accessBody(input.access),
    isDone: hasSettings,
  }),
  commandOf(subaccount, {
    name: 'setPassword',
    action: 'Set the password of a subaccount',
    description: 'Gives it a new password',
    command: 'reset_subaccount_password',
    input: { password },
    body: async ({ input, secrets, task }) => ({ password: await passwordOf(input, secrets, task) }),
  }),
  commandOf(subaccount, {
    name: 'changeHome',
    action: 'Change the home directory of a subaccount',
    description: 'Lets it see another folder',
    command: 'change_home_directory',
    input: { homeDirectory: text({ label: 'Home Directory', required: true, placeholder: 'backups/bruno' }) },
    body: ({ input }) => ({ home_directory: input.homeDirectory }),
    isDone: ({ homeDirectory }, body) => homeDirectory === body?.['home_directory'],
  }),
];

export const storageBoxTypeOperations = [getOf(boxType), listOf(boxType, {}, { labels: false, sort: false })];
