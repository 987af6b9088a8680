import type { IDataObject } from 'n8n-workflow';

import type { HetznerStandIn } from '../../../lab/standins/hetzner';
import type { Thing } from '../../../lab/standins/hetzner/state';
import { Hetzner } from '../../../nodes/Hetzner/Hetzner.node';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { creations } from './samples';

/** One of everything. */
export function build({ add }: HetznerStandIn) {
  const make = (list: string, one: string, changes: Thing = {}, within?: Thing) =>
    add(list, creations[one] ?? {}, changes, within);
  const storageBox = make('storage_boxes', 'storage_box', {
    stats: { size: 2 ** 39, size_data: 2 ** 39, size_snapshots: 0 },
  });
  const zone = make('zones', 'zone');
  return {
    server: add('servers', { name: 'bruno', server_type: 'cx23', image: '101' }),
    volume: add('volumes', { name: 'data', size: 10 }),
    network: make('networks', 'network', {
      subnets: [{ type: 'cloud', ip_range: '10.0.1.0/24', network_zone: 'eu-central', gateway: '10.0.0.1' }],
    }),
    firewall: add('firewalls', { name: 'web' }),
    floatingIp: make('floating_ips', 'floating_ip'),
    primaryIp: make('primary_ips', 'primary_ip'),
    loadBalancer: make('load_balancers', 'load_balancer'),
    certificate: make('certificates', 'certificate'),
    sshKey: make('ssh_keys', 'ssh_key'),
    placementGroup: make('placement_groups', 'placement_group'),
    zone,
    recordSet: make('rrsets', 'rrset', {}, zone),
    storageBox,
    snapshot: make('snapshots', 'snapshot', {}, storageBox),
    subaccount: make('subaccounts', 'subaccount', {}, storageBox),
  };
}

export type Estate = ReturnType<typeof build>;

export function credentialOf({ cloud, storage }: HetznerStandIn) {
  return { apiToken: 'good-token', cloudUrl: cloud.url, storageUrl: storage.url };
}

const namedSecrets = 'BOX_PASSWORD=Named-horse-8-Named\nCERTIFICATE_KEY=a private key';

/** The items of one run of the node with one item. */
export async function runNode(parameters: Readonly<Record<string, unknown>>, as: object): Promise<IDataObject[]> {
  const { execute } = fakeExecute({ parameters: [parameters] });
  const node = { ...execute.getNode(), credentials: { selfhostSecrets: { id: '2', name: 'Secrets' } } };
  const getCredentials = (type: string) => Promise.resolve(type === 'selfhostSecrets' ? { secrets: namedSecrets } : as);
  Object.assign(execute, { getCredentials, getNode: () => node });
  const outputs = await new Hetzner().execute.call(execute);
  return Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [];
}

export function writesTo({ cloud, storage }: HetznerStandIn) {
  return [...cloud.seen, ...storage.seen]
    .filter(({ method }) => method !== 'GET')
    .map(({ url, body }) => [url, body] as const);
}
