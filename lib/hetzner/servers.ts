import { Failure } from '../failure';
import { isObject, type Json, type JsonObject } from '../json';
import type { Task } from '../task';
import { publicKeyOf } from '../host/new-host-key';
import type { HetznerApi } from './api';
import { type Changed, changeItem, command, differences, type Manner, unchanged } from './change';
import { checkLabels, checkName, checkServerName, refuse } from './checks';
import { createItem } from './create';
import { hostKeyLabel, hostKeyOf, type KnownHostKey, makeHostKey, noHostKey } from './host-key';
import { findItem, getItem, listItems } from './read';
import type { Item, Resource } from './resource';
import { images, locations, placementGroups, servers, serverTypes, sshKeys } from './resources/compute';
import { firewalls, networks, primaryIps } from './resources/network';
import { volumes } from './resources/storage';
import { integer, type Labels, readOf } from './shape';
import { checkUserData, withHostKey } from './user-data';

export type Server = Item<typeof servers>;

export interface ServerWish {
  readonly name: string;
  readonly type: string;
  readonly image: string;
  readonly location?: string;
  readonly labels: Labels;
  readonly sshKeys?: readonly string[];
  readonly networks?: readonly string[];
  readonly volumes?: readonly string[];
  readonly firewalls?: readonly string[];
  readonly placementGroup?: string;
  readonly userData?: string;
  readonly startAfterCreate?: boolean;
  readonly mountVolumes?: boolean;
  readonly publicIpv4?: boolean;
  readonly publicIpv6?: boolean;
  readonly primaryIpv4?: string;
  readonly primaryIpv6?: string;
  /** Whether its host key is made here, so that the first connection to it is verified. */
  readonly hostKey?: boolean;
}

export interface EnsuredServer extends Changed<Server | undefined> {
  /** Null where no host key was asked for, and in dry runs. */
  readonly hostKey: KnownHostKey | null;
  /** A secret. Null where the server was there before: then nobody has it but the server. */
  readonly hostPrivateKey: string | null;
}

/** A server with this name and these labels: the one that is there, or a new one. */
export async function ensureServer(
  api: HetznerApi,
  wish: ServerWish,
  manner: Manner,
  task: Task,
): Promise<EnsuredServer> {
  checkServerName(wish.name);
  const made = wish.hostKey === true ? makeHostKey() : undefined;
  const userData = made === undefined ? wish.userData : withHostKey(wish.userData, made.key);
  checkUserData(wish.name, userData ?? '');
  const changed = await createItem(
    api,
    servers,
    {
      name: wish.name,
      labels: wish.labels,
      body: () => serverBody(api, { ...wish, labels: { ...wish.labels, ...made?.labels }, userData }, task),
      mismatch: (item) => mismatchOf(item, wish),
    },
    manner,
    task,
  );
  if (made === undefined || changed.item === undefined) return { ...changed, hostKey: null, hostPrivateKey: null };
  const hostKey = hostKeyOf(changed.item);
  if (hostKey === undefined) throw noHostKey(wish.name);
  // Where the answer was lost, it may be a server that somebody else made at the same moment, with another key.
  const isOurs = hostKey.publicKey === publicKeyOf(made.key.raw);
  return { ...changed, hostKey, hostPrivateKey: isOurs ? made.key.privateKey : null };
}

function mismatchOf({ type, location, labels }: Server, wish: ServerWish): string | undefined {
  const isId = (text: string) => /^\d+$/.test(text);
  if (type !== wish.type && !isId(wish.type)) return `it is a ${type}, not a ${wish.type}`;
  if (wish.location !== undefined && wish.location !== location && !isId(wish.location)) {
    return `it stands in ${location}, not in ${wish.location}`;
  }
  if (wish.hostKey === true && !(hostKeyLabel in labels)) {
    return `its host key was not made here, as the label ${hostKeyLabel} is missing`;
  }
  return undefined;
}

async function serverBody(api: HetznerApi, wish: ServerWish, task: Task): Promise<JsonObject> {
  const type = await findItem(api, serverTypes, wish.type, task);
  const location = wish.location === undefined ? undefined : await findItem(api, locations, wish.location, task);
  checkAvailability(type, location?.name);
  const image = await imageFor(api, wish.image, type.architecture, task);
  const ids = (resource: Resource, names: readonly string[] = []) =>
    Promise.all(names.map(async (name) => idOf(await findItem(api, resource, name, task))));
  const one = async (resource: Resource, name: string | undefined) =>
    name === undefined ? undefined : idOf(await findItem(api, resource, name, task));
  const [ipv4, ipv6] = [await one(primaryIps, wish.primaryIpv4), await one(primaryIps, wish.primaryIpv6)];
  const publicNet = {
    enable_ipv4: wish.publicIpv4 ?? true,
    enable_ipv6: wish.publicIpv6 ?? true,
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
  };
  return present({
    name: wish.name,
    server_type: type.name,
    image: String(image.id),
    location: location?.name,
    labels: wish.labels,
    ssh_keys: (await ids(sshKeys, wish.sshKeys)).map(String),
    networks: await ids(networks, wish.networks),
    volumes: await ids(volumes, wish.volumes),
    firewalls: (await ids(firewalls, wish.firewalls)).map((firewall) => ({ firewall })),
    placement_group: await one(placementGroups, wish.placementGroup),
    user_data: wish.userData,
    start_after_create: wish.startAfterCreate ?? true,
    automount: (wish.volumes ?? []).length > 0 ? (wish.mountVolumes ?? false) : undefined,
    public_net: publicNet,
  });
}

/** Without what was not given. */
export function present(values: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as JsonObject;
}

function idOf(item: object): number {
  return (item as { readonly id: number }).id;
}

function checkAvailability(type: Item<typeof serverTypes>, location: string | undefined): void {
  if (location === undefined) return;
  const places = (type.locations as readonly unknown[]).filter(isObject);
  const there = places.find(({ name }) => name === location);
  const elsewhere = places.flatMap(({ name, available }) =>
    available === true && typeof name === 'string' ? [name] : [],
  );
  if (places.length === 0 || (there !== undefined && there['available'] !== false)) return;
  throw refuse(
    `server type ${type.name}`,
    `Hetzner does not offer ${type.name} in ${location} at the moment`,
    elsewhere.length > 0 ? `It can be had in ${elsewhere.join(', ')}.` : 'Choose another type.',
    'resource_unavailable',
  );
}

/** One name can stand for an image per architecture; the one for the server type is meant. */
export async function imageFor(
  api: HetznerApi,
  reference: string,
  architecture: string,
  task: Task,
): Promise<Item<typeof images>> {
  if (/^\d+$/.test(reference)) {
    const image = await getItem(api, images, { id: reference }, task);
    if (image.architecture === architecture) return image;
    throw refuse(
      `image ${reference}`,
      `The image ${reference} is for ${image.architecture}, and the server type is ${architecture}`,
      'Choose an image and a type of the same architecture.',
    );
  }
  const filter = { name: reference, architecture };
  const found = await listItems(api, images, { filter }, task);
  return found.find(({ name }) => name === reference) ?? findItem(api, images, reference, task);
}

export interface Shutdown {
  /** How long the server may take to stop by itself. */
  readonly graceMs: number;
  /** Whether to cut the power then. */
  readonly powerOff: boolean;
}

const lookEveryMs = 2_000;

/** Asks the server to stop, waits until it has, and cuts the power only where that was allowed. */
export async function shutDownServer(
  api: HetznerApi,
  id: number,
  { graceMs, powerOff }: Shutdown,
  manner: Manner,
  task: Task,
): Promise<Changed<Server>> {
  const place = { id };
  const before = await getItem(api, servers, place, task);
  if (before.status === 'off') return unchanged(before);
  if (manner.dryRun) return { ...unchanged(before), changed: true };
  const asked = await command(api, servers, { place, command: 'shutdown' }, manner, task);
  const done = (item: Server, more: typeof asked.actions = []): Changed<Server> => ({
    changed: true,
    item,
    changes: differences(before, item),
    actions: [...asked.actions, ...more],
    answer: null,
  });
  if (!manner.wait) return done(await getItem(api, servers, place, task));
  const stopped = await untilOff(api, id, graceMs, task);
  if (stopped.status === 'off') return done(stopped);
  if (!powerOff) {
    throw new Failure({
      code: 'still_running',
      subject: `server ${before.name}`,
      message: `The server ${before.name} was asked to shut down and still runs after ${Math.round(graceMs / 1000)} s`,
      nextStep: 'Look at its console, give it more time, or allow to cut the power.',
    });
  }
  task.progress({ message: `${before.name} did not stop by itself: cutting the power` });
  const cut = await command(api, servers, { place, command: 'poweroff' }, manner, task);
  return done(await getItem(api, servers, place, task), cut.actions);
}

async function untilOff(api: HetznerApi, id: number, graceMs: number, task: Task): Promise<Server> {
  const { now, wait } = api.surroundings;
  const endsAt = now() + graceMs;
  for (;;) {
    const server = await getItem(api, servers, { id }, task);
    const leftMs = endsAt - now();
    if (server.status === 'off' || leftMs <= 0) return server;
    task.progress({ message: `Waiting for ${server.name} to stop, it is ${server.status}` });
    await wait(Math.min(lookEveryMs, leftMs), task.signal, `server ${server.name}`);
  }
}

export async function changeServerType(
  api: HetznerApi,
  id: number,
  wish: { readonly type: string; readonly growDisk: boolean },
  manner: Manner,
  task: Task,
): Promise<Changed<Server>> {
  const type = await findItem(api, serverTypes, wish.type, task);
  return changeItem(
    api,
    servers,
    {
      place: { id },
      command: 'change_type',
      body: { server_type: type.name, upgrade_disk: wish.growDisk },
      isDone: (server) => server.type === type.name,
      check: (server) => {
        if (type.diskGb < server.diskGb) {
          throw refuse(
            `server ${server.name}`,
            `${server.name} has a disk of ${server.diskGb} GB, and ${type.name} has only ${type.diskGb} GB: disks cannot shrink`,
            'Choose a type with at least that much disk, or move the data to a new server.',
          );
        }
        if (server.status !== 'off') {
          throw refuse(
            `server ${server.name}`,
            `${server.name} is ${server.status}, and its type can only be changed while it is off`,
            'Shut it down first.',
            'server_not_stopped',
          );
        }
        checkAvailability(type, server.location);
      },
    },
    manner,
    task,
  );
}

export interface Snapshot extends Changed<Server> {
  /** Null in dry runs. */
  readonly imageId: number | null;
}

/** A snapshot of the disk. Its description is what it is found by when the answer was lost. */
export async function snapshotServer(
  api: HetznerApi,
  id: number,
  { description, labels }: { readonly description: string; readonly labels: Labels },
  manner: Manner,
  task: Task,
): Promise<Snapshot> {
  checkName(description, 'The description of the snapshot');
  checkLabels(labels);
  const body = { description, type: 'snapshot', labels };
  const changed = await changeItem(api, servers, { place: { id }, command: 'create_image', body }, manner, task);
  if (manner.dryRun) return { ...changed, imageId: null };
  const image = isObject(changed.answer) ? changed.answer['image'] : undefined;
  if (isObject(image)) return { ...changed, imageId: readOf(integer, image['id'], 'image.id') };
  const snapshots = await listItems(api, images, { filter: { type: 'snapshot' } }, task);
  const ids = snapshots.flatMap((one) => (one.createdFromId === id && one.description === description ? [one.id] : []));
  // The newest has the highest id; times come in whole seconds.
  return { ...changed, imageId: ids.length === 0 ? null : Math.max(...ids) };
}
