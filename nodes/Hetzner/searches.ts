import { sharedApi } from '../../lib/hetzner/api';
import { parseHetznerCredential } from '../../lib/hetzner/credential';
import { listItems } from '../../lib/hetzner/read';
import type { Item, Resource } from '../../lib/hetzner/resource';
import * as compute from '../../lib/hetzner/resources/compute';
import { zones } from '../../lib/hetzner/resources/dns';
import * as network from '../../lib/hetzner/resources/network';
import * as storage from '../../lib/hetzner/resources/storage';
import { pick, searchable } from '../declaration';
import type { PickFacts } from '../declaration/fields/pick';

const DEADLINE_MS = 30_000;

type Choice = { readonly name: string; readonly value: string };

/** A searchable list of all pages of a resource. */
function search<R extends Resource>(name: string, resource: R, choiceOf: (item: Item<R>) => Choice) {
  return searchable(name, async (asker, filter) => {
    const { readOnly: _, ...settings } = parseHetznerCredential(await asker.getCredentials('selfhostHetzner'));
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: name };
    const items = await listItems(sharedApi(settings), resource, {}, task);
    const wanted = filter.toLowerCase();
    return { results: items.map(choiceOf).filter((choice) => choice.name.toLowerCase().includes(wanted)) };
  });
}

interface Named {
  readonly id: number;
  readonly name: string | null;
}

const byId = <T extends Named>(facts: (item: T) => readonly (string | null)[] = () => []) => {
  return (item: T): Choice => ({
    name: [item.name ?? String(item.id), ...facts(item)].filter((part) => part !== null).join(' · '),
    value: String(item.id),
  });
};
const byName = <T extends Named>(facts: (item: T) => readonly string[]) => {
  return (item: T): Choice => ({
    name: [item.name ?? '', ...facts(item)].join(' · '),
    value: item.name ?? String(item.id),
  });
};

const searches = {
  server: search(
    'searchServers',
    compute.servers,
    byId(({ type, location, ipv4 }) => [type, location, ipv4]),
  ),
  image: search(
    'searchImages',
    compute.images,
    byId(({ description, architecture, createdAt }) => [description, architecture, createdAt.slice(0, 10)]),
  ),
  iso: search(
    'searchIsos',
    compute.isos,
    byName(({ description }) => [description]),
  ),
  serverType: search(
    'searchServerTypes',
    compute.serverTypes,
    byName(({ cores, memoryGb, diskGb, unavailableAfter }) => [
      `${cores} cores, ${memoryGb} GB, ${diskGb} GB disk`,
      ...(unavailableAfter === null ? [] : [`until ${unavailableAfter.slice(0, 10)}`]),
    ]),
  ),
  location: search(
    'searchLocations',
    compute.locations,
    byName(({ city, country }) => [`${city}, ${country}`]),
  ),
  placementGroup: search('searchPlacementGroups', compute.placementGroups, byId()),
  sshKey: search(
    'searchSshKeys',
    compute.sshKeys,
    byId(({ fingerprint }) => [fingerprint]),
  ),
  volume: search(
    'searchVolumes',
    storage.volumes,
    byId(({ sizeGb, location }) => [`${sizeGb} GB`, location]),
  ),
  network: search(
    'searchNetworks',
    network.networks,
    byId(({ ipRange }) => [ipRange]),
  ),
  firewall: search('searchFirewalls', network.firewalls, byId()),
  floatingIp: search(
    'searchFloatingIps',
    network.floatingIps,
    byId(({ ip }) => [ip]),
  ),
  primaryIp: search(
    'searchPrimaryIps',
    network.primaryIps,
    byId(({ ip }) => [ip]),
  ),
  loadBalancer: search(
    'searchLoadBalancers',
    network.loadBalancers,
    byId(({ ipv4 }) => [ipv4]),
  ),
  loadBalancerType: search(
    'searchLoadBalancerTypes',
    network.loadBalancerTypes,
    byName(({ maxTargets }) => [`${maxTargets} targets`]),
  ),
  certificate: search(
    'searchCertificates',
    network.certificates,
    byId(({ domainNames }) => [domainNames.join(', ')]),
  ),
  storageBox: search(
    'searchStorageBoxes',
    storage.storageBoxes,
    byId(({ server }) => [server]),
  ),
  storageBoxType: search(
    'searchStorageBoxTypes',
    storage.storageBoxTypes,
    byName(({ sizeBytes }) => [`${Math.round(sizeBytes / 2 ** 40)} TB`]),
  ),
  zone: search('searchZones', zones, byId()),
};

export type Pickable = keyof typeof searches;

/** A thing at Hetzner: from the list, or its id or name. */
export function pickOne(what: Pickable, facts: PickFacts = {}) {
  return pick(searches[what], { byHand: 'By ID or Name', ...facts });
}
