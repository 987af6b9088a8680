import { parseInventory } from '../../../../lib/inventory/parse';
import type { JsonObject } from '../../../../lib/json';
import { parseStep, planRecovery } from '../../../../lib/recovery/steps';

const estate = (change: JsonObject = {}) =>
  parseInventory({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [
      {
        ...{ name: 'bruno', address: '203.0.113.7', provider: 'hetzner', server: 'bruno' },
        recovery: { type: 'cpx32', image: 'docker-ce', sshKeys: ['operator'], notInDrills: ['n8n'] },
      },
      { name: 'eva', address: '203.0.113.8', provider: 'ovh' },
    ],
    git: { url: 'https://git.example', mirror: { url: 'https://mirror.example/copies/' } },
    services: [
      service('docs'),
      service('n8n'),
      service('forgejo', { folder: 'git' }),
      service('databases'),
      service('traefik'),
      { name: 'by-hand', host: 'bruno' },
      service('photos', { host: 'eva' }),
    ],
    recoveryOrder: [['traefik'], ['databases'], ['photos'], ['forgejo', 'n8n']],
    databases: [
      { name: 'n8n-db', kind: 'postgres', host: 'bruno', container: 'pg', database: 'n8n', service: 'databases' },
      { name: 'redis', kind: 'redis', host: 'bruno', container: 'redis' },
      { name: 'forgejo-db', kind: 'sqlite', host: 'bruno', database: '/srv/forgejo/data/gitea.db' },
      { name: 'lonely', kind: 'postgres', host: 'bruno', container: 'who', database: 'x' },
    ],
    folders: [
      { name: 'repositories', host: 'bruno', path: '/srv/forgejo/data/git' },
      { name: 'state', host: 'bruno', path: '/srv/terraform', as: 'archive' },
      { name: 'bruno-files', host: 'bruno', path: '/', as: 'host' },
      { name: 'photos', host: 'eva', path: '/photos' },
    ],
    commands: [{ name: 'n8n-key', host: 'bruno', argv: ['cat', '/key'] }],
    destinations: [{ name: 'eva', remote: 'eva:backups', provider: 'ovh', host: 'eva' }],
    backups: {
      treePassword: 'credential:T',
      kit: {
        ...{ host: 'bruno', recipients: ['age1x'], keys: { 'tree-password': 'credential:T' } },
        places: [{ name: 'drive', remote: 'drive:kit', provider: 'google' }],
      },
    },
    recipients: { critical: [{ by: 'telegram', chat: '1' }] },
    ...change,
  });

function service(name: string, change: JsonObject = {}): JsonObject {
  return { name, host: 'bruno', project: `/srv/${name}`, repository: 'kua/infra', ...change };
}

const told = (...given: Parameters<typeof planRecovery>) =>
  planRecovery(...given).steps.map(({ stage, does, name }) => `${stage} ${does} ${name}`);

test('each service comes back with its files before it and its databases after it, in the recovery order', () => {
  expect(told(estate(), 'bruno')).toEqual([
    '1 start traefik',
    '2 start databases',
    '2 restore n8n-db',
    '3 restore forgejo-db',
    '3 tree repositories',
    '3 start forgejo',
    '3 start n8n',
    '4 start docs',
    '4 restore state',
    '4 restore n8n-key',
  ]);
});

test('what nobody can bring back by itself is told with its reason', () => {
  expect(planRecovery(estate(), 'bruno').left).toEqual([
    'by-hand: the inventory does not say from which repository it is started, and where',
    'redis: a Redis is started empty; its backup is restored by hand',
    'lonely: the inventory does not say which service brings its server ("service" of the database)',
    'bruno-files: the files of the whole host are there to look things up in',
  ]);
});

test('a drill leaves out what would act by itself', () => {
  expect(told(estate(), 'bruno', { drill: true })).not.toContain('3 start n8n');
  expect(planRecovery(estate(), 'bruno', { drill: true }).left[0]).toBe('n8n: drills leave it out');
});

test('a service is started from the mirror, with the variables that the kit holds', () => {
  const start = planRecovery(estate(), 'bruno').steps.find(({ name }) => name === 'forgejo');
  expect(start?.service).toEqual({
    stack: 'forgejo',
    directory: '/srv/forgejo',
    repository: 'https://mirror.example/copies/kua/infra.git',
    branch: 'main',
    folder: 'git',
    files: [],
    url: '',
    watchSeconds: 10,
    environmentFile: '/srv/forgejo/git/.env',
    environmentKey: 'env.forgejo',
  });
});

test('a step has all that it needs, whoever carries it from one node to the next', () => {
  const steps = planRecovery(estate(), 'bruno').steps;
  const database = steps.find(({ name }) => name === 'n8n-db');
  expect(database).toMatchObject({
    keys: { 'credential:T': 'tree-password' },
    plan: {
      home: { host: 'bruno', provider: 'hetzner' },
      sources: [{ kind: 'postgres', name: 'n8n-db', container: 'pg', database: 'n8n' }],
      destinations: [{ name: 'eva', remote: 'eva:backups/bruno' }],
    },
  });
  expect(parseStep(JSON.parse(JSON.stringify(database)))).toEqual(database);
  for (const wrong of [
    null,
    {},
    { ...database, does: 'start' },
    { ...database, plan: [] },
    { ...database, keys: { a: 1 } },
  ])
    expect(() => parseStep(wrong)).toThrow(/is no step of a plan/);
});

test('a host that nobody knows has no plan', () => {
  expect(() => planRecovery(estate(), 'bertha')).toThrow(/the inventory has no such host/);
});
