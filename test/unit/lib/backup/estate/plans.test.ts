import { parseDescribed } from '../../../../../lib/backup/described/described';
import { parseDescribedTree } from '../../../../../lib/backup/described/tree';
import { nightlyDraft, plannedKit, plannedTrees, returningData } from '../../../../../lib/backup/estate/plans';
import { parseInventory } from '../../../../../lib/inventory/parse';
import type { JsonObject } from '../../../../../lib/json';

const vault = { rclone: { kind: 'text', text: '[vault]\ntype = crypt\n' }, crypt: 'vault' } as const;

const estate = (change: JsonObject = {}) =>
  parseInventory({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [
      { name: 'bruno', address: '203.0.113.7', provider: 'hetzner' },
      { name: 'eva', address: '203.0.113.8', provider: 'ovh' },
    ],
    databases: [
      { name: 'all', kind: 'postgres', host: 'bruno' },
      { name: 'shop', kind: 'mariadb', host: 'bruno', container: 'maria', database: 'shop', password: 'credential:M' },
      { name: 'forgejo', kind: 'sqlite', host: 'bruno', database: '/srv/forgejo.db' },
      { name: 'redis', kind: 'redis', host: 'bruno', container: 'redis' },
      { name: 'immich', kind: 'postgres', host: 'eva', container: 'immich', database: 'immich' },
    ],
    commands: [{ name: 'n8n-key', host: 'bruno', argv: ['cat', '/key'] }],
    folders: [
      { name: 'small', host: 'bruno', path: '/srv/small', as: 'archive', excludes: ['*.tmp'] },
      { name: 'Photos@more', host: 'eva', path: '/photos', to: ['box'], marker: '.mounted' },
      { name: 'bruno', host: 'bruno', path: '/', as: 'host', excludes: ['/proc'] },
    ],
    destinations: [
      { name: 'box', remote: 'box:backups', provider: 'hetzner' },
      { name: 'eva', remote: 'eva:', provider: 'ovh', host: 'eva', bandwidth: '10M' },
    ],
    backups: { quorum: 2, treePassword: 'credential:T', deadManUrl: 'https://alive.example/{host}' },
    recipients: { critical: [{ by: 'telegram', chat: '1' }] },
    ...change,
  });

test('a host backs up its databases, commands and small folders, below a folder of its own at each destination', () => {
  const draft = nightlyDraft(estate(), 'bruno');
  expect(draft?.wanted).toEqual([
    { kind: 'every-postgres', name: 'all', runAs: 'postgres' },
    { kind: 'mysql', name: 'shop', container: 'maria', password: 'credential:M', database: 'shop' },
    { kind: 'sqlite', name: 'forgejo', path: '/srv/forgejo.db' },
    { kind: 'redis', name: 'redis', container: 'redis' },
    { kind: 'directory', name: 'small', path: '/srv/small', tolerateChanges: false, excludes: ['*.tmp'] },
    { kind: 'command', name: 'n8n-key', argv: ['cat', '/key'] },
  ]);
  expect(draft?.frame).toEqual({
    set: 'nightly',
    home: { host: 'bruno', provider: 'hetzner' },
    quorum: 2,
    everyHours: 24,
    destinations: [
      { name: 'box', remote: 'box:backups/bruno', provider: 'hetzner' },
      { name: 'eva', remote: 'eva:bruno', provider: 'ovh', host: 'eva', bandwidth: '10M' },
    ],
    keep: { last: 0, hourly: 0, daily: 7, weekly: 4, monthly: 6, yearly: 0 },
    notices: { deadMan: 'https://alive.example/bruno' },
  });
  const [, ...plain] = draft?.wanted ?? [];
  expect(parseDescribed({ ...draft?.frame, sources: plain }, vault, 'bruno').plan.sources).toHaveLength(5);
});

test('a destination on the host itself is left out, and the quorum is what can be reached then', () => {
  expect(nightlyDraft(estate(), 'eva')?.frame).toMatchObject({
    quorum: 1,
    destinations: [{ name: 'box', remote: 'box:backups/eva' }],
  });
  expect(nightlyDraft(estate({ databases: [], commands: [], folders: [] }), 'bruno')).toBeUndefined();
});

test('each tree has a set of its own, goes where it is sent, and lies apart from what nightly retention looks at', () => {
  const trees = plannedTrees(estate());
  expect(trees.map(({ host, name, as, set }) => [host, name, as, set])).toEqual([
    ['eva', 'Photos@more', 'tree', 'folder-photos-more'],
    ['bruno', 'bruno', 'host', 'host-bruno'],
  ]);
  const [photos, bruno] = trees.map(({ plan, host }) => parseDescribedTree(plan, vault, host).plan);
  expect(photos).toMatchObject({
    tree: { name: 'Photos@more', path: '/photos', marker: '.mounted', oneFileSystem: false },
    password: 'credential:T',
    quorum: 1,
    destinations: [{ name: 'box', remote: 'box:backups/eva-trees' }],
  });
  expect(bruno).toMatchObject({ tree: { path: '/', oneFileSystem: true, excludes: ['/proc'] }, quorum: 2 });
});

test('there is a kit only where the inventory wants one, and the inventory is in it', () => {
  expect(plannedKit(estate())).toBeUndefined();
  const kit = {
    ...{ host: 'bruno', recipients: ['age1x'], keys: { 'tree-password': 'credential:T' } },
    places: [{ name: 'drive', remote: 'drive:kit', provider: 'google' }],
  };
  const found = plannedKit(estate({ backups: { treePassword: 'credential:T', kit } }));
  expect(found).toMatchObject({
    host: 'bruno',
    kit: {
      recipients: ['age1x'],
      protects: { provider: 'hetzner', host: 'bruno' },
      places: [{ name: 'drive', remote: 'drive:kit', provider: 'google' }],
      keys: { 'tree-password': 'credential:T' },
      inventory: { estate: 'lab' },
    },
  });
});

test('a service gets back on its standby what it needs, by plans that ask nobody at its home', () => {
  const moving = estate({
    hosts: [
      { name: 'bruno', address: '203.0.113.7', provider: 'hetzner', docker: '/run/home.sock' },
      { name: 'eva', address: '203.0.113.8', provider: 'ovh', docker: '/run/standby.sock' },
    ],
    databases: [
      { name: 'shop', kind: 'postgres', host: 'bruno', container: 'pg', database: 'shop', user: 'admin' },
      { name: 'forgejo', kind: 'sqlite', host: 'bruno', database: '/srv/forgejo.db' },
    ],
    folders: [
      { name: 'small', host: 'bruno', path: '/srv/small', as: 'archive' },
      { name: 'vaults', host: 'bruno', path: '/srv/vaults', to: ['box'] },
    ],
    commands: [],
    services: [
      {
        ...{ name: 'web', host: 'bruno', standby: 'eva', project: '/srv/web' },
        data: [
          { name: 'shop', start: 'db' },
          { name: 'forgejo' },
          { name: 'small', to: '/data/small' },
          { name: 'vaults' },
        ],
      },
    ],
  });
  const all = returningData(moving, 'web');
  expect(all.map(({ name, kind, to, start, user }) => ({ name, kind, to, start, user }))).toEqual([
    { name: 'shop', kind: 'database', to: 'shop', start: 'db', user: 'admin' },
    { name: 'forgejo', kind: 'file', to: '/srv/forgejo.db', start: '', user: '' },
    { name: 'small', kind: 'folder', to: '/data/small', start: '', user: '' },
    { name: 'vaults', kind: 'tree', to: '/srv/vaults', start: '', user: '' },
  ]);
  // The Docker of the standby, not that of the home.
  expect(all[0]?.plan['sources']).toEqual([
    {
      kind: 'postgres',
      name: 'shop',
      container: 'pg',
      dockerSocket: '/run/standby.sock',
      user: 'admin',
      database: 'shop',
    },
  ]);
  for (const { look, plan, kind } of all) {
    expect(() => parseDescribed(look, vault, 'eva')).not.toThrow();
    if (kind === 'tree') expect(() => parseDescribedTree(plan, vault, 'eva')).not.toThrow();
    else expect(plan).toBe(look);
  }
  expect(all[3]?.look).toMatchObject({ destinations: [{ remote: 'box:backups/bruno-trees' }] });
  expect(() => returningData(moving, 'shop')).toThrow('The inventory has no service "shop"');
});

test('what lies in a folder of the same service comes back after that folder', () => {
  const moving = estate({
    databases: [{ name: 'n8n-db', kind: 'sqlite', host: 'bruno', database: '/srv/n8n/data/.n8n/database.sqlite' }],
    folders: [
      { name: 'n8n-packs', host: 'bruno', path: '/srv/n8n/data/.n8n/nodes' },
      { name: 'n8n-files', host: 'bruno', path: '/srv/n8n/data', as: 'archive' },
      { name: 'n8n-data2', host: 'bruno', path: '/srv/n8n/data2', as: 'archive' },
    ],
    commands: [],
    services: [
      {
        ...{ name: 'n8n', host: 'bruno', standby: 'eva', project: '/srv/n8n' },
        data: [{ name: 'n8n-db' }, { name: 'n8n-packs' }, { name: 'n8n-files' }, { name: 'n8n-data2' }],
      },
    ],
  });
  expect(returningData(moving, 'n8n').map(({ name, to, within }) => ({ name, to, within }))).toEqual([
    { name: 'n8n-files', to: '/srv/n8n/data', within: '' },
    { name: 'n8n-data2', to: '/srv/n8n/data2', within: '' },
    { name: 'n8n-db', to: '/srv/n8n/data/.n8n/database.sqlite', within: '/srv/n8n/data' },
    { name: 'n8n-packs', to: '/srv/n8n/data/.n8n/nodes', within: '/srv/n8n/data' },
  ]);
});
