import { parseDescribed } from '../../../../../lib/backup/described/described';
import { parseDescribedTree } from '../../../../../lib/backup/described/tree';
import { nightlyDraft, plannedKit, plannedTrees } from '../../../../../lib/backup/estate/plans';
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
