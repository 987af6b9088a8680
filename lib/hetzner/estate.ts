import type { Task } from '../task';
import type { HetznerApi } from './api';
import { monthlyPriceIn, priceOf, readPrices } from './pricing';
import { listItems } from './read';
import { images, servers } from './resources/compute';
import { floatingIps, loadBalancers, primaryIps } from './resources/network';
import { storageBoxes, storageBoxTypes, volumes } from './resources/storage';
import type { Labels } from './shape';

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

export interface CostOf {
  /** `env=production`, or `no label`. */
  readonly label: string;
  readonly monthly: number;
  readonly items: number;
}

export interface Estate {
  readonly currency: string;
  readonly monthly: number;
  /** Names of what has no known price and is not in the sum. */
  readonly unpriced: readonly string[];
  readonly byLabel: readonly CostOf[];
  readonly items: readonly EstateItem[];
}

/** All that costs money, what it costs, and what is worth a look. Traffic and Hetzner's robots are not in it. */
export async function readEstate(api: HetznerApi, task: Task): Promise<Estate> {
  const prices = await readPrices(api, task);
  const everything = {};
  const allServers = await listItems(api, servers, everything, task);
  const allVolumes = await listItems(api, volumes, everything, task);
  const price = (item: string, location: string | null) => priceOf(prices, item, location) ?? null;
  const times = (factor: number, one: number | null) => (one === null ? null : factor * one);

  const ofServers = allServers.map((server): EstateItem => {
    const plain = price(`server ${server.type}`, server.location);
    const backups = server.backupWindow !== null;
    const share = backups ? (price('server backup', null) ?? 0) / 100 : 0;
    const outside = allVolumes.filter(({ serverId }) => serverId === server.id).map(({ name }) => name);
    return {
      kind: 'server',
      id: server.id,
      name: server.name,
      location: server.location,
      monthly: times(1 + share, plain),
      deleteProtected: server.deleteProtected,
      attached: true,
      warnings: [
        ...(server.deleteProtected ? [] : ['not protected from deletion']),
        ...(server.status === 'off' ? ['switched off, and costs as if it ran'] : []),
        ...(backups ? [] : ['no backups by Hetzner']),
        ...(backups && outside.length > 0 ? [`its backups do not contain the volumes ${outside.join(', ')}`] : []),
      ],
      labels: server.labels,
    };
  });
  const ofVolumes = allVolumes.map((volume): EstateItem => ({
    ...common('volume', volume),
    monthly: times(volume.sizeGb, price('volume', volume.location)),
    attached: volume.serverId !== null,
    warnings: warningsOf(volume.deleteProtected, volume.serverId !== null),
  }));
  const ofFloatingIps = (await listItems(api, floatingIps, everything, task)).map((ip): EstateItem => ({
    ...common('floating IP', ip),
    monthly: price(`floating IP ${ip.type}`, ip.location),
    attached: ip.serverId !== null,
    warnings: warningsOf(ip.deleteProtected, ip.serverId !== null),
  }));
  const ofPrimaryIps = (await listItems(api, primaryIps, everything, task)).map((ip): EstateItem => ({
    ...common('primary IP', ip),
    monthly: price(`primary IP ${ip.type}`, ip.location),
    attached: ip.assigneeId !== null,
    // Those of a server come and go with it; only one that stands alone is worth a word.
    warnings: ip.assigneeId === null ? ['attached to nothing'] : [],
  }));
  const ofLoadBalancers = (await listItems(api, loadBalancers, everything, task)).map((balancer): EstateItem => ({
    ...common('load balancer', balancer),
    monthly: price(`load balancer ${balancer.type}`, balancer.location),
    attached: balancer.targets.length > 0,
    warnings: warningsOf(balancer.deleteProtected, balancer.targets.length > 0),
  }));
  const snapshots = await listItems(api, images, { filter: { type: 'snapshot' } }, task);
  const ofSnapshots = snapshots.map((image): EstateItem => ({
    kind: 'snapshot',
    id: image.id,
    name: image.description,
    location: null,
    monthly: image.sizeGb === null ? null : times(image.sizeGb, price('image', null)),
    deleteProtected: image.deleteProtected,
    attached: true,
    warnings: [],
    labels: image.labels,
  }));
  const types = await listItems(api, storageBoxTypes, everything, task);
  const ofBoxes = (await listItems(api, storageBoxes, everything, task)).map((box): EstateItem => {
    const used = box.usedBytes === null ? 0 : (100 * box.usedBytes) / box.sizeBytes;
    return {
      ...common('storage box', box),
      monthly: monthlyPriceIn(types.find(({ name }) => name === box.type)?.prices ?? [], box.location) ?? null,
      attached: true,
      warnings: [
        ...(box.deleteProtected ? [] : ['not protected from deletion']),
        ...(box.snapshotPlan === null ? ['no snapshot plan'] : []),
        ...(used >= 90 ? [`${Math.round(used)} % full`] : []),
      ],
    };
  });
  const items = [
    ...ofServers,
    ...ofVolumes,
    ...ofFloatingIps,
    ...ofPrimaryIps,
    ...ofLoadBalancers,
    ...ofSnapshots,
    ...ofBoxes,
  ];
  return {
    currency: prices[0]?.currency ?? 'EUR',
    monthly: sum(items),
    unpriced: items.filter(({ monthly }) => monthly === null).map(({ kind, name }) => `${kind} ${name}`),
    byLabel: costsByLabel(items),
    items,
  };
}

interface Plain {
  readonly id: number;
  readonly name: string;
  readonly location: string;
  readonly deleteProtected: boolean;
  readonly labels: Labels;
}

function common(kind: string, { id, name, location, deleteProtected, labels }: Plain) {
  return { kind, id, name, location, deleteProtected, labels };
}

function warningsOf(isProtected: boolean, attached: boolean): readonly string[] {
  return [
    ...(isProtected ? [] : ['not protected from deletion']),
    ...(attached ? [] : ['attached to nothing, and costs money']),
  ];
}

/** An item with two labels counts for both, so these do not add up to the total. */
function costsByLabel(items: readonly EstateItem[]): readonly CostOf[] {
  const groups = new Map<string, EstateItem[]>();
  for (const item of items) {
    const names = Object.entries(item.labels).map(([key, value]) => (value === '' ? key : `${key}=${value}`));
    for (const name of names.length > 0 ? names : ['no label']) {
      groups.set(name, [...(groups.get(name) ?? []), item]);
    }
  }
  return [...groups]
    .map(([label, some]) => ({ label, monthly: sum(some), items: some.length }))
    .sort((a, b) => b.monthly - a.monthly || a.label.localeCompare(b.label, 'en'));
}

function sum(items: readonly EstateItem[]): number {
  const total = items.reduce((so, { monthly }) => so + (monthly ?? 0), 0);
  return Math.round(total * 10_000) / 10_000;
}
