import * as catalogue from './catalogue';
import { listOf, newId, now, type State, type Thing, thingById } from './state';

/** How a new thing looks when it was created from a request. */
export type Maker = (body: Thing, state: State, within: Thing | undefined) => Thing;

const named = (list: readonly Thing[], reference: unknown): Thing | undefined =>
  list.find((one) => one['name'] === reference || String(one['id']) === String(reference));

const placed = (reference: unknown): Thing | undefined =>
  named(catalogue.locations, reference ?? 'fsn1') ?? catalogue.locations[0];

const base = (body: Thing, state: State): Thing => ({
  id: newId(state),
  name: body['name'],
  labels: body['labels'] ?? {},
  created: now(),
});

const deletable = { protection: { delete: false } };
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const asThing = (value: unknown): Thing => (typeof value === 'object' && value !== null ? (value as Thing) : {});

export const makers: Readonly<Record<string, Maker>> = {
  servers: (body, state) => {
    const id = newId(state);
    const publicNet = asThing(body['public_net']);
    const image = thingById(state, 'images', body['image']) ?? named(listOf(state, 'images'), body['image']) ?? null;
    for (const volume of asList(body['volumes']))
      Object.assign(thingById(state, 'volumes', volume) ?? {}, { server: id });
    return {
      ...base(body, state),
      id,
      status: body['start_after_create'] === false ? 'off' : 'running',
      public_net: {
        ipv4:
          publicNet['enable_ipv4'] === false
            ? null
            : { id: newId(state), ip: `203.0.113.${id % 250}`, blocked: false, dns_ptr: `static.${id}.example.org` },
        ipv6:
          publicNet['enable_ipv6'] === false
            ? null
            : { id: newId(state), ip: `2001:db8:${id}::/64`, blocked: false, dns_ptr: [] },
        floating_ips: [],
        firewalls: asList(body['firewalls']).map((one) => ({ id: asThing(one)['firewall'], status: 'applied' })),
      },
      private_net: asList(body['networks']).map((network, index) => privateNet(network, index)),
      server_type: named(catalogue.serverTypes, body['server_type']),
      location: placed(body['location']),
      image,
      iso: null,
      rescue_enabled: false,
      locked: false,
      backup_window: null,
      outgoing_traffic: 0,
      ingoing_traffic: 0,
      included_traffic: 1000,
      protection: { delete: false, rebuild: false },
      volumes: [...asList(body['volumes'])],
      load_balancers: [],
      primary_disk_size: named(catalogue.serverTypes, body['server_type'])?.['disk'],
      placement_group: thingById(state, 'placement_groups', body['placement_group']) ?? null,
    };
  },
  volumes: (body, state) => {
    const id = newId(state);
    return {
      ...base(body, state),
      id,
      server: body['server'] ?? null,
      location: placed(body['location']),
      size: body['size'],
      linux_device: `/dev/disk/by-id/scsi-0HC_Volume_${id}`,
      ...deletable,
      status: 'available',
      format: body['format'] ?? null,
    };
  },
  networks: (body, state) => ({
    ...base(body, state),
    ip_range: body['ip_range'],
    subnets: asList(body['subnets']).map((one) => ({ gateway: '10.0.0.1', ...asThing(one) })),
    routes: [...asList(body['routes'])],
    servers: [],
    load_balancers: [],
    ...deletable,
    expose_routes_to_vswitch: body['expose_routes_to_vswitch'] ?? false,
  }),
  firewalls: (body, state) => ({
    ...base(body, state),
    rules: asList(body['rules']).map(shownRule),
    applied_to: [...asList(body['apply_to'])],
  }),
  floating_ips: (body, state) => ({
    ...base(body, state),
    description: body['description'] ?? '',
    ip: body['type'] === 'ipv6' ? '2001:db8:f::/64' : '198.51.100.9',
    type: body['type'],
    server: body['server'] ?? null,
    dns_ptr: [],
    home_location: placed(body['home_location']),
    blocked: false,
    ...deletable,
  }),
  primary_ips: (body, state) => ({
    ...base(body, state),
    blocked: false,
    location: placed(body['location']),
    ip: body['type'] === 'ipv6' ? '2001:db8:e::/64' : '198.51.100.77',
    dns_ptr: [],
    ...deletable,
    type: body['type'],
    auto_delete: body['auto_delete'] ?? false,
    assignee_type: 'server',
    assignee_id: body['assignee_id'] ?? null,
  }),
  load_balancers: (body, state) => ({
    ...base(body, state),
    public_net: {
      enabled: true,
      ipv4: { ip: '203.0.113.251', dns_ptr: 'lb.example.org' },
      ipv6: { ip: '2001:db8:b::1', dns_ptr: 'lb.example.org' },
    },
    private_net: [],
    location: placed(body['location']),
    load_balancer_type: named(catalogue.loadBalancerTypes, body['load_balancer_type']),
    ...deletable,
    services: [],
    targets: [],
    algorithm: body['algorithm'] ?? { type: 'round_robin' },
    outgoing_traffic: 0,
    ingoing_traffic: 0,
    included_traffic: 1000,
  }),
  certificates: (body, state) => ({
    ...base(body, state),
    type: body['type'] ?? 'uploaded',
    certificate: body['certificate'] ?? null,
    not_valid_before: '2026-01-01T00:00:00Z',
    not_valid_after: '2027-01-01T00:00:00Z',
    domain_names: body['domain_names'] ?? ['example.org'],
    fingerprint: '03:c7:55:9b',
    status: body['type'] === 'managed' ? { issuance: 'failed', renewal: 'unavailable', error: null } : null,
    used_by: [],
  }),
  ssh_keys: (body, state) => ({
    ...base(body, state),
    fingerprint: 'b7:2f:30:a0',
    public_key: body['public_key'],
  }),
  placement_groups: (body, state) => ({ ...base(body, state), type: body['type'], servers: [] }),
  zones: (body, state) => ({
    ...base(body, state),
    mode: body['mode'],
    ttl: body['ttl'] ?? 3600,
    status: 'ok',
    record_count: 0,
    ...deletable,
    authoritative_nameservers: {
      assigned: ['hydrogen.ns.hetzner.com.'],
      delegated: ['hydrogen.ns.hetzner.com.'],
      delegation_last_check: now(),
      delegation_status: 'valid',
    },
    registrar: 'other',
    ...(body['mode'] === 'secondary' && { primary_nameservers: body['primary_nameservers'] ?? [] }),
  }),
  rrsets: (body, _state, zone) => ({
    id: `${String(body['name'])}/${String(body['type'])}`,
    zone: zone?.['id'],
    name: body['name'],
    type: body['type'],
    ttl: body['ttl'] ?? null,
    labels: body['labels'] ?? {},
    protection: { change: false },
    records: body['records'],
  }),
  storage_boxes: (body, state) => ({
    ...base(body, state),
    storage_box_type: named(catalogue.storageBoxTypes, body['storage_box_type']),
    location: placed(body['location']),
    access_settings: {
      reachable_externally: false,
      samba_enabled: false,
      ssh_enabled: false,
      webdav_enabled: false,
      zfs_enabled: false,
      ...asThing(body['access_settings']),
    },
    snapshot_plan: null,
    ...deletable,
    status: 'active',
    username: 'u1337',
    server: 'u1337.your-storagebox.de',
    system: 'FSN1-BX355',
    stats: { size: 0, size_data: 0, size_snapshots: 0 },
  }),
  snapshots: (body, state, box) => ({
    id: newId(state),
    storage_box: box?.['id'],
    name: now(),
    description: body['description'] ?? '',
    labels: body['labels'] ?? {},
    stats: { size: 0, size_filesystem: 0 },
    is_automatic: false,
    created: now(),
  }),
  subaccounts: (body, state, box) => ({
    id: newId(state),
    storage_box: box?.['id'],
    name: body['name'] ?? '',
    username: 'u1337-sub1',
    home_directory: body['home_directory'],
    server: 'u1337-sub1.your-storagebox.de',
    access_settings: {
      reachable_externally: false,
      samba_enabled: false,
      ssh_enabled: false,
      webdav_enabled: false,
      readonly: false,
      ...asThing(body['access_settings']),
    },
    description: body['description'] ?? '',
    labels: body['labels'] ?? {},
    created: now(),
  }),
};

export function privateNet(network: unknown, index: number): Thing {
  return { network, ip: `10.0.0.${index + 2}`, alias_ips: [], mac_address: `86:00:ff:00:00:0${index}` };
}

export function shownRule(rule: unknown): Thing {
  return { description: null, source_ips: [], destination_ips: [], ...asThing(rule) };
}

/** A snapshot that an action made of a server. */
export function snapshotOf(server: Thing, body: Thing, state: State): Thing {
  const image = {
    ...catalogue.systemImages[0],
    id: newId(state),
    type: body['type'] ?? 'snapshot',
    name: null,
    status: 'available',
    description: body['description'] ?? '',
    image_size: 2.5,
    disk_size: server['primary_disk_size'],
    created: now(),
    created_from: { id: server['id'], name: server['name'] },
    bound_to: body['type'] === 'backup' ? server['id'] : null,
    protection: { delete: false },
    rapid_deploy: false,
    labels: body['labels'] ?? {},
    architecture: asThing(server['server_type'])['architecture'],
  };
  listOf(state, 'images').push(image);
  return image;
}
