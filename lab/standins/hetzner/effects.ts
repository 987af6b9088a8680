import * as catalogue from './catalogue';
import { type Rule, rules } from './record-sets';
import { listOf, type State, type Thing, thingById } from './state';
import { privateNet, shownRule, snapshotOf } from './things';

export interface Effect {
  /** The name in Hetzner's list of actions. */
  readonly command: string;
  /** What it does when it has ended well. */
  readonly apply?: (thing: Thing, body: Thing, state: State) => void;
  /** What the answer holds beside the action. */
  readonly extra?: (thing: Thing, body: Thing, state: State) => Thing;
  /** The answer has a list of actions. */
  readonly many?: boolean;
  /** Why it is refused. */
  readonly rule?: Rule;
}

const set =
  (values: (body: Thing) => Thing) =>
  (thing: Thing, body: Thing): void =>
    void Object.assign(thing, values(body));
const effect = (command: string, apply?: Effect['apply'], more: Partial<Effect> = {}): Effect => ({
  command,
  ...(apply !== undefined && { apply }),
  ...more,
});

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
const inside = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Thing)[name] : undefined;
/** A target as it stands in an answer: with where it is, and how it does. */
const shownTarget = (body: Thing): Thing => ({
  use_private_ip: false,
  health_status: [],
  ...body,
  ...(body['server'] !== undefined && { server: { ip: '203.0.113.7', ...(body['server'] as Thing) } }),
});
const covers = (one: unknown, wanted: unknown) =>
  Object.entries(wanted as Thing).every(([name, value]) => inside(one, name) === value);
const protect = effect('change_protection', (thing, body) => {
  thing['protection'] = { ...(thing['protection'] as Thing), ...body };
});
const status = (command: string, value: string) =>
  effect(
    command,
    set(() => ({ status: value })),
  );
const typeNamed = (list: readonly Thing[], name: unknown) => list.find((one) => one['name'] === name);
const password = { extra: () => ({ root_password: 'YItygq1v3GYjjMomLaKc' }) };

const pointers = effect('change_dns_ptr', (thing, { ip, dns_ptr: name }) => {
  const others = asList(thing['dns_ptr']).filter((one) => inside(one, 'ip') !== ip);
  thing['dns_ptr'] = name === null || name === undefined ? others : [...others, { ip, dns_ptr: name }];
});

const server: Readonly<Record<string, Effect>> = {
  poweron: status('start_server', 'running'),
  poweroff: status('stop_server', 'off'),
  reset: status('reset_server', 'running'),
  reboot: status('reboot_server', 'running'),
  // Asking is not stopping: a test says with a plan whether the system listens.
  shutdown: effect('shutdown_server', (thing) => {
    if (inside(thing['labels'], 'deaf') === undefined) thing['status'] = 'off';
  }),
  rebuild: effect(
    'rebuild_server',
    (thing, body, state) => {
      thing['image'] = thingById(state, 'images', body['image']) ?? thing['image'];
    },
    password,
  ),
  change_type: effect('change_server_type', (thing, body) => {
    const type = typeNamed(catalogue.serverTypes, body['server_type']);
    thing['server_type'] = type;
    if (body['upgrade_disk'] === true) thing['primary_disk_size'] = type?.['disk'];
  }),
  create_image: effect('create_image', undefined, {
    extra: (thing, body, state) => ({ image: snapshotOf(thing, body, state) }),
  }),
  enable_backup: effect(
    'enable_backup',
    set(() => ({ backup_window: '22-02' })),
  ),
  disable_backup: effect(
    'disable_backup',
    set(() => ({ backup_window: null })),
  ),
  enable_rescue: effect(
    'enable_rescue',
    set(() => ({ rescue_enabled: true })),
    password,
  ),
  disable_rescue: effect(
    'disable_rescue',
    set(() => ({ rescue_enabled: false })),
  ),
  attach_iso: effect(
    'attach_iso',
    set(() => ({ iso: catalogue.isos[0] })),
  ),
  detach_iso: effect(
    'detach_iso',
    set(() => ({ iso: null })),
  ),
  attach_to_network: effect('attach_to_network', (thing, body) => {
    thing['private_net'] = [...asList(thing['private_net']), privateNet(body['network'], 5)];
  }),
  detach_from_network: effect('detach_from_network', (thing, body) => {
    thing['private_net'] = asList(thing['private_net']).filter((one) => inside(one, 'network') !== body['network']);
  }),
  change_alias_ips: effect('change_alias_ips', (thing, body) => {
    for (const one of asList(thing['private_net'])) {
      if (inside(one, 'network') === body['network']) Object.assign(one as Thing, { alias_ips: body['alias_ips'] });
    }
  }),
  add_to_placement_group: effect('add_to_placement_group', (thing, body, state) => {
    thing['placement_group'] = thingById(state, 'placement_groups', body['placement_group']);
  }),
  remove_from_placement_group: effect(
    'remove_from_placement_group',
    set(() => ({ placement_group: null })),
  ),
  change_dns_ptr: effect('change_dns_ptr', (thing, { ip, dns_ptr: name }) => {
    const net = thing['public_net'] as Record<string, Thing | null>;
    if (net['ipv4']?.['ip'] === ip) Object.assign(net['ipv4'] ?? {}, { dns_ptr: name ?? 'static.example.org' });
    else Object.assign(net['ipv6'] ?? {}, { dns_ptr: name === null ? [] : [{ ip, dns_ptr: name }] });
  }),
  change_protection: protect,
  reset_password: effect('reset_password', undefined, password),
  request_console: effect('request_console', undefined, {
    extra: () => ({
      wss_url: 'wss://console.example.org/?token=c0ns0le',
      password: '9MQaTg2VAGI0FIpc10k3UpRXcHj2wQ6x',
    }),
  }),
};

const volume: Readonly<Record<string, Effect>> = {
  attach: effect(
    'attach_volume',
    set(({ server: id }) => ({ server: id })),
  ),
  detach: effect(
    'detach_volume',
    set(() => ({ server: null })),
  ),
  resize: effect(
    'resize_volume',
    set(({ size }) => ({ size })),
  ),
  change_protection: protect,
};

const network: Readonly<Record<string, Effect>> = {
  add_subnet: effect('add_subnet', (thing, body) => {
    thing['subnets'] = [...asList(thing['subnets']), { ip_range: '10.0.1.0/24', gateway: '10.0.0.1', ...body }];
  }),
  delete_subnet: effect('delete_subnet', (thing, body) => {
    thing['subnets'] = asList(thing['subnets']).filter((one) => inside(one, 'ip_range') !== body['ip_range']);
  }),
  add_route: effect('add_route', (thing, body) => {
    thing['routes'] = [...asList(thing['routes']), body];
  }),
  delete_route: effect('delete_route', (thing, body) => {
    thing['routes'] = asList(thing['routes']).filter((one) => !same(one, body));
  }),
  change_ip_range: effect(
    'change_ip_range',
    set(({ ip_range: range }) => ({ ip_range: range })),
  ),
  change_protection: protect,
};

const firewall: Readonly<Record<string, Effect>> = {
  set_rules: effect(
    'set_firewall_rules',
    set(({ rules }) => ({ rules: asList(rules).map(shownRule) })),
    { many: true },
  ),
  apply_to_resources: effect(
    'apply_firewall',
    (thing, body) => {
      thing['applied_to'] = [...asList(thing['applied_to']), ...asList(body['apply_to'])];
    },
    { many: true },
  ),
  remove_from_resources: effect(
    'remove_firewall',
    (thing, body) => {
      const gone = asList(body['remove_from']);
      thing['applied_to'] = asList(thing['applied_to']).filter((one) => !gone.some((other) => same(one, other)));
    },
    { many: true },
  ),
};

const loadBalancer: Readonly<Record<string, Effect>> = {
  add_service: effect('add_service', (thing, body) => {
    thing['services'] = [...asList(thing['services']), body];
  }),
  update_service: effect('update_service', (thing, body) => {
    for (const one of asList(thing['services'])) {
      if (inside(one, 'listen_port') === body['listen_port']) Object.assign(one as Thing, body);
    }
  }),
  delete_service: effect('delete_service', (thing, body) => {
    thing['services'] = asList(thing['services']).filter((one) => inside(one, 'listen_port') !== body['listen_port']);
  }),
  add_target: effect('add_target', (thing, body) => {
    thing['targets'] = [...asList(thing['targets']), shownTarget(body)];
  }),
  remove_target: effect('remove_target', (thing, body) => {
    const key = String(body['type']);
    thing['targets'] = asList(thing['targets']).filter((one) => !covers(inside(one, key), body[key]));
  }),
  change_algorithm: effect(
    'change_algorithm',
    set(({ type }) => ({ algorithm: { type } })),
  ),
  change_type: effect(
    'change_load_balancer_type',
    set(({ load_balancer_type: name }) => ({ load_balancer_type: typeNamed(catalogue.loadBalancerTypes, name) })),
  ),
  attach_to_network: effect('attach_to_network', (thing, body) => {
    thing['private_net'] = [...asList(thing['private_net']), { network: body['network'], ip: '10.0.0.9' }];
  }),
  detach_from_network: effect('detach_from_network', (thing, body) => {
    thing['private_net'] = asList(thing['private_net']).filter((one) => inside(one, 'network') !== body['network']);
  }),
  enable_public_interface: effect('enable_public_interface', (thing) => {
    thing['public_net'] = { ...(thing['public_net'] as Thing), enabled: true };
  }),
  disable_public_interface: effect('disable_public_interface', (thing) => {
    thing['public_net'] = { ...(thing['public_net'] as Thing), enabled: false };
  }),
  change_dns_ptr: effect('change_dns_ptr', (thing, { ip, dns_ptr: name }) => {
    for (const one of Object.values(thing['public_net'] as Thing)) {
      if (inside(one, 'ip') === ip) Object.assign(one as Thing, { dns_ptr: name ?? null });
    }
  }),
  change_protection: protect,
};

const zone: Readonly<Record<string, Effect>> = {
  change_primary_nameservers: effect(
    'change_primary_nameservers',
    set(({ primary_nameservers: servers }) => ({ primary_nameservers: servers })),
  ),
  change_protection: protect,
  change_ttl: effect(
    'change_ttl',
    set(({ ttl }) => ({ ttl })),
  ),
  import_zonefile: effect('import_zonefile', (thing, body) => {
    thing['record_count'] = String(body['zonefile']).split('\n').length;
  }),
};

const byValue = (records: unknown, given: unknown) => {
  const values = new Set(asList(given).map((one) => inside(one, 'value')));
  return asList(records).filter((one) => !values.has(inside(one, 'value')));
};

const recordSet: Readonly<Record<string, Effect>> = {
  change_protection: { ...protect, command: 'change_rrset_protection' },
  change_ttl: effect(
    'change_rrset_ttl',
    set(({ ttl }) => ({ ttl })),
    { rule: rules['change_ttl'] },
  ),
  set_records: effect(
    'set_rrset_records',
    set(({ records }) => ({ records })),
    { rule: rules['set_records'] },
  ),
  add_records: effect(
    'add_rrset_records',
    (thing, body) => {
      thing['records'] = [...byValue(thing['records'], body['records']), ...asList(body['records'])];
    },
    { rule: rules['add_records'] },
  ),
  remove_records: effect(
    'remove_rrset_records',
    (thing, body, state) => {
      const left = byValue(thing['records'], body['records']);
      thing['records'] = left;
      // An empty set is none.
      if (left.length === 0) forget(state, 'rrsets', thing);
    },
    { rule: rules['remove_records'] },
  ),
  update_records: effect(
    'update_rrset_records',
    (thing, body) => {
      thing['records'] = [...byValue(thing['records'], body['records']), ...asList(body['records'])];
    },
    { rule: rules['update_records'] },
  ),
};

const access = (command: string) =>
  effect(command, (thing, body) => {
    thing['access_settings'] = { ...(thing['access_settings'] as Thing), ...body };
  });

const storageBox: Readonly<Record<string, Effect>> = {
  change_protection: protect,
  change_type: effect(
    'change_type',
    set(({ storage_box_type: name }) => ({ storage_box_type: typeNamed(catalogue.storageBoxTypes, name) })),
  ),
  reset_password: effect('reset_password'),
  update_access_settings: access('update_access_settings'),
  rollback_snapshot: effect('rollback_snapshot'),
  enable_snapshot_plan: effect(
    'enable_snapshot_plan',
    set((plan) => ({ snapshot_plan: { day_of_week: null, day_of_month: null, ...plan } })),
  ),
  disable_snapshot_plan: effect(
    'disable_snapshot_plan',
    set(() => ({ snapshot_plan: null })),
  ),
};

const floatingIp: Readonly<Record<string, Effect>> = {
  assign: effect(
    'assign_floating_ip',
    set(({ server: id }) => ({ server: id })),
  ),
  unassign: effect(
    'unassign_floating_ip',
    set(() => ({ server: null })),
  ),
  change_dns_ptr: pointers,
  change_protection: protect,
};

const primaryIp: Readonly<Record<string, Effect>> = {
  assign: effect(
    'assign_primary_ip',
    set(({ assignee_id: id }) => ({ assignee_id: id })),
  ),
  unassign: effect(
    'unassign_primary_ip',
    set(() => ({ assignee_id: null })),
  ),
  change_dns_ptr: pointers,
  change_protection: protect,
};

/** What the actions of each list do. */
export const effects: Readonly<Record<string, Readonly<Record<string, Effect>>>> = {
  servers: server,
  volumes: volume,
  networks: network,
  firewalls: firewall,
  floating_ips: floatingIp,
  primary_ips: primaryIp,
  images: { change_protection: protect },
  load_balancers: loadBalancer,
  certificates: {
    retry: effect(
      'issue_certificate',
      set(() => ({ status: { issuance: 'completed', renewal: 'scheduled', error: null } })),
    ),
  },
  zones: zone,
  rrsets: recordSet,
  storage_boxes: storageBox,
  subaccounts: {
    change_home_directory: effect(
      'change_home_directory',
      set(({ home_directory: home }) => ({ home_directory: home })),
    ),
    reset_subaccount_password: effect('reset_subaccount_password'),
    update_access_settings: access('update_access_settings'),
  },
};

/** What happens beside the thing itself when it is deleted. */
export function forget(state: State, list: string, thing: Thing): void {
  const things = listOf(state, list);
  things.splice(things.indexOf(thing), 1);
}
