import {
  type Batch,
  batchRecords,
  createRecord,
  deleteRecord,
  listRecords,
  patchRecord,
} from '../../../lib/cloudflare/records';
import { inspectToken } from '../../../lib/cloudflare/token';
import { importZone } from '../../../lib/cloudflare/zone-file';
import { setZoneSetting } from '../../../lib/cloudflare/zone-settings';
import { getZone, listZones, zoneNamed } from '../../../lib/cloudflare/zones';
import { clientOf, closeAndKeepContract, cloudflare, task } from './standin';
import { failureOf } from '../../shared/failure';

afterEach(closeAndKeepContract);

const nothing: Batch = { deletes: [], patches: [], puts: [], posts: [] };
const web = { name: 'web.kua.cl', type: 'A', ttl: 300, content: '203.0.113.7' };

async function start(settings: Parameters<typeof cloudflare>[0] = {}) {
  const standIn = await cloudflare(settings);
  const zone = standIn.addZone('kua.cl');
  return { standIn, zone, api: clientOf(standIn) };
}

describe('a batch', () => {
  test('deletes before it patches, replaces and creates, so a name can change hands', async () => {
    const { standIn, zone, api } = await start();
    const a = standIn.addRecord(zone, { name: 'one', type: 'A', content: '203.0.113.1' });
    const alias = standIn.addRecord(zone, { name: 'two', type: 'CNAME', content: 'one.kua.cl' });
    const txt = standIn.addRecord(zone, { name: 'three', type: 'TXT', content: 'x', comment: 'kept' });
    const result = await batchRecords(
      api,
      zone.id,
      {
        posts: [{ name: 'two.kua.cl', type: 'A', ttl: 60, content: '203.0.113.2' }],
        puts: [{ id: a.id, name: 'one.kua.cl', type: 'AAAA', ttl: 60, content: '2001:db8::1' }],
        patches: [{ id: txt.id, name: 'three.kua.cl', type: 'TXT', ttl: 60 }],
        deletes: [alias.id],
      },
      task,
    );
    expect(result.deleted.map(({ id }) => id)).toEqual([alias.id]);
    expect(
      [...zone.records.values()].map(({ name, type, content, comment }) => [name, type, content, comment]),
    ).toEqual([
      ['one.kua.cl', 'AAAA', '2001:db8::1', undefined],
      ['three.kua.cl', 'TXT', 'x', 'kept'],
      ['two.kua.cl', 'A', '203.0.113.2', undefined],
    ]);
  });

  test('is done wholly or not at all', async () => {
    const { standIn, zone, api } = await start();
    const old = standIn.addRecord(zone, { name: 'old', type: 'A', content: '203.0.113.1' });
    const before = standIn.exported(zone);
    const failure = await failureOf(
      batchRecords(
        api,
        zone.id,
        { ...nothing, deletes: [old.id], posts: [web, { ...web, name: 'x.kua.cl', content: '1.2' }] },
        task,
      ),
    );
    expect(failure).toMatchObject({
      code: 'invalid_request',
      message: `Cloudflare answered 400 to POST /zones/${zone.id}/dns_records/batch: Content for A record must be a valid IPv4 address (9005)`,
    });
    expect(standIn.exported(zone)).toBe(before);
  });

  test.each([
    ['free', 200],
    ['enterprise', 3500],
  ] as const)('on the plan %s takes %i operations and no more', async (plan, most) => {
    const standIn = await cloudflare();
    const zone = standIn.addZone('kua.cl', plan);
    const api = clientOf(standIn);
    const posts = Array.from({ length: most }, (_, index) => ({ ...web, name: `n${index}.kua.cl` }));
    const tooMany = { ...nothing, posts: [...posts, web] };
    expect((await failureOf(batchRecords(api, zone.id, tooMany, task))).message).toContain(
      `at most ${most} operations`,
    );
    expect((await batchRecords(api, zone.id, { ...nothing, posts }, task)).posted).toHaveLength(most);
  });

  test('whose answer is lost is not sent again: its outcome is unknown', async () => {
    const { standIn, zone, api } = await start();
    standIn.fail({ kind: 'break after', path: /batch$/ });
    expect(await failureOf(batchRecords(api, zone.id, { ...nothing, posts: [web] }, task))).toMatchObject({
      code: 'outcome_unknown',
    });
    expect(standIn.writes()).toHaveLength(1);
    expect(zone.records.size).toBe(1);
  });

  test('that is throttled waits as long as it is told, and is done once', async () => {
    const { standIn, zone, api } = await start();
    standIn.tooManyRequests(7, 2);
    await batchRecords(api, zone.id, { ...nothing, posts: [web] }, task);
    expect(standIn.writes()).toHaveLength(3);
    expect(zone.records.size).toBe(1);
    expect(api.waits.filter((wait) => wait >= 7000 && wait < 7300)).toHaveLength(2);
  });
});

describe('refusals are sentences with a next step', () => {
  test.each([
    ['an identical record', { ...web }, 'record_exists', 'An identical record already exists (81058)'],
    [
      'a CNAME beside an address',
      { name: 'web.kua.cl', type: 'CNAME', ttl: 1, content: 'kua.cl' },
      'record_conflict',
      'An A, AAAA, or CNAME record with that host already exists (81053)',
    ],
    [
      'an address beside a CNAME',
      { name: 'alias.kua.cl', type: 'A', ttl: 1, content: '203.0.113.9' },
      'record_conflict',
      'A CNAME record with that host already exists (81054)',
    ],
    [
      'a TTL that is too short',
      { ...web, name: 'x.kua.cl', ttl: 30 },
      'invalid_ttl',
      'Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic (9021)',
    ],
    [
      'tags where none are allowed',
      { ...web, name: 'x.kua.cl', tags: ['team:ops'] },
      'tags_not_allowed',
      'DNS record has 1 tags, exceeding the quota of 0 (9300)',
    ],
    [
      'a mail server that is proxied',
      { name: 'kua.cl', type: 'MX', ttl: 1, content: 'mail.kua.cl', priority: 1, proxied: true },
      'invalid_request',
      'This record type cannot be proxied (9004)',
    ],
  ])('%s', async (_, record, code, sentence) => {
    const { standIn, zone, api } = await start();
    standIn.addRecord(zone, web);
    standIn.addRecord(zone, { name: 'alias', type: 'CNAME', content: 'web.kua.cl' });
    const failure = await failureOf(createRecord(api, zone.id, record, task));
    expect(failure).toMatchObject({
      code,
      subject: `Cloudflare: POST /zones/${zone.id}/dns_records`,
      message: `Cloudflare answered 400 to POST /zones/${zone.id}/dns_records: ${sentence}`,
      details: { status: 400, attempts: 1, correlation: { 'cf-ray': '0000000000000001-TST' } },
    });
    expect(failure.nextStep).toMatch(/^[A-Z].*\.$/);
    expect(zone.records.size).toBe(2);
  });

  test('an identical record by the older code', async () => {
    const { standIn, zone, api } = await start({ identical: 81057 });
    standIn.addRecord(zone, web);
    expect(await failureOf(createRecord(api, zone.id, web, task))).toMatchObject({ code: 'record_exists' });
  });

  test('a record that is gone, a zone that is none, a setting that is none', async () => {
    const { zone, api } = await start();
    const nobody = { id: 'f'.repeat(32), ...web };
    expect(await failureOf(patchRecord(api, zone.id, nobody, task))).toMatchObject({
      code: 'record_not_found',
      details: { status: 404 },
    });
    expect(await failureOf(getZone(api, 'f'.repeat(32), task))).toMatchObject({ code: 'not_found' });
    expect(await failureOf(setZoneSetting(api, zone.id, { id: 'ssll', value: 'full' }, task))).toMatchObject({
      code: 'not_found',
      message: `Cloudflare answered 404 to PATCH /zones/${zone.id}/settings/ssll: Undefined zone setting: ssll (1006)`,
    });
  });

  test('a file with a record that is not taken adds nothing', async () => {
    const { zone, api } = await start();
    const file = 'a.kua.cl. 300 IN A 203.0.113.1\nb.kua.cl. 300 IN A nowhere\n';
    expect(await failureOf(importZone(api, zone.id, { file, proxied: false }, task))).toMatchObject({
      code: 'invalid_request',
    });
    expect(zone.records.size).toBe(0);
  });
});

describe('what may be repeated is repeated, and never done twice', () => {
  test('a create whose answer is lost', async () => {
    const { standIn, zone, api } = await start();
    standIn.fail({ kind: 'break after', method: 'POST' });
    expect(await failureOf(createRecord(api, zone.id, web, task))).toMatchObject({ code: 'outcome_unknown' });
    expect(zone.records.size).toBe(1);
  });

  test('a delete whose answer is lost finds its own work', async () => {
    const { standIn, zone, api } = await start();
    const record = standIn.addRecord(zone, web);
    standIn.fail({ kind: 'break after', method: 'DELETE' });
    expect(await deleteRecord(api, zone.id, record.id, task)).toBe(true);
    expect(standIn.writes()).toHaveLength(2);
  });

  test('a change to a record', async () => {
    const { standIn, zone, api } = await start();
    const { id } = standIn.addRecord(zone, web);
    standIn.fail({ kind: 'break before', method: 'PATCH' });
    standIn.fail({ kind: 'answer', method: 'PATCH', reply: { status: 502, text: 'Bad gateway' } });
    expect(await patchRecord(api, zone.id, { ...web, id, content: '203.0.113.8' }, task)).toMatchObject({
      content: '203.0.113.8',
    });
    expect(standIn.writes()).toHaveLength(3);
  });
});

describe('lists', () => {
  test('are read to their end, page by page', async () => {
    const { standIn, zone, api } = await start({ largestPage: 7 });
    const names = Array.from({ length: 30 }, (_, index) => `n${index}.kua.cl`);
    for (const name of names) standIn.addRecord(zone, { ...web, name });
    for (let index = 0; index < 8; index += 1) standIn.addZone(`z${index}.cl`);
    standIn.forget();
    expect((await listRecords(api, zone.id, {}, task)).map(({ name }) => name)).toEqual(names);
    expect(standIn.seen.map(({ url }) => url.split('?')[1])).toEqual([
      'per_page=5000',
      'per_page=5000&page=2',
      'per_page=5000&page=3',
      'per_page=5000&page=4',
      'per_page=5000&page=5',
    ]);
    expect(await listZones(api, task)).toHaveLength(9);
    expect((await listRecords(api, zone.id, { limit: 9 }, task)).map(({ name }) => name)).toEqual(names.slice(0, 9));
  });

  test('of a thousand records take one request', async () => {
    const standIn = await cloudflare();
    const zone = standIn.addZone('kua.cl', 'pro');
    for (let index = 0; index < 1000; index += 1) standIn.addRecord(zone, { ...web, name: `n${index}` });
    expect(await listRecords(clientOf(standIn), zone.id, {}, task)).toHaveLength(1000);
    expect(standIn.seen).toHaveLength(1);
  });

  test.each([
    [1, 'are read again'],
    [9, 'are never given in part'],
  ])('that change during %i readings %s', async (times) => {
    let left = times;
    const { standIn, zone, api } = await start({
      largestPage: 5,
      // When the first page is out, a record of it is deleted: the first of the second page slips through.
      onExchange: ({ url }) => {
        if (url.includes('&page=') || left === 0) return;
        left -= 1;
        zone.records = new Map([...zone.records].slice(1));
      },
    });
    for (let index = 0; index < 30; index += 1) standIn.addRecord(zone, { ...web, name: `n${index}` });
    const listed = listRecords(api, zone.id, {}, task);
    if (times === 1) {
      expect((await listed).map(({ name }) => name)).toEqual([...zone.records.values()].map(({ name }) => name));
    } else {
      expect(await failureOf(listed)).toMatchObject({
        code: 'list_changed',
        nextStep: 'Run it again when nobody else is changing it.',
      });
    }
  });
});

describe('tokens', () => {
  test.each([
    [['zone:read', 'dns_records:read', 'dns_records:edit'], []],
    [['zone:read', 'dns_records:read'], ['DNS: Edit']],
    [['zone:read'], ['DNS: Read', 'DNS: Edit']],
    [['dns_records:read', 'dns_records:edit'], ['Zone: Read']],
  ])('with %j lack %j, and asking changes nothing', async (permissions, missing) => {
    const { standIn, zone } = await start();
    standIn.addRecord(zone, web);
    const before = standIn.exported(zone);
    const report = await inspectToken(clientOf(standIn, standIn.addToken({ permissions })), { toEdit: true }, task);
    expect(report.missing).toEqual(missing);
    expect(standIn.exported(zone)).toBe(before);
  });

  test('that are only to read are not asked whether they can edit', async () => {
    const { standIn } = await start();
    const token = standIn.addToken({ permissions: ['zone:read', 'dns_records:read'] });
    expect((await inspectToken(clientOf(standIn, token), { toEdit: false }, task)).missing).toEqual([]);
    expect(standIn.writes()).toEqual([]);
  });

  test('that reach no zone say so', async () => {
    const { standIn } = await start();
    const api = clientOf(standIn, standIn.addToken({ zones: [] }));
    expect((await inspectToken(api, { toEdit: true }, task)).missing).toEqual(['a zone under Zone Resources']);
  });

  test.each(['disabled', 'expired'] as const)('that are %s are refused', async (status) => {
    const { standIn } = await start();
    const api = clientOf(standIn, standIn.addToken({ status }));
    expect(await failureOf(inspectToken(api, { toEdit: true }, task))).toMatchObject({
      code: 'unauthorized',
      message: `The Cloudflare API token is ${status}`,
    });
  });

  test('that are unknown are refused, and never shown', async () => {
    const { standIn } = await start();
    const failure = await failureOf(inspectToken(clientOf(standIn, 'unknown-secret'), { toEdit: true }, task));
    expect(failure).toMatchObject({ code: 'unauthorized', details: { status: 403 } });
    const { message, nextStep, subject, details } = failure;
    expect(JSON.stringify([message, nextStep, subject, details])).not.toContain('unknown-secret');
  });

  test('for one zone see no other', async () => {
    const { standIn } = await start();
    standIn.addZone('other.cl');
    const api = clientOf(standIn, standIn.addToken({ zones: ['kua.cl'] }));
    expect((await zoneNamed(api, 'kua.cl', task)).name).toBe('kua.cl');
    expect(await failureOf(zoneNamed(api, 'other.cl', task))).toMatchObject({ code: 'zone_not_found' });
  });
});
