import type { IDataObject } from 'n8n-workflow';

import type { CloudflareStandIn, Zone } from '../../../lab/standins/cloudflare';
import { assertMatches } from '../../../nodes/declaration/schema';
import { CloudflareDns } from '../../../nodes/CloudflareDns/CloudflareDns.node';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { closeAndKeepContract, cloudflare } from './standin';

afterEach(closeAndKeepContract);

const planKey = 'planted-key-'.repeat(4);

interface Scene {
  readonly standIn: CloudflareStandIn;
  readonly zone: Zone;
  readonly record: string;
  readonly pool: string;
  readonly monitor: string;
  readonly check: string;
  readonly resolver: string;
  readonly run: (resource: string, operation: string, parameters?: IDataObject) => Promise<readonly IDataObject[]>;
}

async function start(): Promise<Scene> {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl', 'pro');
  const { id: record } = standIn.addRecord(zone, { name: 'www', type: 'A', content: '203.0.113.7', comment: 'hand' });
  const { address: resolver } = await standIn.serveDns('198.51.100.1');
  const credential = { apiToken: standIn.addToken(), baseUrl: standIn.url };
  standIn.forget();
  return {
    standIn,
    zone,
    record,
    pool: standIn.addPool({ name: 'web', enabled: true, minimum_origins: 1, origins: [] }),
    monitor: standIn.addMonitor({ type: 'https', method: 'GET', path: '/', interval: 60, retries: 2, timeout: 5 }),
    check: standIn.addHealthCheck(zone, { name: 'site', address: 'kua.cl', type: 'HTTPS', status: 'healthy' }),
    resolver,
    run: async (resource, operation, parameters = {}) => {
      const { execute } = fakeExecute({
        parameters: [{ zone: { mode: 'id', value: 'kua.cl' }, resource, operation, ...parameters }],
      });
      const node = { ...execute.getNode(), credentials: { selfhostCloudflare: {}, selfhostPlanKey: {} } };
      Object.assign(execute, {
        getNode: () => node,
        getCredentials: (name: string) =>
          Promise.resolve(name === 'selfhostPlanKey' ? { secretKey: planKey } : credential),
      });
      const outputs = await new CloudflareDns().execute.call(execute);
      const items = Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [];
      for (const item of items) assertMatches(operationOf(resource, operation).output, item);
      return items;
    },
  };
}

const { resources } = CloudflareDns.declaration;
const operations = resources.flatMap((resource) => resource.operations);

function operationOf(resource: string, name: string) {
  const found = operations.find((one) => one.resource === resource && one.name === name);
  if (found === undefined) throw new Error(`There is no operation ${resource}.${name}`);
  return found;
}

const wanted = { records: [{ name: 'git', type: 'A', content: '203.0.113.8' }], owner: 'n8n' };

/** What each operation is given; and what has to have happened before. */
const given: Readonly<Record<string, (scene: Scene) => IDataObject | Promise<IDataObject>>> = {
  'address.point': () => ({ names: 'www.kua.cl', address: '203.0.113.9', options: { proxied: 'yes' } }),
  'dnssec.status': () => ({}),
  'dnssec.enable': () => ({}),
  'dnssec.disable': async ({ run }) => {
    await run('dnssec', 'enable');
    return {};
  },
  'healthCheck.list': () => ({}),
  'healthCheck.get': ({ check }) => ({ checkId: check }),
  'healthCheck.setSuspended': ({ check }) => ({ checkId: check, suspended: true }),
  'lookup.ask': ({ resolver }) => ({ name: 'www.kua.cl', type: 'A', resolvers: resolver, askNameServers: false }),
  'lookup.wait': ({ resolver }) => ({
    ...{ name: 'www.kua.cl', type: 'A', resolvers: resolver, askNameServers: false, timeoutSeconds: 20 },
    options: { quorum: 1 },
  }),
  'monitor.list': () => ({}),
  'monitor.get': ({ monitor }) => ({ monitorId: monitor }),
  'monitor.update': ({ monitor }) => ({ monitorId: monitor, changes: { interval: 120 } }),
  'pool.list': () => ({}),
  'pool.get': ({ pool }) => ({ poolId: pool }),
  'pool.update': ({ pool }) => ({ poolId: pool, changes: { enabled: false } }),
  'record.batch': ({ record }) => ({ changes: { deletes: [record] } }),
  'record.create': () => ({ name: 'git', type: 'A', content: '203.0.113.8' }),
  'record.delete': ({ record }) => ({ recordId: record }),
  'record.get': ({ record }) => ({ recordId: record }),
  'record.list': () => ({}),
  'record.update': ({ record }) => ({ recordId: record, changes: { ttl: 300 } }),
  'record.upsert': () => ({ name: 'www', type: 'A', content: '203.0.113.8' }),
  'zone.plan': () => wanted,
  'zone.apply': () => wanted,
  'zone.applyPlan': async ({ run }) => {
    const [planned] = await run('zone', 'plan', { ...wanted, options: { returnPlan: true } });
    return { plan: planned?.['plan'] as IDataObject };
  },
  'zone.sync': () => wanted,
  'zone.undo': async ({ run }) => {
    const [applied] = await run('zone', 'apply', wanted);
    return { undo: applied?.['undo'] as IDataObject };
  },
  'zone.list': () => ({}),
  'zone.get': () => ({}),
  'zone.export': () => ({}),
  'zone.import': () => ({ file: 'git 300 IN A 203.0.113.8\n' }),
  'zone.scan': () => ({}),
  'zone.scanResults': () => ({}),
  'zone.getSetting': () => ({ setting: 'ssl' }),
  'zone.setSetting': () => ({ setting: 'ssl', value: '"strict"' }),
  'zone.purgeCache': () => ({ what: 'everything' }),
};

test('every operation of the node is tried', () => {
  expect(Object.keys(given).sort()).toEqual(operations.map(({ resource, name }) => `${resource}.${name}`).sort());
});

test.each(Object.keys(given))('%s sends and gives what it declares', async (name) => {
  const scene = await start();
  const [resource = '', operation = ''] = name.split('.');
  const { effect, dryRun } = operationOf(resource, operation);
  const parameters = (await given[name]?.(scene)) ?? {};
  scene.standIn.forget();
  const dry = dryRun ? await scene.run(resource, operation, { ...parameters, dryRun: true }) : [];
  expect(scene.standIn.writes()).toEqual([]);
  const items = await scene.run(resource, operation, parameters);
  if (name !== 'zone.scanResults') expect(items).not.toEqual([]);
  if (effect === 'reads') {
    expect(scene.standIn.writes()).toEqual([]);
    return;
  }
  expect(scene.standIn.writes()).toHaveLength(1);
  for (const item of [...dry, ...items]) expect(item['changed'] ?? item['started']).toBe(true);
});

test.each<[string, IDataObject, readonly string[]]>([
  ['none', {}, ['www', 'db', 'db']],
  ['a type', { type: 'TXT' }, ['db']],
  ['a name', { nameIs: 'db.kua.cl' }, ['db', 'db']],
  ['a part of a name', { nameContains: 'w.' }, ['www']],
  ['the beginning of a name', { nameStartsWith: 'ww' }, ['www']],
  ['the end of a name', { nameEndsWith: 'b.kua.cl' }, ['db', 'db']],
  ['a content', { contentIs: '203.0.113.7' }, ['www']],
  ['a part of a content', { contentContains: 'spf' }, ['db']],
  ['the beginning of a content', { contentStartsWith: '2001' }, ['db']],
  ['the end of a content', { contentEndsWith: '::8' }, ['db']],
  ['a comment', { commentIs: 'hand' }, ['www']],
  ['a part of a comment', { commentContains: 'atab' }, ['db']],
  ['the beginning of a comment', { commentStartsWith: 'data' }, ['db']],
  ['the end of a comment', { commentEndsWith: 'base' }, ['db']],
  ['having a comment', { hasComment: 'yes' }, ['www', 'db']],
  ['having none', { hasComment: 'no' }, ['db']],
  ['a tag', { tagIs: 'team:ops' }, ['db']],
  ['a part of a tag', { tagContains: 'am:o' }, ['db']],
  ['the beginning of a tag', { tagStartsWith: 'team' }, ['db']],
  ['the end of a tag', { tagEndsWith: ':ops' }, ['db']],
  ['having a tag', { hasTag: 'team' }, ['db']],
  ['lacking a tag', { lacksTag: 'team' }, ['www', 'db']],
  ['any of two tag filters', { tagIs: 'x:y', hasTag: 'team', tagMatch: 'any' }, ['db']],
  ['being proxied', { proxied: 'yes' }, ['db']],
  ['any of two', { type: 'TXT', nameIs: 'www.kua.cl', match: 'any' }, ['www', 'db']],
  ['a search, in order, at most two', { search: 'kua', order: 'name', direction: 'asc', limit: 2 }, ['db', 'db']],
])('records are listed by %s', async (_, filters, names) => {
  const { standIn, zone, run } = await start();
  const aaaa = { name: 'db', type: 'AAAA', content: '2001:db8::8', proxied: true, tags: ['team:ops'] };
  standIn.addRecord(zone, { ...aaaa, comment: 'database' });
  standIn.addRecord(zone, { name: 'db', type: 'TXT', content: '"v=spf1 -all"' });
  const items = await run('record', 'list', { filters });
  expect(items.map(({ name }) => (typeof name === 'string' ? name.split('.')[0] : name))).toEqual(names);
});

describe('whose records', () => {
  test('are not ours are taken over only with the hash of a plan, and then they stay ours', async () => {
    const { standIn, run } = await start();
    const adopting = {
      records: [{ name: 'www', type: 'A', content: '203.0.113.7' }],
      owner: 'n8n',
      options: { adopt: 'www' },
    };
    for (const operation of ['apply', 'sync']) {
      await expect(run('zone', operation, adopting)).rejects.toMatchObject({
        message:
          'The record www.kua.cl A would be taken over from its present owner, and nobody has seen the plan for that',
        context: { code: 'dns_adoption_unseen', details: { records: ['record www.kua.cl A'] } },
      });
    }
    expect(standIn.writes()).toEqual([]);
    const [planned] = await run('zone', 'plan', { ...adopting, options: { ...adopting.options, returnPlan: true } });
    expect(await run('zone', 'apply', { ...adopting, planHash: planned?.['hash'] })).toMatchObject([{ changed: true }]);
    expect(standIn.writes().map(({ body }) => body)).toEqual([
      {
        patches: [
          {
            ...{ id: expect.any(String), name: 'www.kua.cl', type: 'A', ttl: 1 },
            comment: 'managed-by=selfhost owner=n8n | hand',
          },
        ],
      },
    ]);
    // There is nobody left to take it from.
    expect(await run('zone', 'sync', adopting)).toMatchObject([{ changed: false }]);
  });
});

test('a switch of the proxy goes with the address, in the same request', async () => {
  const { standIn, run } = await start();
  const point = { names: 'www.kua.cl', address: '203.0.113.9', options: { proxied: 'yes' } };
  expect(await run('address', 'point', point)).toMatchObject([{ update: 1, writes: 1 }]);
  expect(standIn.writes().map(({ body }) => body)).toEqual([
    {
      patches: [
        {
          ...{ id: expect.any(String), name: 'www.kua.cl', type: 'A', ttl: 1 },
          ...{ content: '203.0.113.9', proxied: true },
        },
      ],
    },
  ]);
  expect(await run('address', 'point', point)).toMatchObject([{ changed: false, writes: 0 }]);
});

test('waiting ends at its deadline, and says who answered what', async () => {
  const { standIn, zone, resolver, run } = await start();
  const silent = { name: 'www.kua.cl', type: 'A', resolvers: `${resolver}\n127.0.0.1:9`, askNameServers: false };
  expect(await run('lookup', 'wait', { ...silent, timeoutSeconds: 20, options: { quorum: 1 } })).toMatchObject([
    { agreeing: 1, expected: ['203.0.113.7'] },
  ]);
  standIn.addRecord(zone, { name: 'www', type: 'A', content: '203.0.113.8' });
  await expect(run('lookup', 'wait', { ...silent, timeoutSeconds: 1 })).rejects.toMatchObject({
    context: { code: 'dns_not_answered' },
  });
});
