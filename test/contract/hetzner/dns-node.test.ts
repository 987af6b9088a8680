import type { IDataObject } from 'n8n-workflow';

import { type HetznerStandIn, startHetznerStandIn } from '../../../lab/standins/hetzner';
import { zoneFileOf } from '../../../lab/standins/hetzner/record-sets';
import type { Thing } from '../../../lab/standins/hetzner/state';
import { assertMatches } from '../../../nodes/declaration/schema';
import { Hetzner } from '../../../nodes/Hetzner/Hetzner.node';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { contracts } from './standin';

const { listening, takeViolations } = contracts();
let standIn: HetznerStandIn;
let zone: Thing;

beforeEach(async () => {
  standIn = await startHetznerStandIn({ ...listening, instant: true });
  zone = standIn.add('zones', { name: 'kua.cl', mode: 'primary' });
  put('@', 'SOA', 'hydrogen.ns.hetzner.com. dns.hetzner.com. 2026112001 86400 10800 3600000 3600');
  put('@', 'NS', 'hydrogen.ns.hetzner.com.');
  for (const name of ['@', 'git', 'docs']) put(name, 'A', '188.34.198.57', 'terraform');
});

afterEach(async () => {
  await standIn.close();
  expect(takeViolations()).toEqual([]);
});

function put(name: string, type: string, value: string, comment?: string) {
  standIn.add(
    'rrsets',
    { name, type, ttl: 300, records: [{ value, ...(comment !== undefined && { comment }) }] },
    {},
    zone,
  );
}

const planKey = 'planted-key-'.repeat(4);

async function run(operation: string, parameters: IDataObject, more: object = {}): Promise<IDataObject> {
  const { execute } = fakeExecute({
    parameters: [{ resource: 'zone', operation, zone: { mode: 'id', value: 'kua.cl' }, ...parameters }],
  });
  const hetzner = { apiToken: 'good-token', cloudUrl: standIn.cloud.url, storageUrl: standIn.storage.url, ...more };
  const node = { ...execute.getNode(), credentials: { selfhostHetzner: {}, selfhostPlanKey: {} } };
  Object.assign(execute, {
    getNode: () => node,
    getCredentials: (name: string) => Promise.resolve(name === 'selfhostPlanKey' ? { secretKey: planKey } : hetzner),
  });
  const outputs = await new Hetzner().execute.call(execute);
  const items = Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [];
  const zoneOperations = Hetzner.declaration.resources.find(({ name }) => name === 'zone')?.operations;
  for (const item of items) assertMatches(zoneOperations!.find(({ name }) => name === operation)!.output, item);
  expect(items).toHaveLength(1);
  return items[0] ?? {};
}

const writes = () => standIn.cloud.seen.filter(({ method }) => method !== 'GET');
const file = () => zoneFileOf(zone, standIn.state).split('\n').sort();

const wanted = {
  records: [
    { name: 'status', type: 'A', content: '46.224.125.1', ttl: 60, comment: 'the page' },
    { name: '_sip._tcp', type: 'SRV', data: { priority: 10, weight: 5, port: 5060, target: 'sip.kua.cl' } },
  ],
  mode: 'full-sync',
  owner: 'n8n',
};

test('a zone is planned, agreed to by its hash, applied, and undone', async () => {
  const before = file();
  const plan = await run('plan', wanted);
  expect(plan).toMatchObject({ zone: 'kua.cl', create: 2, update: 0, delete: 0, foreign: 4, plan: null });
  expect(plan['changes']).toContainEqual({
    action: 'create',
    fields: [],
    before: null,
    after: {
      ...{ name: 'status.kua.cl', type: 'A', content: '46.224.125.1', ttl: 60, proxied: false },
      comment: 'managed-by=selfhost owner=n8n | the page',
    },
  });
  expect(await run('apply', { ...wanted, planHash: plan['hash'], dryRun: true })).toMatchObject({
    changed: true,
    dryRun: true,
    writes: 0,
  });
  expect(writes()).toEqual([]);
  const applied = await run('apply', { ...wanted, planHash: plan['hash'] });
  expect(applied).toMatchObject({ changed: true, writes: 2, hash: plan['hash'] });
  expect(await run('apply', wanted)).toMatchObject({ changed: false, writes: 0, undo: null });
  expect(await run('undo', { undo: applied['undo'] })).toMatchObject({ changed: true, delete: 2 });
  expect(file()).toEqual(before);
});

test('a zone that has changed since it was planned is not applied', async () => {
  const plan = await run('plan', { ...wanted, options: { returnPlan: true } });
  put('new', 'A', '203.0.113.1');
  await expect(run('apply', { ...wanted, planHash: plan['hash'] })).rejects.toMatchObject({
    context: { code: 'dns_plan_changed' },
  });
  await expect(run('applyPlan', { plan: plan['plan'] })).rejects.toMatchObject({
    message:
      'The zone kua.cl is no longer as it was when the plan was made: the record new.kua.cl A 203.0.113.1 has appeared',
  });
  expect(writes()).toEqual([]);
});

test('a sealed plan is applied as it is', async () => {
  const { plan } = await run('plan', { ...wanted, options: { returnPlan: true } });
  expect(await run('applyPlan', { plan: JSON.stringify(plan) })).toMatchObject({ changed: true, writes: 2 });
});

test('a sync takes our records away that are not listed, and no others', async () => {
  const [first] = wanted.records;
  await run('sync', wanted);
  expect(await run('sync', { ...wanted, records: [first] })).toMatchObject({ delete: 1, changed: true, writes: 1 });
  expect(standIn.state.things.get('rrsets')?.map(({ name, type }) => `${String(name)} ${String(type)}`)).toEqual([
    '@ SOA',
    '@ NS',
    '@ A',
    'git A',
    'docs A',
    'status A',
  ]);
});

test('names follow another address, with one request for each that differs', async () => {
  const point = { names: 'kua.cl\ngit.kua.cl\ndocs.kua.cl', address: '46.224.125.1' };
  expect(await run('point', { ...point, dryRun: true })).toMatchObject({ update: 3, changed: true, writes: 0 });
  expect(await run('point', point)).toMatchObject({ update: 3, changed: true, writes: 3 });
  expect(await run('point', point)).toMatchObject({ update: 0, changed: false, writes: 0 });
  expect(writes().map(({ body }) => body)).toEqual(
    ['@', 'docs', 'git'].map(() => ({ records: [{ value: '46.224.125.1', comment: 'terraform' }] })),
  );
});

test('thresholds of the call stop a plan that is larger', async () => {
  await expect(run('apply', { ...wanted, options: { mostCreates: 1 } })).rejects.toMatchObject({
    message: 'It would create 2 records; the limit of this call is 1',
  });
  expect(writes()).toEqual([]);
});

test('what Hetzner does not keep is refused before a request changes anything', async () => {
  const records = [{ name: 'www', type: 'A', content: '203.0.113.7', proxied: true }];
  await expect(run('apply', { ...wanted, records })).rejects.toMatchObject({
    message: expect.stringContaining('is to be proxied, which Hetzner does not do'),
  });
  const unknown = [{ name: 'k', type: 'OPENPGPKEY', content: 'AAAA' }];
  await expect(run('apply', { ...wanted, records: unknown })).rejects.toMatchObject({
    message: expect.stringContaining('is of a type that Hetzner does not keep'),
  });
  expect(writes()).toEqual([]);
});

test('a read-only credential plans, and changes nothing', async () => {
  await expect(run('apply', wanted, { readOnly: true })).rejects.toThrow(/read-only/);
  expect(await run('apply', { ...wanted, dryRun: true }, { readOnly: true })).toMatchObject({ create: 2 });
  expect(writes()).toEqual([]);
});

test('a zone that is not there, and a secondary one, get a clear sentence', async () => {
  await expect(run('plan', { ...wanted, zone: { mode: 'id', value: 'nobody.cl' } })).rejects.toMatchObject({
    context: { code: 'not_found' },
  });
  standIn.add('zones', { name: 'second.cl', mode: 'secondary' });
  await expect(run('plan', { ...wanted, zone: { mode: 'id', value: 'second.cl' } })).rejects.toThrow(
    'The zone second.cl is a secondary zone at Hetzner: its records come from its primary name server',
  );
});
