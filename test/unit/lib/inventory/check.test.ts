import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isFailure } from '../../../../lib/failure';
import type { PinnedHost } from '../../../../lib/host/host';
import { checkInventory } from '../../../../lib/inventory/check';

interface Shipped {
  readonly nodes: readonly { readonly name: string; readonly parameters: { readonly jsonOutput?: string } }[];
}

/** What the shipped flow starts from. */
function estate(): Record<string, unknown> {
  const file = join(__dirname, '../../../../workflows/inventory.json');
  const { nodes } = JSON.parse(readFileSync(file, 'utf8')) as Shipped;
  const text = nodes.find(({ name }) => name === 'Estate')?.parameters.jsonOutput ?? '';
  return JSON.parse(text) as Record<string, unknown>;
}

const pinned: readonly PinnedHost[] = [
  ['bruno', '188.34.198.57'],
  ['development-vps', '46.224.125.1'],
  ['eva', '144.217.76.53'],
].map(([name = '', address = '']) => ({ name, aliases: [], address, port: 22, pins: [] }));

function mistakes(inventory: unknown, hosts = pinned): readonly string[] {
  try {
    checkInventory(inventory, hosts);
    return [];
  } catch (error) {
    if (!isFailure(error, 'inventory_wrong')) throw error;
    return error.details['mistakes'] as readonly string[];
  }
}

test('the shipped inventory is one, and comes back with everything filled in', () => {
  const found = checkInventory(estate(), pinned);
  expect(found.hosts).toHaveLength(3);
  expect(found.hosts[2]).toEqual({
    name: 'eva',
    address: '144.217.76.53',
    port: 22,
    provider: 'ovh',
    role: 'media, backups',
    server: '',
    docker: '',
    addressFrom: [],
    powerOff: false,
    recovery: null,
  });
  expect(found.services.find(({ name }) => name === 'immich')).toMatchObject({
    standby: '',
    branch: 'main',
    paths: [],
    files: [],
    checks: [],
    secrets: 'kua/prod/immich',
    watchSeconds: 10,
    images: {},
    updates: {},
  });
  expect(found.terraform).toMatchObject([{ program: 'terraform' }]);
  expect(found.ansible).toMatchObject([{ program: 'ansible-playbook', hosts: '' }]);
  expect(found.warnings).toEqual([]);
});

test('what comes back filled in is an inventory again, with everything in it and with as little as can be', () => {
  const least = {
    ...{ estate: 'lab', timezone: 'UTC', recipients: { critical: [{ by: 'telegram', chat: '1' }] } },
    hosts: [{ name: 'bruno', address: '188.34.198.57', provider: 'hetzner' }],
  };
  for (const given of [estate(), { ...estate(), backups: { treePassword: 'credential:TREES' } }, least]) {
    const { warnings: _, ...found } = checkInventory(given, pinned);
    expect(checkInventory(found, pinned)).toMatchObject(found);
  }
});

test('a host that the credential does not pin, or pins elsewhere, is named with its address', () => {
  const [, ...others] = pinned;
  expect(mistakes(estate(), others)).toEqual(['host bruno (188.34.198.57) is not pinned in the credential']);
  const moved = pinned.map((host) => (host.name === 'eva' ? { ...host, address: '203.0.113.1' } : host));
  expect(mistakes(estate(), moved)).toEqual([
    'host eva is 144.217.76.53 here, and 203.0.113.1 where the credential pins it',
  ]);
});

test('every mistake is told at once, with its place', () => {
  const { hosts: _, ...rest } = estate();
  expect(
    mistakes({
      ...rest,
      timezone: 7,
      hosts: [{ name: 'bruno', address: 'not an address', provider: 'aws', adress: 'x' }],
      recipients: { critical: [{ by: 'pigeon' }], loud: [] },
    }),
  ).toEqual([
    'timezone must be a text',
    'hosts[0].adress is unknown',
    'hosts[0].address: "not an address" is no address',
    'hosts[0].provider must be one of hetzner, ovh, microsoft, google, home, other',
    'recipients.loud is unknown',
    'recipients.critical[0].by must be one of telegram, slack, email',
  ]);
  expect(mistakes([])).toContain('The inventory must be an object');
});

const host = { name: 'bruno', address: '188.34.198.57', provider: 'hetzner' };
const eva = { name: 'eva', address: '144.217.76.53', provider: 'ovh' };
const small = {
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [host],
  recipients: { critical: [{ by: 'telegram', chat: '1' }] },
};

test.each([
  [
    'a service on no host',
    { services: [{ name: 'docs', host: 'brno' }] },
    'service docs, host: "brno" is none of the hosts',
  ],
  [
    'a standby that is the host',
    { services: [{ name: 'docs', host: 'bruno', standby: 'bruno' }] },
    'service docs: its standby is the host it runs on',
  ],
  [
    'a standby for a service that cannot be started',
    { hosts: [host, eva], services: [{ name: 'docs', host: 'bruno', standby: 'eva' }] },
    'service docs has a standby and no project, so nothing can be started there',
  ],
  [
    'data that are in no backup',
    { services: [{ name: 'docs', host: 'bruno', data: [{ name: 'wiki' }] }] },
    'service docs, data wiki: it is none of the databases and folders',
  ],
  [
    'data of another host',
    {
      hosts: [host, eva],
      folders: [{ name: 'wiki', host: 'eva', path: '/srv/wiki' }],
      services: [{ name: 'docs', host: 'bruno', data: [{ name: 'wiki' }] }],
    },
    'service docs, data wiki: it lies on eva, and the service runs on bruno',
  ],
  [
    'a database that nothing starts',
    {
      databases: [{ name: 'db', kind: 'postgres', host: 'bruno', container: 'postgres', database: 'docs' }],
      services: [{ name: 'docs', host: 'bruno', data: [{ name: 'db' }] }],
    },
    'service docs, data db: needs its container, and "start": the Compose service it is in',
  ],
  [
    'a database without a name',
    {
      databases: [{ name: 'db', kind: 'postgres', host: 'bruno', container: 'postgres' }],
      services: [{ name: 'docs', host: 'bruno', data: [{ name: 'db', start: 'postgres' }] }],
    },
    'service docs, data db: only one database with a name is restored, not all of them',
  ],
  [
    'a cache among the data',
    {
      databases: [{ name: 'cache', kind: 'redis', host: 'bruno', container: 'redis' }],
      services: [{ name: 'docs', host: 'bruno', data: [{ name: 'cache' }] }],
    },
    'service docs, data cache: a redis is restored by hand; leave it out',
  ],
  [
    'a name that stands in no domain',
    { services: [{ name: 'docs', host: 'bruno', names: ['docs.kua.cl'] }] },
    'service docs, names: "docs.kua.cl" is in none of the domains',
  ],
  [
    'an n8n with a sentence for a name',
    { n8n: { name: 'the n8n' } },
    'n8n.name: "the n8n" has to be short and without spaces, like n8n-bruno',
  ],
  [
    'power that nobody could cut',
    { hosts: [{ ...host, powerOff: true }] },
    'host bruno: powerOff needs "server", its name at the provider',
  ],
  [
    'a replica beside its primary',
    { databases: [{ name: 'db', kind: 'postgres', host: 'bruno', replica: 'bruno' }] },
    'database db: its replica is the host it runs on',
  ],
  [
    'a SQLite file without its path',
    { databases: [{ name: 'db', kind: 'sqlite', host: 'bruno', database: 'gitea.db' }] },
    'database db: a SQLite file needs its whole path',
  ],
  [
    'a relative folder',
    { folders: [{ name: 'git', host: 'bruno', path: 'data/git' }] },
    'folder git: its path must be a whole one',
  ],
  [
    'a destination that is no remote',
    { destinations: [{ name: 'box', remote: '/mnt/box', provider: 'hetzner' }] },
    'destination box: "/mnt/box" is no remote, as in storagebox:backups',
  ],
  [
    'a name outside of its zone',
    { domains: [{ zone: 'kua.cl', at: 'cloudflare', owner: 'n8n', names: [{ name: 'git.kua.com', host: 'bruno' }] }] },
    'domain git.kua.com is not in the zone kua.cl',
  ],
  [
    'one source for an address that changes',
    { hosts: [{ ...host, addressFrom: ['https://ip.example.org', 'https://ip.example.org/v4'] }] },
    'host bruno, addressFrom: one source is not enough, name two that do not know of each other',
  ],
  [
    'a source that is no page',
    { hosts: [{ ...host, addressFrom: ['https://ip.example.org', 'ip.example.net'] }] },
    'host bruno, addressFrom: one is no address of a web page',
  ],
  [
    'code that no change can be proposed in',
    {
      domains: [
        {
          ...{ zone: 'kua.cl', at: 'cloudflare', owner: 'terraform', names: [] },
          terraform: { repository: 'kua/infra', file: 'dns.tf' },
        },
      ],
    },
    'zone kua.cl, terraform: "dns.tf" is no JSON, which is what a change can be proposed in',
  ],
  [
    'a recovery step that is no service',
    { recoveryOrder: [['traefik']] },
    'recoveryOrder: "traefik" is none of the services',
  ],
  [
    'something automatic that does not exist',
    { automatic: { deploy: ['dcos'] } },
    'automatic.deploy: "dcos" is no host, service, database, folder, destination, zone, rotation or owner of packages',
  ],
  [
    'a service whose repository is nowhere',
    { services: [{ name: 'docs', host: 'bruno', project: '/srv/docs', repository: 'kua/estate' }] },
    'service docs has a repository, and git.url does not say where',
  ],
  [
    'a folder that leaves the repository',
    { services: [{ name: 'docs', host: 'bruno', folder: '../docs' }] },
    'service docs, folder: "../docs" is no path inside of the repository',
  ],
  [
    'secrets that are nowhere',
    { services: [{ name: 'docs', host: 'bruno', secrets: 'homelab' }] },
    'service docs, secrets: "homelab" is no folder of Infisical, as in homelab/prod/immich',
  ],
  [
    'a rotation of nobody',
    { rotations: [{ name: 'db', secrets: 'homelab/prod', key: 'P', host: 'bruno', at: 'postgres' }] },
    'rotation db: whose password is it? role is missing',
  ],
  [
    'a rotation for a service that is not there',
    { rotations: [{ name: 'db', secrets: 'a/b', key: 'P', host: 'bruno', at: 'redis', services: ['immich'] }] },
    'rotation db: "immich" is none of the services',
  ],
  [
    'a playbook without a whole path',
    { ansible: [{ name: 'site', host: 'bruno', directory: 'ansible', playbook: 'site.yml' }] },
    'site, directory: it must be a whole path',
  ],
  [
    'images that are no names',
    { services: [{ name: 'docs', host: 'bruno', images: ['x'] }] },
    'services[0].images must be an object',
  ],
  ['an unknown kind of automatic', { automatic: { deploys: [] } }, 'automatic.deploys is unknown'],
  ['two hosts with one name', { hosts: [host, host] }, 'two hosts are called "bruno"'],
  ['a time zone that is none', { timezone: 'Europe/Bärlin' }, 'timezone: "Europe/Bärlin" is none, as in Europe/Berlin'],
  ['nobody for the worst', { recipients: {} }, 'recipients.critical: nobody hears of the worst'],
  [
    'e-mails from nowhere',
    { recipients: { critical: [{ by: 'email', address: 'a@b.test' }] } },
    'sender: e-mails have to come from somewhere',
  ],
])('%s is refused', (_, change, mistake) => {
  expect(mistakes({ ...small, ...change })).toEqual([mistake]);
});

describe('the two n8n of an estate', () => {
  const eva = { name: 'eva', address: '144.217.76.53', provider: 'ovh' };
  const service = { name: 'n8n', host: 'bruno', standby: 'eva', project: '/srv/n8n' };
  const first = { name: 'n8n', host: 'bruno', url: 'https://n8n.example', service: 'n8n' };
  const sentinel = { name: 'sentinel', host: 'eva', url: 'https://sentinel.example' };
  const pair = (...instances: readonly object[]) => ({ ...small, hosts: [host, eva], services: [service], instances });

  test('come back with what may be left out', () => {
    const { instances } = checkInventory(pair(first, sentinel), pinned);
    const usual = { health: '', lostMinutes: 3, backMinutes: 10 };
    expect(instances).toEqual([
      { ...first, ...usual },
      { ...sentinel, service: '', ...usual },
    ]);
  });

  test.each([
    ['of one name', [first, { ...sentinel, name: 'n8n' }], 'both n8n are called "n8n"'],
    ['on one host', [first, { ...sentinel, host: 'bruno' }], 'both n8n are on bruno: neither would see it go'],
    [
      'that could be taken for one',
      [first, { ...sentinel, url: 'https://N8N.example/' }],
      'both n8n have the same address: neither would know which it is',
    ],
    [
      'and a third',
      [first, sentinel, { ...sentinel, name: 'third' }],
      'instances: there can be two, the one that works and its sentinel',
    ],
    [
      'with a name that no turn can be taken by',
      [first, { ...sentinel, name: 'the other' }],
      'instances: "the other" is no name; use one without spaces, like n8n-bruno',
    ],
    ['without an address', [{ ...first, url: 'n8n.example' }], 'n8n n8n: "n8n.example" is no address of a web page'],
    ['on no host', [{ ...sentinel, host: 'evy' }], 'n8n sentinel, host: "evy" is none of the hosts'],
    ['of no service', [{ ...first, service: 'n9n' }], 'n8n n8n, service: "n9n" is none of the services'],
    [
      'that is elsewhere than its service',
      [{ ...first, host: 'eva' }],
      'n8n n8n is on eva, and the service n8n on bruno',
    ],
  ])('%s are refused', (_, n8n, mistake) => expect(mistakes(pair(...n8n))).toEqual([mistake]));

  test.each([
    ['https://n8n.example', { name: 'n8n', host: 'bruno' }],
    ['https://SENTINEL.example', { name: 'sentinel', host: 'eva' }],
    ['https://n8n.example.org', { name: '', host: '' }],
    ['', { name: '', host: '' }],
  ])('each knows itself by its address: %s', (address, which) => {
    expect(checkInventory(pair(first, sentinel), pinned, address).n8n).toEqual(which);
  });

  test('one that is none of them is warned, because it can move nothing', () => {
    expect(checkInventory(pair(first, sentinel), pinned, 'http://localhost:5678').warnings).toContain(
      'this n8n is at http://localhost:5678, which is none of the instances: it can move no service',
    );
  });

  test('whose service has no other place are refused', () => {
    expect(mistakes({ ...pair(first), services: [{ ...service, standby: '' }] })).toEqual([
      'n8n n8n: the service n8n needs a standby and a project to be moved there',
    ]);
  });
});

test('what is allowed and dangerous comes back as a warning', () => {
  const { warnings } = checkInventory(
    {
      ...small,
      services: [{ name: 'docs', host: 'bruno' }],
      databases: [{ name: 'db', kind: 'postgres', host: 'bruno' }],
      destinations: [{ name: 'beside', remote: 'disk:x', provider: 'hetzner', host: 'bruno' }],
    },
    pinned,
  );
  expect(warnings).toEqual([
    'db has no destination outside of bruno',
    'service docs is in no recovery order',
    'nobody is asked: every change that is not automatic is refused',
    'security has no recipients: it goes to the critical ones',
  ]);
});

test('what is watched, paid for and kept is held to hosts, fingerprints and addresses as well', () => {
  const wrong = {
    ...estate(),
    checks: [
      { name: 'letters', kind: 'mail', anything: { goes: 'on' } },
      { name: 'letters', kind: 'token' },
      { name: 'nameless kind' },
    ],
  };
  expect(mistakes(wrong)).toEqual(['checks[2].kind must be a text']);
  const { services, ...rest } = estate() as { services: readonly Record<string, unknown>[] };
  const docs = services.map((one) =>
    one['name'] === 'docs' ? { ...one, url: '', inside: 'http://127.0.0.1:1/', open: ['photos'] } : one,
  );
  expect(
    mistakes({
      ...rest,
      services: docs,
      checks: [1, 2].map(() => ({ name: 'letters', kind: 'mail' })),
      sshKeys: [{ name: 'felipe', fingerprint: 'MD5:00', hosts: ['nowhere'] }],
      keyCopies: [{ name: 'vault', host: 'nowhere', path: 'key' }],
      keyCanary: 'no hex',
    }),
  ).toEqual([
    'service docs: "photos" is no address of a web page',
    'service docs: "inside" is compared with its url, and it has none',
    'two checks are called "letters"',
    'key copy vault, host: "nowhere" is none of the hosts',
    'key copy vault: its path must be a whole one',
    'keyCanary: it is not hexadecimal',
    'SSH key felipe: "MD5:00" is no fingerprint, as ssh-keygen -l shows it',
    'SSH key felipe, host: "nowhere" is none of the hosts',
  ]);
});

test('what was checked can be read again, as the audit does', () => {
  const { warnings, ...checked } = checkInventory(estate(), pinned);
  expect(warnings).toEqual([]);
  expect(mistakes(checked)).toEqual([]);
});
