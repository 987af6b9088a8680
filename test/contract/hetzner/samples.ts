import type { Resource } from '../../../lib/hetzner/resource';
import * as compute from '../../../lib/hetzner/resources/compute';
import * as dns from '../../../lib/hetzner/resources/dns';
import * as network from '../../../lib/hetzner/resources/network';
import * as storage from '../../../lib/hetzner/resources/storage';
import type { JsonObject } from '../../../lib/json';

const groups: readonly Readonly<Record<string, Resource>>[] = [compute, network, storage, dns];

export const resources: readonly Resource[] = groups.flatMap((group) => Object.values(group));

const rule = { direction: 'in', protocol: 'tcp', port: '443', source_ips: ['0.0.0.0/0'] };
const service = {
  protocol: 'tcp',
  listen_port: 443,
  destination_port: 8443,
  proxyprotocol: false,
  health_check: { protocol: 'tcp', port: 8443, interval: 15, timeout: 10, retries: 3 },
};
const toServer = { type: 'server', server: { id: 7 } };
const network1 = { network: 4711 };
const pointer = { ip: '203.0.113.7', dns_ptr: 'bruno.kua.cl' };
const keep = { delete: true };
const change = { change: true };
const records = [{ value: '203.0.113.7', comment: 'bruno' }];
const none = undefined;

/** What each creation is sent: as much as possible, so that much is checked. */
export const creations: Readonly<Record<string, JsonObject>> = {
  server: {
    name: 'bruno',
    server_type: 'cx23',
    image: '101',
    location: 'fsn1',
    labels: { env: 'production' },
    ssh_keys: ['7'],
    networks: [4711],
    volumes: [],
    firewalls: [{ firewall: 38 }],
    user_data: '#cloud-config',
    start_after_create: true,
    public_net: { enable_ipv4: true, enable_ipv6: false },
  },
  volume: { name: 'data', size: 10, location: 'fsn1', format: 'ext4', labels: {} },
  network: { name: 'inner', ip_range: '10.0.0.0/16', labels: {} },
  firewall: { name: 'web', rules: [rule], apply_to: [toServer], labels: {} },
  floating_ip: { type: 'ipv4', home_location: 'fsn1', name: 'www', description: 'The way in', labels: {} },
  primary_ip: { type: 'ipv4', name: 'bruno-v4', location: 'fsn1', auto_delete: false, labels: {} },
  load_balancer: {
    name: 'front',
    load_balancer_type: 'lb11',
    location: 'fsn1',
    algorithm: { type: 'least_connections' },
    labels: {},
  },
  certificate: { name: 'kua', type: 'managed', domain_names: ['kua.cl'], labels: {} },
  ssh_key: { name: 'daniel', public_key: 'ssh-ed25519 AAAAC3Nza daniel', labels: {} },
  placement_group: { name: 'apart', type: 'spread', labels: {} },
  zone: { name: 'kua.cl', mode: 'primary', ttl: 3600, labels: {} },
  rrset: { name: 'www', type: 'A', ttl: 300, records, labels: {} },
  storage_box: {
    name: 'vault',
    location: 'fsn1',
    storage_box_type: 'bx11',
    password: 'Correct-horse-7',
    labels: {},
    access_settings: { ssh_enabled: true },
  },
  snapshot: { description: 'before the upgrade', labels: {} },
  subaccount: {
    home_directory: 'backups/bruno',
    password: 'Correct-horse-7',
    name: 'bruno',
    description: 'bruno',
    labels: {},
    access_settings: { readonly: true },
  },
};

/** What each PUT is sent. */
export const updates: Readonly<Record<string, JsonObject>> = {
  ...Object.fromEntries(
    Object.keys(creations).map((one) => [one, { name: 'renamed', labels: { env: 'test' } }] as const),
  ),
  image: { description: 'renamed', type: 'snapshot', labels: { env: 'test' } },
  floating_ip: { name: 'renamed', description: 'The way out', labels: {} },
  primary_ip: { name: 'renamed', auto_delete: true, labels: {} },
  network: { name: 'renamed', expose_routes_to_vswitch: false, labels: {} },
  zone: { labels: { env: 'test' } },
  rrset: { labels: { env: 'test' } },
  snapshot: { description: 'renamed', labels: {} },
  subaccount: { name: 'renamed', description: 'renamed', labels: {} },
};

/** What each command is sent; `none` is a POST without a body. */
export const commands: Readonly<Record<string, Readonly<Record<string, JsonObject | undefined>>>> = {
  server: {
    poweron: none,
    poweroff: none,
    reset: none,
    reboot: none,
    shutdown: none,
    rebuild: { image: '101' },
    change_type: { server_type: 'cx33', upgrade_disk: true },
    create_image: { description: 'before the upgrade', type: 'snapshot', labels: { keep: 'yes' } },
    enable_backup: none,
    disable_backup: none,
    enable_rescue: { type: 'linux64', ssh_keys: [7] },
    disable_rescue: none,
    attach_iso: { iso: 'debian-12.5.0-amd64-netinst.iso' },
    detach_iso: none,
    attach_to_network: { ...network1, ip: '10.0.0.7', alias_ips: ['10.0.0.8'] },
    change_alias_ips: { ...network1, alias_ips: ['10.0.0.9'] },
    detach_from_network: network1,
    add_to_placement_group: { placement_group: 15 },
    remove_from_placement_group: none,
    change_dns_ptr: pointer,
    change_protection: { delete: true, rebuild: true },
    reset_password: none,
    request_console: none,
  },
  image: { change_protection: keep },
  volume: { attach: { server: 7, automount: false }, detach: none, resize: { size: 20 }, change_protection: keep },
  network: {
    add_subnet: { type: 'cloud', ip_range: '10.0.1.0/24', network_zone: 'eu-central' },
    delete_subnet: { ip_range: '10.0.1.0/24' },
    add_route: { destination: '10.100.1.0/24', gateway: '10.0.1.1' },
    delete_route: { destination: '10.100.1.0/24', gateway: '10.0.1.1' },
    change_ip_range: { ip_range: '10.0.0.0/12' },
    change_protection: keep,
  },
  firewall: {
    set_rules: { rules: [rule] },
    apply_to_resources: { apply_to: [toServer, { type: 'label_selector', label_selector: { selector: 'env=test' } }] },
    remove_from_resources: { remove_from: [toServer] },
  },
  floating_ip: { assign: { server: 7 }, unassign: none, change_dns_ptr: pointer, change_protection: keep },
  primary_ip: {
    assign: { assignee_type: 'server', assignee_id: 7 },
    unassign: none,
    change_dns_ptr: pointer,
    change_protection: keep,
  },
  load_balancer: {
    add_service: service,
    update_service: { listen_port: 443, destination_port: 9443 },
    delete_service: { listen_port: 443 },
    add_target: { ...toServer, use_private_ip: false },
    remove_target: toServer,
    change_algorithm: { type: 'round_robin' },
    change_type: { load_balancer_type: 'lb21' },
    attach_to_network: network1,
    detach_from_network: network1,
    enable_public_interface: none,
    disable_public_interface: none,
    change_dns_ptr: pointer,
    change_protection: keep,
  },
  certificate: { retry: none },
  zone: {
    change_primary_nameservers: { primary_nameservers: [{ address: '198.51.100.1', port: 53 }] },
    change_protection: keep,
    change_ttl: { ttl: 600 },
    import_zonefile: { zonefile: '$ORIGIN kua.cl.\n@ 3600 IN A 203.0.113.7\n' },
  },
  rrset: {
    change_protection: change,
    change_ttl: { ttl: 600 },
    set_records: { records },
    add_records: { ttl: 300, records: [{ value: '203.0.113.9', comment: 'beside it' }] },
    update_records: { records },
    remove_records: { records },
  },
  storage_box: {
    change_protection: keep,
    change_type: { storage_box_type: 'bx21' },
    reset_password: { password: 'Correct-horse-8' },
    update_access_settings: { samba_enabled: false, ssh_enabled: true },
    rollback_snapshot: { snapshot: 'before the upgrade' },
    enable_snapshot_plan: { max_snapshots: 7, hour: 3, minute: 30, day_of_week: 1 },
    disable_snapshot_plan: none,
  },
  subaccount: {
    change_home_directory: { home_directory: 'backups/other' },
    reset_subaccount_password: { password: 'Correct-horse-8' },
    update_access_settings: { readonly: true, ssh_enabled: true },
  },
};
