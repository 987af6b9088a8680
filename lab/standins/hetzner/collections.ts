/** A list of the API: where it is, and what it lies in. */
export interface Collection {
  readonly side: 'cloud' | 'storage';
  readonly list: string;
  readonly one: string;
  readonly path: string;
  /** The list of the thing that it lies in, by the parameter of its path. */
  readonly within?: { readonly list: string; readonly parameter: string; readonly field: string };
  readonly paged: boolean;
  /** Which verbs there are beside reading. */
  readonly writable: boolean;
  /** Hetzner answers its creation or deletion with an action of this name. */
  readonly created?: string;
  readonly deleted?: string;
  /** Creating it answers with nothing but its ids. */
  readonly terse?: boolean;
  /** Names are unique. */
  readonly unique: boolean;
}

const cloud = (list: string, more: Partial<Collection> = {}): Collection => ({
  side: 'cloud',
  list,
  one: list.slice(0, -1),
  path: `/${list}`,
  paged: true,
  writable: true,
  unique: true,
  ...more,
});

const box = (list: string, one: string, more: Partial<Collection>): Collection =>
  cloud(list, {
    side: 'storage',
    one,
    path: `/storage_boxes/{box}/${list}`,
    within: { list: 'storage_boxes', parameter: 'box', field: 'storage_box' },
    paged: false,
    terse: true,
    ...more,
  });

export const collections: readonly Collection[] = [
  cloud('servers', { created: 'create_server', deleted: 'delete_server' }),
  cloud('volumes', { created: 'create_volume' }),
  cloud('networks'),
  cloud('firewalls'),
  cloud('floating_ips'),
  cloud('primary_ips'),
  cloud('load_balancers', { created: 'create_load_balancer' }),
  cloud('certificates'),
  cloud('ssh_keys'),
  cloud('placement_groups'),
  cloud('images', { unique: false }),
  cloud('isos', { writable: false }),
  cloud('server_types', { writable: false }),
  cloud('load_balancer_types', { writable: false }),
  cloud('locations', { writable: false }),
  cloud('zones', { created: 'create_zone', deleted: 'delete_zone' }),
  cloud('rrsets', {
    path: '/zones/{zone}/rrsets',
    within: { list: 'zones', parameter: 'zone', field: 'zone' },
    created: 'create_rrset',
    deleted: 'delete_rrset',
  }),
  cloud('storage_boxes', { side: 'storage', one: 'storage_box', created: 'create', deleted: 'delete' }),
  cloud('storage_box_types', { side: 'storage', writable: false }),
  box('snapshots', 'snapshot', { created: 'create_snapshot', deleted: 'delete_snapshot' }),
  box('subaccounts', 'subaccount', { created: 'create_subaccount', deleted: 'delete_subaccount', unique: false }),
];
