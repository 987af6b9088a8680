import { failure as answer } from '../../../../lab/standins/hetzner';
import { defaultManner } from '../../../../lib/hetzner/change';
import { readEstate } from '../../../../lib/hetzner/estate';
import { changeRules, planRules, readRule } from '../../../../lib/hetzner/firewall-rules';
import { findItem, getItem, listItems } from '../../../../lib/hetzner/read';
import { changeRecords, recordValue, setRecordSet } from '../../../../lib/hetzner/record-sets';
import { servers } from '../../../../lib/hetzner/resources/compute';
import { firewalls } from '../../../../lib/hetzner/resources/network';
import { keepNewestSnapshots } from '../../../../lib/hetzner/retention';
import { checkPassword, planBody } from '../../../../lib/hetzner/storage-boxes';
import { checkToken } from '../../../../lib/hetzner/token';
import { type HetznerSetting, hetznerSetting } from '../../../shared/hetzner';
import { quietTask } from '../../../shared/task';
import { failureOf } from '../../../shared/failure';

const task = quietTask();
let setting: HetznerSetting;

beforeEach(async () => {
  setting = await hetznerSetting({ largestPage: 3 });
});
afterEach(() => setting.standIn.close());

const addServer = (name: string, changes = {}) =>
  setting.standIn.add('servers', { name, server_type: 'cx23', image: '101', location: 'fsn1' }, changes);
const writes = () =>
  setting.standIn.cloud.seen.filter(({ method }) => method !== 'GET').map(({ url, body }) => [url, body]);

describe('reading', () => {
  test('a list is read to its last page, however small the pages are', async () => {
    for (let index = 0; index < 10; index += 1) addServer(`s${index}`);
    const all = await listItems(setting.api, servers, { sort: 'name:asc' }, task);
    expect(all.map(({ name }) => name)).toEqual(Array.from({ length: 10 }, (_, index) => `s${index}`));
    expect(await listItems(setting.api, servers, { limit: 4 }, task)).toHaveLength(4);
  });

  test('labels select', async () => {
    addServer('a', { labels: { env: 'production' } });
    addServer('b', { labels: { env: 'test' } });
    const some = await listItems(setting.api, servers, { labelSelector: 'env=production' }, task);
    expect(some.map(({ name }) => name)).toEqual(['a']);
  });

  test.each(['', '   '])('an empty label selector selects nothing, and nothing is asked', async (labelSelector) => {
    expect(await failureOf(listItems(setting.api, servers, { labelSelector }, task))).toMatchObject({
      message: 'The label selector is empty, which would select everything',
    });
    expect(setting.standIn.cloud.seen).toEqual([]);
  });

  test('a name that is not there is answered with those that are', async () => {
    addServer('bruno');
    expect(await failureOf(findItem(setting.api, servers, 'brno', task))).toMatchObject({
      code: 'not_found',
      nextStep: 'Use one of these: bruno.',
    });
  });

  test('an answer that breaks its promise is a failure that names the field', async () => {
    const { id } = addServer('bruno', { labels: 7 });
    expect(await failureOf(getItem(setting.api, servers, { id: Number(id) }, task))).toMatchObject({
      code: 'unexpected_answer',
      message: 'The answer of Hetzner is not what its API promises: server.labels must be labels',
    });
  });
});

describe('a token', () => {
  test('that may write is told from one that may only read and from one that is wrong', async () => {
    const check = (token: string) => checkToken(setting.apiWith(token), task);
    expect(await check('good-token')).toEqual({ mayWrite: true, storage: { reachable: true } });
    expect(await check('read-only-token')).toEqual({ mayWrite: false, storage: { reachable: true } });
    expect(await failureOf(check('wrong'))).toMatchObject({ code: 'unauthorized' });
    expect(setting.standIn.state.things.get('ssh_keys') ?? []).toEqual([]);
  });
});

describe('snapshots', () => {
  const snapshot = (id: number, created: string, changes = {}) =>
    setting.standIn.state.things.get('images')?.push({
      ...setting.standIn.state.things.get('images')?.[0],
      id,
      type: 'snapshot',
      name: null,
      created,
      labels: { app: 'immich' },
      ...changes,
    });
  const keep = (dryRun: boolean, labelSelector = 'app=immich') =>
    keepNewestSnapshots(setting.api, { labelSelector, keep: 2 }, { ...defaultManner, dryRun }, task);

  test('all but the newest are deleted, protected and unfinished ones stay, and a dry run shows it beforehand', async () => {
    snapshot(1, '2026-11-01T00:00:00Z');
    snapshot(2, '2026-11-05T00:00:00Z');
    snapshot(3, '2026-11-03T00:00:00Z', { protection: { delete: true } });
    snapshot(4, '2026-11-04T00:00:00Z');
    snapshot(5, '2026-11-09T00:00:00Z', { status: 'creating' });
    snapshot(6, '2026-10-01T00:00:00Z', { labels: { app: 'forgejo' } });
    const fates = async (dryRun: boolean) => (await keep(dryRun)).map(({ image, fate }) => [image.id, fate]);
    expect(await fates(true)).toEqual([
      [2, 'kept'],
      [4, 'kept'],
      [3, 'protected'],
      [1, 'would be deleted'],
    ]);
    expect(writes()).toEqual([]);
    expect(await fates(false)).toEqual([
      [2, 'kept'],
      [4, 'kept'],
      [3, 'protected'],
      [1, 'deleted'],
    ]);
    expect(writes()).toEqual([['/images/1', undefined]]);
  });

  test('a failure on the way says what is gone already', async () => {
    for (const day of [1, 2, 3, 4]) snapshot(day, `2026-11-0${day}T00:00:00Z`);
    setting.standIn.cloud.fail({
      kind: 'answer',
      method: 'DELETE',
      after: 1,
      reply: answer(409, 'resource_in_use', 'image is in use'),
    });
    expect(await failureOf(keep(false))).toMatchObject({
      code: 'resource_in_use',
      message: expect.stringMatching(/image is in use; one snapshot was deleted before$/) as string,
      details: { deleted: [2] },
    });
  });

  test('without a selector nothing is deleted', async () => {
    expect(await failureOf(keep(false, ''))).toMatchObject({ code: 'invalid_input' });
  });
});

describe('firewall rules', () => {
  const web = readRule({ protocol: 'tcp', port: 443, addresses: ['0.0.0.0/0'], description: 'web' });
  const ssh = readRule({ direction: 'in', protocol: 'tcp', port: '22', source_ips: ['203.0.113.7'] });

  test('are compared by what they do, not by how they are written', () => {
    const sameWeb = readRule({ protocol: 'tcp', port: '443', source_ips: ['0.0.0.0/0'] });
    expect(planRules([web, ssh], { kind: 'set', rules: [ssh, sameWeb] })).toMatchObject({ added: [], removed: [] });
    expect(ssh.addresses).toEqual(['203.0.113.7/32']);
  });

  test('one is added and one removed with the others kept, and the difference is told', async () => {
    const { id } = setting.standIn.add('firewalls', { name: 'web', rules: [] });
    const firewall = () => getItem(setting.api, firewalls, { id: Number(id) }, task);
    await changeRules(setting.api, await firewall(), { kind: 'add', rules: [web, ssh] }, defaultManner, task);
    const again = await changeRules(setting.api, await firewall(), { kind: 'add', rules: [ssh] }, defaultManner, task);
    const less = await changeRules(
      setting.api,
      await firewall(),
      { kind: 'remove', rules: [web] },
      defaultManner,
      task,
    );
    expect([again.changed, less.added, less.removed]).toEqual([false, [], [web]]);
    expect((await firewall()).rules.map(readRule)).toEqual([ssh]);
  });

  test('rules that somebody else sets at the same moment are not overwritten', async () => {
    const { id } = setting.standIn.add('firewalls', { name: 'web', rules: [] });
    const seen = await getItem(setting.api, firewalls, { id: Number(id) }, task);
    await changeRules(setting.api, seen, { kind: 'add', rules: [ssh] }, defaultManner, task);
    const late = changeRules(setting.api, seen, { kind: 'add', rules: [web] }, defaultManner, task);
    expect(await failureOf(late)).toMatchObject({
      code: 'conflict',
      message: 'The rules of web were changed by somebody else at this moment',
    });
    expect(writes()).toHaveLength(1);
  });

  test.each([
    [{ protocol: 'tcp', addresses: ['0.0.0.0/0'] }, 'with tcp it has a port, like 443 or 8000-8010'],
    [{ protocol: 'icmp', port: 1, addresses: ['0.0.0.0/0'] }, 'with icmp it has no port'],
    [
      { protocol: 'tcp', port: '99999', addresses: ['0.0.0.0/0'] },
      'its port is a number from 1 to 65535, or a range of two',
    ],
    [{ protocol: 'http', addresses: [] }, 'its protocol is one of tcp, udp, icmp, esp, gre'],
    [{ protocol: 'tcp', port: 80 }, 'it names the networks it allows traffic from as "addresses"'],
  ])('%j is refused with a sentence', (rule, why) => {
    expect(() => readRule(rule)).toThrow(`A firewall rule cannot be used: ${why}`);
  });
});

describe('record sets', () => {
  beforeEach(() => {
    setting.standIn.add('zones', { name: 'kua.cl', mode: 'primary' });
  });
  const www = { zone: 'kua.cl', name: 'WWW', type: 'a' };
  const set = (values: readonly string[], ttl?: number) =>
    setRecordSet(
      setting.api,
      www,
      { records: values.map((value) => ({ value })), ...(ttl !== undefined && { ttl }) },
      defaultManner,
      task,
    );

  test('are made, changed where they differ, and left alone otherwise', async () => {
    const made = await set(['203.0.113.7'], 300);
    const same = await set(['203.0.113.7'], 300);
    const other = await set(['203.0.113.8', '203.0.113.9'], 60);
    expect([made.changed, same.changed, other.changed]).toEqual([true, false, true]);
    expect(other.changes).toEqual([
      { field: 'ttl', before: 300, after: 60 },
      {
        field: 'records',
        before: [{ value: '203.0.113.7' }],
        after: [{ value: '203.0.113.8' }, { value: '203.0.113.9' }],
      },
    ]);
    expect(writes().map(([url]) => url)).toEqual([
      '/zones/kua.cl/rrsets',
      '/zones/kua.cl/rrsets/www/A/actions/set_records',
      '/zones/kua.cl/rrsets/www/A/actions/change_ttl',
    ]);
  });

  test('records are added and removed beside others', async () => {
    await set(['203.0.113.7']);
    const change = (how: 'add_records' | 'remove_records') =>
      changeRecords(setting.api, www, how, { records: [{ value: '203.0.113.8' }] }, defaultManner, task);
    const results = [await change('add_records'), await change('add_records'), await change('remove_records')];
    expect(results.map(({ changed, item }) => [changed, item?.records])).toEqual([
      [true, [{ value: '203.0.113.7' }, { value: '203.0.113.8' }]],
      [false, [{ value: '203.0.113.7' }, { value: '203.0.113.8' }]],
      [true, [{ value: '203.0.113.7' }]],
    ]);
  });

  test('a set is made by its first record, and gone with its last', async () => {
    const one = { records: [{ value: '203.0.113.7' }], ttl: 300 };
    const change = (how: 'add_records' | 'remove_records') =>
      changeRecords(setting.api, www, how, one, defaultManner, task);
    const results = [await change('add_records'), await change('remove_records'), await change('remove_records')];
    expect(results.map(({ changed, item }) => [changed, item?.records])).toEqual([
      [true, [{ value: '203.0.113.7' }]],
      [true, undefined],
      [false, undefined],
    ]);
  });

  test('text is put into quotes, in pieces of 255 bytes', () => {
    expect(recordValue('TXT', 'v=spf1 "x" -all')).toBe('"v=spf1 \\"x\\" -all"');
    expect(recordValue('txt', 'a'.repeat(300))).toBe(`"${'a'.repeat(255)}" "${'a'.repeat(45)}"`);
    expect(recordValue('TXT', '"as it is"')).toBe('"as it is"');
  });

  test.each([
    [{ ...www, name: 'www.kua.cl' }, '"www.kua.cl" holds the zone, and the names of record sets are below it'],
    [{ ...www, zone: ' ' }, 'The name of the zone is empty'],
  ])('%j is refused with a sentence', async (at, message) => {
    const attempt = setRecordSet(setting.api, at, { records: [{ value: '203.0.113.7' }] }, defaultManner, task);
    expect(await failureOf(attempt)).toMatchObject({ message });
  });

  test('a set without records is refused, as it would be a deletion', async () => {
    expect(await failureOf(set([]))).toMatchObject({ message: 'A record set has at least one record' });
  });
});

describe('storage boxes', () => {
  test.each(['short', 'no-capital-letters-1', 'NoDigitsAtAll!!!'])(
    'the password %s is refused before it is sent',
    (password) => {
      expect(() => checkPassword(password)).toThrow('The password is too weak for Hetzner');
    },
  );

  test('a plan is for a day of the week or of the month, not both', () => {
    expect(() => planBody({ maxSnapshots: 7, hour: 3, minute: 0, dayOfWeek: 1, dayOfMonth: 1 })).toThrow(
      'A snapshot plan has a day of the week or a day of the month, not both',
    );
  });
});

test('the estate is all there is and what it costs, by label and in total, with what is worth a look', async () => {
  const { add } = setting.standIn;
  const safe = { protection: { delete: true } };
  const production = { labels: { env: 'production' } };
  const firewall = add('firewalls', { name: 'web', apply_to: [{ type: 'label_selector' }] });
  const behind = { public_net: { ipv4: null, ipv6: null, floating_ips: [], firewalls: [{ id: firewall['id'] }] } };
  const server = addServer('bruno', { ...production, ...safe, ...behind, backup_window: '22-02' });
  Object.assign(server['protection'] as object, { rebuild: true });
  addServer('eva', {
    labels: { 'ssh-host-key': 'ed25519.AAAA' },
    status: 'off',
    protection: { delete: false, rebuild: false },
  });
  add('volumes', { name: 'data', size: 100, location: 'fsn1', server: server['id'] }, safe);
  add('volumes', { name: 'old', size: 10, location: 'fsn1' });
  add('floating_ips', { name: 'www', type: 'ipv4', home_location: 'fsn1' }, safe);
  add('primary_ips', { name: 'kept', type: 'ipv4', location: 'fsn1' });
  add('primary_ips', { name: 'goes', type: 'ipv4', location: 'fsn1', auto_delete: true, assignee_id: server['id'] });
  add('load_balancers', { name: 'front', load_balancer_type: 'lb11', location: 'fsn1' }, safe);
  const full = { stats: { size: Math.round(2 ** 40 * 0.95), size_data: 0, size_snapshots: 0 } };
  add('storage_boxes', { name: 'vault', storage_box_type: 'bx11', location: 'fsn1', ...production }, full);
  add('networks', { name: 'inner', ip_range: '10.0.0.0/16' });
  add('firewalls', { name: 'unused' });
  add(
    'certificates',
    { name: 'kua', type: 'uploaded' },
    { not_valid_after: new Date(Date.now() + 864e5).toISOString() },
  );
  add('zones', { name: 'kua.cl', mode: 'primary' }, safe);
  add('ssh_keys', { name: 'daniel', public_key: 'ssh-ed25519 AAAA' });
  const { currency, monthly, unpriced, byLabel, byKind, items } = await readEstate(setting.api, task);
  expect({ currency, monthly, unpriced, byKind, byLabel }).toEqual({
    currency: 'EUR',
    // bruno costs a fifth more for its backups.
    monthly: 24.14,
    unpriced: [],
    byKind: [
      { kind: 'server', monthly: 3.6 + 3, items: 2 },
      { kind: 'load balancer', monthly: 5.5, items: 1 },
      { kind: 'volume', monthly: 4.84, items: 2 },
      { kind: 'storage box', monthly: 3.2, items: 1 },
      { kind: 'floating IP', monthly: 3, items: 1 },
      { kind: 'primary IP', monthly: 1, items: 2 },
      { kind: 'certificate', monthly: 0, items: 1 },
      { kind: 'DNS zone', monthly: 0, items: 1 },
      { kind: 'firewall', monthly: 0, items: 2 },
      { kind: 'network', monthly: 0, items: 1 },
      { kind: 'SSH key', monthly: 0, items: 1 },
    ],
    byLabel: [
      { label: 'no label', monthly: 17.34, items: 13 },
      { label: 'env=production', monthly: 6.8, items: 2 },
    ],
  });
  expect(items.map(({ kind, name, warnings }) => [kind, name, warnings])).toEqual([
    ['server', 'bruno', ['its backups do not contain the volumes data']],
    [
      'server',
      'eva',
      [
        'not protected from deletion',
        'behind no firewall of Hetzner',
        'switched off, and costs as if it ran',
        'no backups by Hetzner',
      ],
    ],
    ['volume', 'data', []],
    ['volume', 'old', ['not protected from deletion', 'attached to nothing, and costs money']],
    ['floating IP', 'www', ['attached to nothing, and costs money']],
    ['primary IP', 'kept', ['not protected from deletion', 'attached to nothing, and costs money']],
    ['primary IP', 'goes', []],
    ['load balancer', 'front', ['attached to nothing, and costs money']],
    ['storage box', 'vault', ['not protected from deletion', 'no snapshot plan', '95 % full']],
    ['network', 'inner', ['not protected from deletion']],
    ['firewall', 'web', []],
    ['firewall', 'unused', ['applied to nothing']],
    ['certificate', 'kua', [expect.stringMatching(/^valid only until 20/)]],
    ['SSH key', 'daniel', []],
    ['DNS zone', 'kua.cl', []],
  ]);
});

test('what the price list does not know is named, and is not in the sum', async () => {
  const { add, state } = setting.standIn;
  const types = state.things.get('server_types') ?? [];
  addServer('bruno', { server_type: { ...types[0], name: 'cx99' } });
  add('volumes', { name: 'data', size: 100, location: 'fsn1' });
  const { monthly, unpriced } = await readEstate(setting.api, task);
  expect({ monthly, unpriced }).toEqual({ monthly: 4.4, unpriced: ['server bruno'] });
});
