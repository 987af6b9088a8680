import type { Thing } from './state';

const place = (id: number, name: string, city: string, country: string, zone: string) => ({
  id,
  name,
  description: `${city} DC Park 1`,
  country,
  city,
  latitude: 50 + id / 10,
  longitude: 10 + id / 10,
  network_zone: zone,
});

export const locations: readonly Thing[] = [
  place(1, 'fsn1', 'Falkenstein', 'DE', 'eu-central'),
  place(2, 'nbg1', 'Nuremberg', 'DE', 'eu-central'),
  place(3, 'hel1', 'Helsinki', 'FI', 'eu-central'),
  place(4, 'ash', 'Ashburn', 'US', 'us-east'),
];

const money = (net: number) => ({ net: net.toFixed(4), gross: (net * 1.19).toFixed(4) });
const traffic = { included_traffic: 21_990_232_555_520, price_per_tb_traffic: money(1) };
const pricesOf = (monthly: number) =>
  locations.map(({ name }) => ({
    location: name,
    price_hourly: money(monthly / 625),
    price_monthly: money(monthly),
    ...traffic,
  }));

const serverType = (id: number, name: string, architecture: string, size: readonly number[], monthly: number) => ({
  id,
  name,
  description: name.toUpperCase(),
  cores: size[0],
  memory: size[1],
  disk: size[2],
  deprecated: false,
  deprecation: null,
  prices: pricesOf(monthly),
  storage_type: 'local',
  cpu_type: 'shared',
  category: 'Shared vCPU',
  architecture,
  locations: locations.map((one) => ({
    id: one['id'],
    name: one['name'],
    deprecation: null,
    recommended: one['name'] === 'fsn1',
    available: one['name'] !== 'ash' || architecture === 'x86',
  })),
});

export const serverTypes: readonly Thing[] = [
  serverType(22, 'cx23', 'x86', [2, 4, 40], 3),
  serverType(23, 'cx33', 'x86', [4, 8, 80], 5),
  serverType(45, 'cax11', 'arm', [2, 4, 40], 3.5),
  serverType(50, 'cx13', 'x86', [1, 2, 20], 2),
];

export const loadBalancerTypes: readonly Thing[] = ['lb11', 'lb21'].map((name, index) => ({
  id: index + 1,
  name,
  description: name.toUpperCase(),
  max_connections: 10_000,
  max_services: 5,
  max_targets: 25,
  max_assigned_certificates: 10,
  deprecated: null,
  deprecation: null,
  prices: pricesOf(5.5 + index * 10),
}));

const system = (id: number, name: string, architecture: string) => ({
  id,
  type: 'system',
  status: 'available',
  name,
  description: name,
  image_size: null,
  disk_size: 5,
  created: '2024-04-25T13:00:00Z',
  created_from: null,
  bound_to: null,
  os_flavor: name.split('-')[0],
  os_version: name.split('-')[1],
  rapid_deploy: true,
  protection: { delete: false },
  deprecated: null,
  deleted: null,
  labels: {},
  architecture,
});

export const systemImages: readonly Thing[] = [
  system(101, 'debian-12', 'x86'),
  system(102, 'debian-12', 'arm'),
  system(103, 'ubuntu-24.04', 'x86'),
];

export const isos: readonly Thing[] = [
  {
    id: 201,
    name: 'debian-12.5.0-amd64-netinst.iso',
    description: 'Debian 12.5',
    type: 'public',
    deprecation: null,
    architecture: 'x86',
  },
];

export const storageBoxTypes: readonly Thing[] = ['bx11', 'bx21'].map((name, index) => ({
  id: index + 1,
  name,
  description: name.toUpperCase(),
  snapshot_limit: 10,
  automatic_snapshot_limit: 10,
  subaccounts_limit: 100,
  size: 1_099_511_627_776 * (index === 0 ? 1 : 5),
  prices: pricesOf(3.2 + index * 8).map(({ location, price_hourly, price_monthly }) => ({
    location,
    price_hourly,
    price_monthly,
    setup_fee: money(0),
  })),
  deprecation: null,
}));

export const pricing: Thing = {
  currency: 'EUR',
  vat_rate: '19.00',
  primary_ips: ['ipv4', 'ipv6'].map((type) => ({
    type,
    prices: pricesOf(type === 'ipv4' ? 0.5 : 0).map(({ location, price_hourly, price_monthly }) => ({
      location,
      price_hourly,
      price_monthly,
    })),
  })),
  floating_ips: ['ipv4', 'ipv6'].map((type) => ({
    type,
    prices: pricesOf(type === 'ipv4' ? 3 : 1).map(({ location, price_monthly }) => ({ location, price_monthly })),
  })),
  floating_ip: { price_monthly: money(3) },
  image: { price_per_gb_month: money(0.011) },
  volume: { price_per_gb_month: money(0.044) },
  server_backup: { percentage: '20.00' },
  server_types: serverTypes.map(({ id, name, prices }) => ({ id, name, prices })),
  load_balancer_types: loadBalancerTypes.map(({ id, name, prices }) => ({ id, name, prices })),
};
