import type { ICredentialTestFunctions, IDataObject } from 'n8n-workflow';

import type { CloudflareStandIn } from '../../../lab/standins/cloudflare';
import { CloudflareDns } from '../../../nodes/CloudflareDns/CloudflareDns.node';
import { cloudflareCredentialTest } from '../../../nodes/CloudflareDns/methods/cloudflareCredentialTest';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { closeAndKeepContract, cloudflare } from './standin';

afterEach(closeAndKeepContract);

type Parameters = Readonly<Record<string, unknown>>;

async function start() {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl');
  return { standIn, zone, credential: { apiToken: standIn.addToken(), baseUrl: standIn.url } };
}

/** Runs the node as n8n does, one item for each of the parameters. */
async function run(credential: object, ...items: readonly Parameters[]): Promise<IDataObject[]> {
  const parameters = items.map((item) => ({ zone: { mode: 'id', value: 'kua.cl' }, ...item }));
  const { execute } = fakeExecute({ parameters });
  Object.assign(execute, { getCredentials: () => Promise.resolve(credential) });
  const outputs = await new CloudflareDns().execute.call(execute);
  return Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [];
}

const record = (operation: string, more: Parameters = {}) => ({ resource: 'record', operation, ...more });
const zoneTo = (operation: string, more: Parameters = {}) => ({ resource: 'zone', operation, ...more });
const web = { type: 'A', name: 'www', content: '203.0.113.7' };
const kept = { name: 'www.kua.cl', type: 'A', content: '203.0.113.7', ttl: 1, proxied: false, comment: '', tags: [] };

test('a record is created once, however often it is asked for', async () => {
  const { standIn, zone, credential } = await start();
  const [tried] = await run(credential, record('create', { ...web, dryRun: true }));
  expect(tried).toEqual({ zone: 'kua.cl', changed: true, dryRun: true, action: 'create', before: null, after: null });
  expect(standIn.writes()).toEqual([]);

  const [created] = await run(credential, record('create', web));
  expect(created).toMatchObject({ changed: true, action: 'create', before: null, after: kept });
  expect(standIn.writes().map(({ body }) => body)).toEqual([
    { name: 'www.kua.cl', type: 'A', ttl: 1, content: '203.0.113.7', proxied: false },
  ]);

  const [again] = await run(credential, record('create', web));
  expect(again).toMatchObject({ changed: false, action: 'none', before: kept, after: kept });
  expect(zone.records.size).toBe(1);
});

test('create or update changes only what differs, and asks which is meant where there are several', async () => {
  const { standIn, zone, credential } = await start();
  const { id } = standIn.addRecord(zone, { ...web, ttl: 300, comment: 'terraform' });
  const [changed] = await run(credential, record('upsert', { ...web, content: '203.0.113.8' }));
  expect(changed).toMatchObject({ changed: true, action: 'update', after: { content: '203.0.113.8', ttl: 300 } });
  expect(standIn.writes().map(({ method, body }) => [method, body])).toEqual([
    ['PATCH', { name: 'www.kua.cl', type: 'A', ttl: 300, content: '203.0.113.8' }],
  ]);
  expect(zone.records.get(id)).toMatchObject({ comment: 'terraform', ttl: 300 });

  const [same] = await run(credential, record('upsert', { ...web, content: '203.0.113.8', options: { ttl: 300 } }));
  expect(same).toMatchObject({ changed: false, action: 'none' });
  standIn.addRecord(zone, { ...web, content: '203.0.113.9' });
  await expect(run(credential, record('upsert', web))).rejects.toMatchObject({
    context: { code: 'dns_several_records' },
  });
  expect(standIn.writes()).toHaveLength(1);
});

test('structured records are updated field by field', async () => {
  const { standIn, zone, credential } = await start();
  const data = { priority: 10, weight: 5, port: 5060, target: 'sip.kua.cl' };
  const { id } = standIn.addRecord(zone, { name: '_sip._tcp', type: 'SRV', data, ttl: 300 });
  await run(credential, record('update', { recordId: id, changes: { ttl: 600, comment: 'telephony' } }));
  expect(standIn.writes().at(-1)?.body).toEqual({
    name: '_sip._tcp.kua.cl',
    type: 'SRV',
    ttl: 600,
    comment: 'telephony',
  });
  const [moved] = await run(credential, record('update', { recordId: id, changes: { data: { ...data, port: 5061 } } }));
  expect(moved).toMatchObject({ action: 'update', after: { data: { ...data, port: 5061 }, comment: 'telephony' } });
});

test('a mail server that moves keeps its priority, and a name may change', async () => {
  const { standIn, zone, credential } = await start();
  const { id } = standIn.addRecord(zone, { name: 'kua.cl', type: 'MX', content: 'old.kua.cl', priority: 20, ttl: 300 });
  await run(credential, record('update', { recordId: id, changes: { content: 'new.kua.cl' } }));
  expect(zone.records.get(id)).toMatchObject({ content: 'new.kua.cl', priority: 20, ttl: 300 });
  await run(credential, record('update', { recordId: id, changes: { name: 'mail', priority: 5 } }));
  expect(zone.records.get(id)).toMatchObject({ name: 'mail.kua.cl', content: 'new.kua.cl', priority: 5 });
});

test('a TTL for a proxied record is not sent again and again', async () => {
  const { standIn, credential } = await start();
  const upsert = record('upsert', { ...web, options: { proxied: true, ttl: 300 } });
  expect(await run(credential, upsert)).toMatchObject([{ changed: true, after: { ttl: 1, proxied: true } }]);
  expect(await run(credential, upsert)).toMatchObject([{ changed: false }]);
  expect(standIn.writes()).toHaveLength(1);
});

test('what cannot be is refused before anything is sent', async () => {
  const { standIn, credential } = await start();
  await expect(run(credential, record('create', { ...web, options: { ttl: 30 } }))).rejects.toMatchObject({
    message: expect.stringContaining('has a TTL of 30 s'),
  });
  await expect(run(credential, record('create', { ...web, content: 'nowhere' }))).rejects.toMatchObject({
    message: expect.stringContaining('IPv4'),
  });
  expect(standIn.writes()).toEqual([]);
});

test('a record is deleted, and one that is gone is no failure', async () => {
  const { standIn, zone, credential } = await start();
  const { id } = standIn.addRecord(zone, web);
  const deletion = record('delete', { recordId: id });
  expect(await run(credential, deletion)).toMatchObject([{ changed: true, action: 'delete', before: kept }]);
  expect(await run(credential, deletion)).toMatchObject([{ changed: false, action: 'none', before: null }]);
});

test('many items share the zone: it is asked for once', async () => {
  const { standIn, credential } = await start();
  const items = Array.from({ length: 5 }, (_, index) => record('create', { ...web, name: `n${index}` }));
  expect(await run(credential, ...items)).toHaveLength(5);
  expect(standIn.seen.filter(({ url }) => url.startsWith('/zones?'))).toHaveLength(1);
});

describe('a zone', () => {
  const records = [
    { name: 'git', type: 'A', content: '203.0.113.7' },
    { name: 'docs', type: 'CNAME', content: 'git.kua.cl', proxied: true },
  ];
  const wanted = { records, mode: 'full-sync', owner: 'n8n' };

  test('is planned, agreed to by its hash, applied, and undone', async () => {
    const { standIn, zone, credential } = await start();
    standIn.addRecord(zone, { name: 'foreign', type: 'TXT', content: 'kept' });
    const before = standIn.exported(zone);
    const [plan] = await run(credential, zoneTo('plan', wanted));
    expect(plan).toMatchObject({ zone: 'kua.cl', create: 2, update: 0, delete: 0, foreign: 1 });
    expect(standIn.writes()).toEqual([]);

    const [applied] = await run(credential, zoneTo('apply', { ...wanted, planHash: plan!['hash'] }));
    expect(applied).toMatchObject({ changed: true, writes: 1, hash: plan!['hash'] });
    expect(await run(credential, zoneTo('apply', wanted))).toMatchObject([{ changed: false, writes: 0, undo: null }]);

    const [undone] = await run(credential, zoneTo('undo', { undo: applied!['undo'] }));
    expect(undone).toMatchObject({ changed: true, delete: 2 });
    expect(standIn.exported(zone)).toBe(before);
  });

  test('that has changed since it was planned is not applied', async () => {
    const { standIn, zone, credential } = await start();
    const [plan] = await run(credential, zoneTo('plan', wanted));
    standIn.addRecord(zone, { name: 'new', type: 'A', content: '203.0.113.1' });
    await expect(run(credential, zoneTo('apply', { ...wanted, planHash: plan!['hash'] }))).rejects.toMatchObject({
      context: { code: 'dns_plan_changed' },
    });
    expect(standIn.writes()).toEqual([]);
  });

  test('is not changed with a credential that is only to read', async () => {
    const { standIn, credential } = await start();
    const readOnly = { ...credential, readOnly: true };
    await expect(run(readOnly, zoneTo('apply', wanted))).rejects.toThrow(/read.only/i);
    expect(await run(readOnly, zoneTo('apply', { ...wanted, dryRun: true }))).toMatchObject([{ create: 2 }]);
    expect(standIn.writes()).toEqual([]);
  });

  test('is listed, exported, set up and purged', async () => {
    const { standIn, zone, credential } = await start();
    standIn.addRecord(zone, web);
    expect(await run(credential, zoneTo('list'))).toMatchObject([{ name: 'kua.cl', id: zone.id, plan: 'free' }]);
    expect(await run(credential, zoneTo('get', { zone: zone.id }))).toMatchObject([{ name: 'kua.cl' }]);
    expect(await run(credential, zoneTo('export'))).toEqual([{ zone: 'kua.cl', file: standIn.exported(zone) }]);
    const setting = { setting: 'ssl', value: '"strict"' };
    const answer = { zone: 'kua.cl', setting: 'ssl', changed: true, dryRun: false, before: 'full', after: 'strict' };
    expect(await run(credential, zoneTo('setSetting', setting))).toEqual([answer]);
    expect(await run(credential, zoneTo('setSetting', setting))).toMatchObject([{ changed: false }]);
    await run(credential, zoneTo('purgeCache', { what: 'hosts', values: 'www.kua.cl' }));
    expect(zone.purges).toEqual([{ hosts: ['www.kua.cl'] }]);
  });
});

test('names are pointed at another address in one request, and lookups follow', async () => {
  const { standIn, zone, credential } = await start();
  const names = ['git.kua.cl', 'docs.kua.cl', 'kua.cl'];
  for (const name of names) standIn.addRecord(zone, { name, type: 'A', content: '188.34.198.57', ttl: 60 });
  const dns = await standIn.serveDns('198.51.100.1');
  const point = { resource: 'address', operation: 'point', names: names.join('\n'), address: '144.217.76.53' };
  expect(await run(credential, point)).toMatchObject([{ changed: true, update: 3, writes: 1 }]);
  expect(await run(credential, point)).toMatchObject([{ changed: false, writes: 0 }]);
  expect(standIn.writes()).toHaveLength(1);

  const lookup = { resource: 'lookup', name: 'git.kua.cl', type: 'A', resolvers: dns.address, askNameServers: false };
  const answer = { server: dns.address, kind: 'resolver', outcome: 'answered', values: ['144.217.76.53'], reason: '' };
  expect(await run(credential, { ...lookup, operation: 'ask' })).toEqual([
    {
      ...{ zone: 'kua.cl', name: 'git.kua.cl', type: 'A', proxied: false, expected: ['144.217.76.53'] },
      answers: [{ ...answer, verdict: 'as expected' }],
    },
  ]);
  expect(await run(credential, { ...lookup, operation: 'wait', timeoutSeconds: 5 })).toMatchObject([
    { rounds: 1, agreeing: 1, answers: [answer] },
  ]);
});

test('nobody waits for a proxied name, whose answers never show its target', async () => {
  const { standIn, zone, credential } = await start();
  standIn.addRecord(zone, { ...web, proxied: true });
  const wait = { resource: 'lookup', operation: 'wait', name: 'www.kua.cl', type: 'A', timeoutSeconds: 60 };
  await expect(run(credential, { ...wait, resolvers: '127.0.0.1:9', askNameServers: false })).rejects.toMatchObject({
    context: { code: 'dns_proxied' },
  });
});

test('pools, monitors and health checks are listed and switched, and only when they are not so already', async () => {
  const { standIn, zone, credential } = await start();
  const origin = { address: '203.0.113.7', enabled: true, weight: 1 };
  const origins = [
    { ...origin, name: 'bruno' },
    { ...origin, name: 'eva' },
  ];
  const pool = standIn.addPool({ name: 'web', enabled: true, minimum_origins: 1, origins });
  const monitor = standIn.addMonitor({ type: 'https', method: 'GET', path: '/', interval: 60, retries: 2, timeout: 5 });
  const check = standIn.addHealthCheck(zone, { name: 'site', address: 'kua.cl', type: 'HTTPS', status: 'healthy' });
  const pools = { resource: 'pool', poolId: pool };
  expect(await run(credential, { ...pools, operation: 'list' })).toEqual(
    await run(credential, { ...pools, operation: 'get' }),
  );
  const weigh = { ...pools, operation: 'update', changes: { origins: { eva: { weight: 0.5 } } } };
  expect(await run(credential, { ...weigh, dryRun: true })).toMatchObject([{ changed: true, dryRun: true }]);
  expect(standIn.writes()).toEqual([]);
  expect(await run(credential, weigh)).toMatchObject([
    { changed: true, before: { origins: [{}, { weight: 1 }] }, after: { origins: [{ weight: 1 }, { weight: 0.5 }] } },
  ]);
  expect(await run(credential, weigh)).toMatchObject([{ changed: false }]);
  await expect(
    run(credential, { ...weigh, changes: { origins: { nobody: { enabled: false } } } }),
  ).rejects.toMatchObject({ context: { code: 'origin_not_found' } });

  const [seen] = await run(credential, { resource: 'monitor', operation: 'list' });
  expect(seen).toMatchObject({ id: monitor, type: 'https', interval: 60 });
  const slower = { resource: 'monitor', operation: 'update', monitorId: monitor, changes: { interval: 120 } };
  expect(await run(credential, slower)).toMatchObject([{ changed: true, after: { interval: 120 } }]);
  expect(await run(credential, slower)).toMatchObject([{ changed: false }]);

  const suspend = { resource: 'healthCheck', operation: 'setSuspended', checkId: check, suspended: true };
  expect(await run(credential, suspend)).toMatchObject([{ changed: true, after: { name: 'site', suspended: true } }]);
  expect(await run(credential, suspend)).toMatchObject([{ changed: false }]);
  expect(standIn.writes()).toHaveLength(3);
});

test('many records are changed in one transaction', async () => {
  const { standIn, zone, credential } = await start();
  const { id } = standIn.addRecord(zone, { name: 'old', type: 'A', content: '203.0.113.1' });
  const batch = record('batch', {
    changes: { deletes: [id], creates: [web, { name: '@', type: 'MX', content: 'mail.kua.cl', priority: 10 }] },
  });
  expect(await run(credential, { ...batch, dryRun: true })).toMatchObject([{ changed: true, deleted: 1, created: 2 }]);
  expect(standIn.writes()).toEqual([]);
  expect(await run(credential, batch)).toMatchObject([{ changed: true, deleted: 1, created: 2, updated: 0 }]);
  expect(standIn.writes()).toHaveLength(1);
  expect([...zone.records.values()].map(({ name, type }) => `${name} ${type}`)).toEqual(['www.kua.cl A', 'kua.cl MX']);
});

test('DNSSEC is switched on once', async () => {
  const { standIn, credential } = await start();
  const enable = { resource: 'dnssec', operation: 'enable' };
  expect(await run(credential, enable)).toMatchObject([{ changed: true, before: 'disabled', status: 'pending' }]);
  expect(await run(credential, enable)).toMatchObject([{ changed: false, before: 'pending', status: 'pending' }]);
  expect(standIn.writes()).toHaveLength(1);
});

describe('the test of the credential', () => {
  const tested = (standIn: CloudflareStandIn, apiToken: string, readOnly = false) =>
    cloudflareCredentialTest.call({} as ICredentialTestFunctions, {
      ...{ id: '1', name: 'Cloudflare', type: 'selfhostCloudflare' },
      data: { apiToken, baseUrl: standIn.url, readOnly },
    });

  test('says what the token reaches, or which permissions it lacks', async () => {
    const { standIn, credential } = await start();
    const few = standIn.addToken({ permissions: ['zone:read', 'dns_records:read'] });
    expect(await tested(standIn, credential.apiToken)).toEqual({ status: 'OK', message: 'It reaches kua.cl' });
    expect(await tested(standIn, few, true)).toEqual({ status: 'OK', message: 'It reaches kua.cl' });
    expect(await tested(standIn, few)).toEqual({
      status: 'Error',
      message: 'The token is valid, but lacks DNS: Edit',
    });
    expect(await tested(standIn, ' ')).toEqual({
      status: 'Error',
      message: 'The Cloudflare credential has no API token',
    });
  });
});
