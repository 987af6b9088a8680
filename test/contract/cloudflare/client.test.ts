import {
  getMonitor,
  getPool,
  listMonitors,
  listPools,
  updateMonitor,
  updatePool,
} from '../../../lib/cloudflare/balancing';
import { purgeCache } from '../../../lib/cloudflare/cache';
import { getDnssec, setDnssec } from '../../../lib/cloudflare/dnssec';
import { getHealthCheck, listHealthChecks, suspendHealthCheck } from '../../../lib/cloudflare/health-checks';
import {
  batchRecords,
  createRecord,
  deleteRecord,
  getRecord,
  listRecords,
  patchRecord,
  putRecord,
  type RecordBody,
  type RecordFilter,
} from '../../../lib/cloudflare/records';
import { reviewScan, scannedRecords, startScan } from '../../../lib/cloudflare/scan';
import { inspectToken } from '../../../lib/cloudflare/token';
import { exportZone, importZone } from '../../../lib/cloudflare/zone-file';
import { getZoneSetting, setZoneSetting } from '../../../lib/cloudflare/zone-settings';
import { getZone, listZones, zoneNamed } from '../../../lib/cloudflare/zones';
import { coverageOf } from '../../../lab/standins/contract';
import { excluded } from './coverage';
import { clientOf, closeAndKeepContract, cloudflare, contract, task } from './standin';
import { failureOf } from '../../shared/failure';

afterEach(closeAndKeepContract);

afterAll(() => {
  const { reached, ...rest } = coverageOf(contract, excluded);
  expect(rest).toEqual({ forgotten: [], reachedAnyway: [], unknown: [] });
  expect(reached).toHaveLength(30);
});

const everyType: readonly RecordBody[] = [
  {
    name: 'a.kua.cl',
    type: 'A',
    ttl: 1,
    content: '203.0.113.7',
    proxied: true,
    comment: 'web',
    settings: { ipv4_only: true },
  },
  { name: 'aaaa.kua.cl', type: 'AAAA', ttl: 300, content: '2001:db8::7' },
  { name: 'kua.cl', type: 'CAA', ttl: 300, data: { flags: 0, tag: 'issue', value: 'letsencrypt.org' } },
  {
    name: 'cert.kua.cl',
    type: 'CERT',
    ttl: 300,
    data: { type: 1, key_tag: 12, algorithm: 8, certificate: 'TUlJQg==' },
  },
  { name: 'cname.kua.cl', type: 'CNAME', ttl: 300, content: 'a.kua.cl', settings: { flatten_cname: false } },
  {
    name: 'key.kua.cl',
    type: 'DNSKEY',
    ttl: 300,
    data: { flags: 257, protocol: 3, algorithm: 13, public_key: 'b1hp' },
  },
  { name: 'ds.kua.cl', type: 'DS', ttl: 300, data: { key_tag: 2371, algorithm: 13, digest_type: 2, digest: 'abcd' } },
  { name: 'https.kua.cl', type: 'HTTPS', ttl: 300, data: { priority: 1, target: '.', value: 'alpn="h3,h2"' } },
  {
    name: 'loc.kua.cl',
    type: 'LOC',
    ttl: 300,
    data: {
      ...{ lat_degrees: 33, lat_minutes: 27, lat_seconds: 0, lat_direction: 'S' },
      ...{ long_degrees: 70, long_minutes: 40, long_seconds: 0, long_direction: 'W' },
      ...{ altitude: 570, size: 1, precision_horz: 100, precision_vert: 10 },
    },
  },
  { name: 'kua.cl', type: 'MX', ttl: 300, content: 'mail.kua.cl', priority: 10 },
  {
    name: 'naptr.kua.cl',
    type: 'NAPTR',
    ttl: 300,
    data: { order: 100, preference: 10, flags: 'S', service: 'SIP+D2U', regex: '', replacement: '_sip._udp.kua.cl' },
  },
  { name: 'ns.kua.cl', type: 'NS', ttl: 300, content: 'ns1.example.net' },
  { name: 'pgp.kua.cl', type: 'OPENPGPKEY', ttl: 300, content: 'mQENBFVHm5sBCACk' },
  { name: 'ptr.kua.cl', type: 'PTR', ttl: 300, content: 'host.kua.cl' },
  {
    name: 'smimea.kua.cl',
    type: 'SMIMEA',
    ttl: 300,
    data: { usage: 3, selector: 0, matching_type: 1, certificate: 'aabb' },
  },
  {
    name: '_sip._tcp.kua.cl',
    type: 'SRV',
    ttl: 300,
    data: { priority: 10, weight: 5, port: 5060, target: 'sip.kua.cl' },
  },
  { name: 'ssh.kua.cl', type: 'SSHFP', ttl: 300, data: { algorithm: 4, type: 2, fingerprint: 'aabbcc' } },
  { name: 'svcb.kua.cl', type: 'SVCB', ttl: 300, data: { priority: 1, target: 'svc.kua.cl', value: 'port="8443"' } },
  {
    name: '_443._tcp.kua.cl',
    type: 'TLSA',
    ttl: 300,
    data: { usage: 3, selector: 1, matching_type: 1, certificate: 'ddee' },
  },
  { name: 'kua.cl', type: 'TXT', ttl: 300, content: '"v=spf1 -all"' },
  { name: 'uri.kua.cl', type: 'URI', ttl: 300, priority: 10, data: { weight: 1, target: 'https://kua.cl/x' } },
];

test.each(everyType.map((body) => [body.type, body] as const))(
  'a %s record is created, read, patched, replaced and deleted as described',
  async (_, body) => {
    const standIn = await cloudflare();
    const zone = standIn.addZone('kua.cl');
    const api = clientOf(standIn);

    const created = await createRecord(api, zone.id, body, task);
    expect(created).toMatchObject({ name: body.name, type: body.type, ...(body.data && { data: body.data }) });
    expect(await getRecord(api, zone.id, created.id, task)).toEqual(created);

    const patched = await patchRecord(
      api,
      zone.id,
      { id: created.id, name: body.name, type: body.type, ttl: body.ttl, comment: 'changed' },
      task,
    );
    expect(patched).toEqual({ ...created, comment: 'changed' });

    const { comment: _comment, settings: _settings, ...plain } = body;
    const put = await putRecord(api, zone.id, { id: created.id, ...plain }, task);
    expect(put).toEqual({ ...created, comment: '', settings: {} });

    expect(await deleteRecord(api, zone.id, created.id, task)).toBe(true);
    expect(await deleteRecord(api, zone.id, created.id, task)).toBe(false);
    expect(zone.records.size).toBe(0);
  },
);

test('one batch carries all record types', async () => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl');
  const api = clientOf(standIn);
  const { posted } = await batchRecords(api, zone.id, { deletes: [], patches: [], puts: [], posts: everyType }, task);
  expect(posted.map(({ type }) => type)).toEqual(everyType.map(({ type }) => type));
  expect(standIn.writes()).toHaveLength(1);

  const result = await batchRecords(
    api,
    zone.id,
    {
      deletes: posted.slice(0, 1).map(({ id }) => id),
      patches: everyType.slice(1, 11).map((body, index) => ({ ...body, id: posted[index + 1]!.id, comment: 'p' })),
      puts: everyType.slice(11).map((body, index) => ({ ...body, id: posted[index + 11]!.id, comment: 'q' })),
      posts: [],
    },
    task,
  );
  expect(result.deleted).toEqual(posted.slice(0, 1));
  expect(result.patched.map(({ comment }) => comment)).toEqual(Array<string>(10).fill('p'));
  expect(result.put.map(({ comment }) => comment)).toEqual(Array<string>(10).fill('q'));
});

test.each<[string, RecordFilter, readonly string[]]>([
  ['type', { type: 'A' }, ['web.kua.cl', 'db.kua.cl']],
  ['exact name', { name: { exact: 'web.kua.cl' } }, ['web.kua.cl', 'web.kua.cl']],
  ['part of a name', { name: { contains: 'eb.' } }, ['web.kua.cl', 'web.kua.cl']],
  ['beginning of a name', { name: { startsWith: 'db' } }, ['db.kua.cl']],
  ['end of a name', { name: { endsWith: '.kua.cl' } }, ['web.kua.cl', 'web.kua.cl', 'db.kua.cl']],
  ['content', { content: { startsWith: '203.', endsWith: '.7' } }, ['web.kua.cl']],
  ['a comment that is there', { comment: { present: true } }, ['db.kua.cl']],
  ['a comment that is not there', { comment: { present: false } }, ['web.kua.cl', 'web.kua.cl']],
  ['text of a comment', { comment: { contains: 'dat' } }, ['db.kua.cl']],
  ['tag', { tag: { present: 'team' }, tagMatch: 'any' }, ['db.kua.cl']],
  ['proxied', { proxied: true }, ['web.kua.cl', 'web.kua.cl']],
  ['any of two', { type: 'AAAA', name: { exact: 'db.kua.cl' }, match: 'any' }, ['web.kua.cl', 'db.kua.cl']],
  ['search, in order', { search: 'kua', order: 'name', direction: 'asc' }, ['db.kua.cl', 'web.kua.cl', 'web.kua.cl']],
  ['limit', { limit: 1 }, ['web.kua.cl']],
])('records are listed by %s', async (_, filter, names) => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl', 'pro');
  standIn.addRecord(zone, { name: 'web', type: 'A', content: '203.0.113.7', proxied: true });
  standIn.addRecord(zone, { name: 'web', type: 'AAAA', content: '2001:db8::7', proxied: true });
  standIn.addRecord(zone, { name: 'db', type: 'A', content: '203.0.113.8', comment: 'data', tags: ['team:ops'] });
  const found = await listRecords(clientOf(standIn), zone.id, filter, task);
  expect(found.map(({ name }) => name)).toEqual(names);
});

test('zones are listed, read by id and found by name', async () => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl', 'pro');
  standIn.addZone('example.org');
  const api = clientOf(standIn);
  const expected = {
    id: zone.id,
    name: 'kua.cl',
    status: 'active',
    paused: false,
    plan: 'pro',
    accountId: standIn.accountId,
    nameServers: ['ada.ns.cloudflare.com', 'bob.ns.cloudflare.com'],
  };
  expect((await listZones(api, task)).map(({ name }) => name)).toEqual(['kua.cl', 'example.org']);
  expect(await getZone(api, zone.id, task)).toEqual(expected);
  expect(await zoneNamed(api, ' Kua.CL. ', task)).toEqual(expected);
  expect(await failureOf(zoneNamed(api, 'kua.xl', task))).toMatchObject({
    code: 'zone_not_found',
    message: 'There is no zone kua.xl at Cloudflare that this token may see',
  });
});

test('a zone goes out as a file and comes back from it', async () => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl');
  const api = clientOf(standIn);
  await batchRecords(api, zone.id, { deletes: [], patches: [], puts: [], posts: everyType }, task);
  const file = await exportZone(api, zone.id, task);
  const copy = standIn.addZone('copy.cl');
  const moved = file.replaceAll('kua.cl.', 'copy.cl.');
  expect(await importZone(api, copy.id, { file: moved, proxied: false }, task)).toEqual({ added: 21, parsed: 21 });
  expect(await importZone(api, copy.id, { file: moved, proxied: false }, task)).toEqual({ added: 0, parsed: 21 });
  expect((await exportZone(api, copy.id, task)).replaceAll('copy.cl', 'kua.cl')).toBe(file);
});

test('what a scan finds is reviewed before it is added', async () => {
  const standIn = await cloudflare({
    scanFinds: [
      { name: 'old', type: 'A', content: '203.0.113.9' },
      { name: 'older', type: 'A', content: '203.0.113.10' },
    ],
  });
  const zone = standIn.addZone('kua.cl');
  const api = clientOf(standIn);
  await startScan(api, zone.id, task);
  const [first, second] = await scannedRecords(api, zone.id, task);
  expect([first?.name, second?.name]).toEqual(['old.kua.cl', 'older.kua.cl']);
  const { name, type, ttl, content } = first!;
  const review = { accept: [{ name, type, ttl, content }], reject: [second!.id] };
  expect(await reviewScan(api, zone.id, review, task)).toMatchObject({
    accepted: [{ name: 'old.kua.cl', content: '203.0.113.9' }],
    rejected: [second!.id],
  });
  expect(await scannedRecords(api, zone.id, task)).toEqual([]);
  expect([...zone.records.values()].map((record) => record.name)).toEqual(['old.kua.cl']);
});

test('DNSSEC is switched on and off, and waits for the parent zone both times', async () => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl');
  const api = clientOf(standIn);
  expect(await getDnssec(api, zone.id, task)).toMatchObject({ status: 'disabled', ds: '' });
  expect(await setDnssec(api, zone.id, 'active', task)).toMatchObject({ status: 'pending', keyTag: 2371 });
  zone.dnssec = 'active';
  expect(await setDnssec(api, zone.id, 'disabled', task)).toMatchObject({ status: 'pending-disabled' });
});

test('settings are read and set, the cache is purged', async () => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl');
  const api = clientOf(standIn);
  expect(await getZoneSetting(api, zone.id, 'ssl', task)).toEqual({ id: 'ssl', value: 'full', editable: true });
  await setZoneSetting(api, zone.id, { id: 'browser_cache_ttl', value: 7200 }, task);
  expect(zone.settings.get('browser_cache_ttl')).toBe(7200);
  await purgeCache(api, zone.id, { what: 'everything' }, task);
  await purgeCache(api, zone.id, { what: 'hosts', values: ['www.kua.cl'] }, task);
  expect(zone.purges).toEqual([{ purge_everything: true }, { hosts: ['www.kua.cl'] }]);
});

test('pools, monitors and health checks are listed, read and changed; what is not named stays', async () => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl');
  const api = clientOf(standIn);
  const account = standIn.accountId;
  const origin = { address: '203.0.113.7', enabled: true, weight: 1, header: { Host: ['kua.cl'] } };
  const origins = [
    { ...origin, name: 'bruno' },
    { ...origin, name: 'eva', disabled_at: '2026-01-01T00:00:00Z' },
  ];
  const pool = standIn.addPool({ name: 'web', enabled: true, monitor: 'm', minimum_origins: 1, origins });
  expect(await listPools(api, account, task)).toEqual([await getPool(api, account, pool, task)]);
  const change = { enabled: false, origins: { eva: { enabled: false, weight: 0.5 } } };
  expect(await updatePool(api, account, pool, change, task)).toMatchObject({
    enabled: false,
    origins: [
      { name: 'bruno', enabled: true, weight: 1 },
      { name: 'eva', enabled: false, weight: 0.5 },
    ],
  });
  expect(standIn.writes().at(-1)?.body).toEqual({
    enabled: false,
    origins: [
      { ...origin, name: 'bruno' },
      { ...origin, name: 'eva', enabled: false, weight: 0.5 },
    ],
  });

  const monitor = standIn.addMonitor({ type: 'https', method: 'GET', path: '/', interval: 60, retries: 2, timeout: 5 });
  expect(await listMonitors(api, account, task)).toEqual([await getMonitor(api, account, monitor, task)]);
  await updateMonitor(api, account, monitor, { expectedCodes: '2xx', interval: 30 }, task);
  expect(standIn.writes().at(-1)?.body).toEqual({ expected_codes: '2xx', interval: 30 });

  const check = standIn.addHealthCheck(zone, { name: 'site', address: 'kua.cl', type: 'HTTPS', status: 'healthy' });
  expect(await listHealthChecks(api, zone.id, task)).toEqual([await getHealthCheck(api, zone.id, check, task)]);
  expect(await suspendHealthCheck(api, zone.id, check, true, task)).toMatchObject({ name: 'site', suspended: true });
});

test('a token is inspected, also one that belongs to an account', async () => {
  const standIn = await cloudflare();
  standIn.addZone('kua.cl');
  const whole = { status: 'active', zones: ['kua.cl'], missing: [] };
  expect(await inspectToken(clientOf(standIn), { toEdit: true }, task)).toEqual(whole);
  const ofAccount = clientOf(standIn, standIn.addToken({ owner: 'account' }));
  expect(await inspectToken(ofAccount, { toEdit: true }, task)).toEqual(whole);
});
