import type { Task } from '../task';
import type { HetznerApi } from './api';
import { hostKeyLabel } from './host-key';
import { monthlyPriceIn, type Price, priceOf, readPrices } from './pricing';
import { listItems } from './read';
import type { Item, Resource } from './resource';
import { images, placementGroups, servers, sshKeys } from './resources/compute';
import { zones } from './resources/dns';
import { certificates, firewalls, floatingIps, loadBalancers, networks, primaryIps } from './resources/network';
import { storageBoxes, storageBoxTypes, volumes } from './resources/storage';
import type { Labels } from './shape';
import { usedPercent } from './storage-boxes';

export interface EstateItem {
  readonly kind: string;
  readonly id: number;
  readonly name: string;
  readonly location: string | null;
  /** Net; null where the price list says nothing. */
  readonly monthly: number | null;
  readonly deleteProtected: boolean;
  /** Whether it is in use; what is not costs money for nothing. */
  readonly attached: boolean;
  readonly warnings: readonly string[];
  readonly labels: Labels;
}

export interface Cost {
  readonly monthly: number;
  readonly items: number;
}

export interface Estate {
  readonly currency: string;
  readonly monthly: number;
  /** Names of what has no known price and is not in the sum. */
  readonly unpriced: readonly string[];
  readonly byKind: readonly (Cost & { readonly kind: string })[];
  /** `env=production`, or `no label`. */
  readonly byLabel: readonly (Cost & { readonly label: string })[];
  readonly items: readonly EstateItem[];
}

/** All there is, what it costs, and what is worth a look. Traffic and Hetzner's robots are not in it. */
export async function readEstate(api: HetznerApi, task: Task): Promise<Estate> {
  const all = <R extends Resource>(resource: R, filter = {}) => listItems(api, resource, { filter }, task);
  const prices = await readPrices(api, task);
  const allVolumes = await all(volumes);
  const boxTypes = await all(storageBoxTypes);
  const price = (item: string, location: string | null = null) => priceOf(prices, item, location) ?? null;
  const now = api.theirTime(api.surroundings.now());
  const items: readonly EstateItem[] = [
    ...(await all(servers)).map((server) => serverItem(server, allVolumes, prices)),
    ...allVolumes.map((volume) =>
      costly('volume', volume, times(volume.sizeGb, price('volume', volume.location)), volume.serverId !== null),
    ),
    ...(await all(floatingIps)).map((ip) =>
      costly('floating IP', ip, price(`floating IP ${ip.type}`, ip.location), ip.serverId !== null),
    ),
    ...(await all(primaryIps)).map((ip) => {
      const item = costly('primary IP', ip, price(`primary IP ${ip.type}`, ip.location), ip.assigneeId !== null);
      // One that goes with its server is not meant to outlive it.
      return ip.autoDelete && item.attached ? { ...item, warnings: [] } : item;
    }),
    ...(await all(loadBalancers)).map((one) =>
      costly('load balancer', one, price(`load balancer ${one.type}`, one.location), one.targets.length > 0),
    ),
    ...(await all(images, { type: 'snapshot' })).map((image) =>
      itemOf('snapshot', { ...image, name: image.description }, { monthly: times(image.sizeGb, price('image')) }),
    ),
    ...(await all(storageBoxes)).map((box) => boxItem(box, boxTypes)),
    ...(await all(networks)).map((network) => itemOf('network', network, { warnings: unprotected(network) })),
    ...(await all(firewalls)).map((firewall) => {
      const attached = firewall.appliedTo.length > 0;
      return itemOf('firewall', firewall, { attached, warnings: warn(!attached, 'applied to nothing') });
    }),
    ...(await all(certificates)).map((one) => itemOf('certificate', one, { warnings: expiry(one.validUntil, now) })),
    ...(await all(placementGroups)).map((group) => itemOf('placement group', group, {})),
    ...(await all(sshKeys)).map((key) => itemOf('SSH key', key, {})),
    ...(await all(zones)).map((zone) => itemOf('DNS zone', zone, { warnings: unprotected(zone) })),
  ];
  return {
    currency: prices[0]?.currency ?? 'EUR',
    monthly: sum(items),
    unpriced: items.filter(({ monthly }) => monthly === null).map(({ kind, name }) => `${kind} ${name}`),
    byKind: costsBy(items, ({ kind }) => [kind]).map(([kind, cost]) => ({ kind, ...cost })),
    byLabel: costsBy(items, labelsOf).map(([label, cost]) => ({ label, ...cost })),
    items,
  };
}

interface Plain {
  readonly id: number;
  readonly name: string;
  readonly location?: string;
  readonly deleteProtected?: boolean;
  readonly labels: Labels;
}

/** Unless said otherwise it is free, in use, and all right. */
function itemOf(
  kind: string,
  { id, name, location, deleteProtected = false, labels }: Plain,
  facts: Partial<Pick<EstateItem, 'monthly' | 'attached' | 'warnings'>>,
): EstateItem {
  const plain = { kind, id, name, location: location ?? null, deleteProtected, labels };
  return { ...plain, monthly: 0, attached: true, warnings: [], ...facts };
}

/** What is attached to something, and costs the same when it is not. */
function costly(kind: string, item: Plain, monthly: number | null, attached: boolean): EstateItem {
  const warnings = [...unprotected(item), ...warn(!attached, 'attached to nothing, and costs money')];
  return itemOf(kind, item, { monthly, attached, warnings });
}

function serverItem(
  server: Item<typeof servers>,
  allVolumes: readonly Item<typeof volumes>[],
  prices: readonly Price[],
): EstateItem {
  const backups = server.backupWindow !== null;
  const share = backups ? (priceOf(prices, 'server backup', null) ?? 0) / 100 : 0;
  const outside = allVolumes.filter(({ serverId }) => serverId === server.id).map(({ name }) => name);
  const isPublic = server.ipv4 !== null || server.ipv6 !== null;
  return itemOf('server', server, {
    monthly: times(1 + share, priceOf(prices, `server ${server.type}`, server.location) ?? null),
    warnings: [
      ...unprotected(server),
      ...warn(isPublic && server.firewallIds.length === 0, 'behind no firewall of Hetzner'),
      ...warn(server.status === 'off', 'switched off, and costs as if it ran'),
      ...warn(!backups, 'no backups by Hetzner'),
      ...warn(backups && outside.length > 0, `its backups do not contain the volumes ${outside.join(', ')}`),
    ],
  });
}

function boxItem(box: Item<typeof storageBoxes>, types: readonly Item<typeof storageBoxTypes>[]): EstateItem {
  const used = usedPercent(box) ?? 0;
  return itemOf('storage box', box, {
    monthly: monthlyPriceIn(types.find(({ name }) => name === box.type)?.prices ?? [], box.location) ?? null,
    warnings: [
      ...unprotected(box),
      ...warn(box.snapshotPlan === null, 'no snapshot plan'),
      ...warn(used >= 90, `${Math.round(used)} % full`),
    ],
  });
}

function warn(when: boolean, sentence: string): readonly string[] {
  return when ? [sentence] : [];
}

function unprotected({ deleteProtected }: { readonly deleteProtected?: boolean }): readonly string[] {
  return warn(deleteProtected !== true, 'not protected from deletion');
}

const noticeMs = 14 * 24 * 3600 * 1000;

function expiry(validUntil: string | null, now: number): readonly string[] {
  return validUntil === null ? [] : warn(Date.parse(validUntil) - now < noticeMs, `valid only until ${validUntil}`);
}

function times(factor: number | null, one: number | null): number | null {
  return factor === null || one === null ? null : factor * one;
}

/** The label of a host key names one server, and nothing that costs are added up for. */
function labelsOf({ labels }: EstateItem): readonly string[] {
  const entries = Object.entries(labels).filter(([key]) => key !== hostKeyLabel);
  return entries.length === 0 ? ['no label'] : entries.map(([key, value]) => (value === '' ? key : `${key}=${value}`));
}

/** Most first. An item with two labels counts for both, so those do not add up to the total. */
function costsBy(
  items: readonly EstateItem[],
  namesOf: (item: EstateItem) => readonly string[],
): readonly (readonly [string, Cost])[] {
  const groups = new Map<string, EstateItem[]>();
  for (const item of items) {
    for (const name of namesOf(item)) groups.set(name, [...(groups.get(name) ?? []), item]);
  }
  return [...groups]
    .map(([name, some]) => [name, { monthly: sum(some), items: some.length }] as const)
    .sort(([a, one], [b, other]) => other.monthly - one.monthly || a.localeCompare(b, 'en'));
}

function sum(items: readonly EstateItem[]): number {
  const total = items.reduce((so, { monthly }) => so + (monthly ?? 0), 0);
  return Math.round(total * 10_000) / 10_000;
}
