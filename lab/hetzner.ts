import type { JsonObject } from '../lib/json';
import { type HetznerStandIn, startHetznerStandIn } from './standins/hetzner';

export interface LabHetzner {
  readonly standIn: HetznerStandIn;
  /** The fields of the credential that opens it. */
  readonly credential: JsonObject;
  stop(): Promise<void>;
}

/** A small estate at a Hetzner that costs nothing: to look at, to break, and new with every start. */
export async function startLabHetzner(): Promise<LabHetzner> {
  const token = 'lab-token';
  const standIn = await startHetznerStandIn({ token, readOnlyToken: 'lab-token-read-only' });
  const { add } = standIn;
  const production = { labels: { env: 'production' } };
  const test = { labels: { env: 'test' } };
  const isProtected = { protection: { delete: true } };
  const network = add('networks', { name: 'inner', ip_range: '10.0.0.0/16', ...production });
  const firewall = add('firewalls', {
    name: 'web',
    rules: [{ direction: 'in', protocol: 'tcp', port: '443', source_ips: ['0.0.0.0/0', '::/0'] }],
    apply_to: [{ type: 'label_selector', label_selector: { selector: 'env=production' } }],
  });
  const bruno = add(
    'servers',
    {
      ...{ name: 'bruno', server_type: 'cx33', image: '103', location: 'fsn1', ...production },
      ...{ networks: [network['id']], firewalls: [{ firewall: firewall['id'] }] },
    },
    { backup_window: '22-02', protection: { delete: true, rebuild: true } },
  );
  add('servers', { name: 'development-vps', server_type: 'cx23', image: '103', location: 'nbg1', ...test });
  add('volumes', { name: 'photos', size: 100, location: 'fsn1', server: bruno['id'], ...production }, isProtected);
  add('volumes', { name: 'forgotten', size: 40, location: 'fsn1' });
  add('floating_ips', { name: 'way-in', type: 'ipv4', home_location: 'fsn1' });
  add('ssh_keys', { name: 'lab', public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDe0 lab' });
  const used = { stats: { size: 4_000_000_000_000, size_data: 3_900_000_000_000, size_snapshots: 100_000_000_000 } };
  add('storage_boxes', { name: 'vault', storage_box_type: 'bx21', location: 'fsn1', ...production }, used);
  const zone = add('zones', { name: 'kua.cl', mode: 'primary', ttl: 3600 }, isProtected);
  for (const name of ['@', 'git', 'secrets']) {
    add('rrsets', { name, type: 'A', ttl: 300, records: [{ value: '188.34.198.57' }] }, {}, zone);
  }
  return {
    standIn,
    credential: { apiToken: token, readOnly: false, cloudUrl: standIn.cloud.url, storageUrl: standIn.storage.url },
    stop: () => standIn.close(),
  };
}
