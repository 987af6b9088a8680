import type { JsonObject } from '../../../lib/json';
import { type Given, worked } from '../../shared/flow-expressions';

describe('where DNS update points names', () => {
  const host = (name: string, more: JsonObject = {}) => ({
    ...{ name, address: `192.0.2.${name.length}`, provider: 'ovh', server: '', addressFrom: [] },
    ...more,
  });
  const domain = (zone: string, names: readonly string[], on: string, more: JsonObject = {}) => ({
    ...{ zone, at: 'hetzner', owner: 'n8n', terraform: null },
    names: names.map((name) => ({ name: `${name}.${zone}`, host: on, proxied: false })),
    ...more,
  });
  const server = (name: string, status: string, labels: JsonObject = {}) => ({
    ...{ name, status, labels, ipv4: `203.0.113.${name.length}` },
  });
  const inventory = {
    estate: 'lab',
    hosts: [host('bruno', { provider: 'hetzner', server: 'bruno' }), host('eva')],
    domains: [
      domain('shop.test', ['www', 'mail'], 'bruno'),
      domain('eva.test', ['www'], 'eva'),
      domain('code.test', ['www'], 'bruno', { owner: 'terraform', terraform: { repository: 'a/b', file: 'c' } }),
    ],
  };
  const shop = { name: 'shop', home: 'bruno', standby: 'eva', names: ['www.shop.test', 'www.code.test'] };
  const desired = (servers: readonly JsonObject[], turns?: readonly JsonObject[]) => {
    const before: Given['nodes'] = { Inventory: [inventory], Servers: servers };
    const asked = { ...before, 'Each of them': [{ service: shop }], 'Whose turn': turns ?? [] };
    const at = worked('dns-update.json', 'Where they run', 'at', { nodes: asked }) as JsonObject;
    const unknown = worked('dns-update.json', 'Where they run', 'unknown', { nodes: asked }) as JsonObject[];
    const nodes = turns === undefined ? before : { ...asked, 'Where they run': [{ at, unknown }] };
    const [zones, proposals, unclear, why] = ['zones', 'proposals', 'unclear', 'why'].map((field) =>
      worked('dns-update.json', 'Desired', field, { nodes }),
    );
    const records = (zones as { zone: string; records: { name: string; content: string }[] }[]).flatMap((zone) =>
      zone.records.map(({ name, content }) => [name, content]),
    );
    return { records: Object.fromEntries(records) as JsonObject, proposals, unclear, why };
  };
  const running = [server('bruno', 'running')];
  const HOME = '203.0.113.5';
  const STANDBY = '192.0.2.3';
  const evas = { 'www.eva.test': STANDBY };

  test('at the host that the inventory names, while nothing has moved', () => {
    const records = { 'www.shop.test': HOME, 'mail.shop.test': HOME, ...evas };
    expect(desired(running)).toMatchObject({ records, unclear: [], why: [] });
    expect(desired(running, [{ turn: { number: 0, at: 'home' } }])).toMatchObject({ records, unclear: [] });
    expect(desired(running, [{ turn: { number: 2, at: 'home' } }])).toMatchObject({ records, unclear: [] });
  });

  test('at the standby, for the names of a service whose turn is there, also where Terraform is asked', () => {
    const { records, proposals, unclear } = desired(running, [{ turn: { number: 1, at: 'standby' } }]);
    expect(records).toEqual({ 'www.shop.test': STANDBY, 'mail.shop.test': HOME, ...evas });
    expect(proposals).toMatchObject([{ zone: 'code.test', addresses: { 'www.code.test': STANDBY } }]);
    expect(unclear).toEqual([]);
  });

  test('nowhere else than now, in a zone in which nobody can say whose turn it is', () => {
    const { records, proposals, unclear, why } = desired(running, [{ error: 'host eva does not answer' }]);
    expect({ records, proposals }).toEqual({ records: evas, proposals: [] });
    expect({ unclear, why }).toEqual({
      unclear: ['shop'],
      why: ['shop: eva does not say whose turn it is to run it'],
    });
  });

  test('nowhere else than now, while a recovered server stands in for a host that is off', () => {
    const labels = { 'selfhost-recovery': 'bruno', 'selfhost-drill': 'no' };
    const { records, unclear, why } = desired([server('bruno', 'off'), server('bruno-recovery', 'running', labels)]);
    expect({ records, unclear }).toEqual({ records: evas, unclear: ['bruno'] });
    expect(why).toEqual([
      'bruno is off, and bruno-recovery stands in for it: write that server and its address into the inventory',
    ]);
    // Neither a drill nor a host that runs again changes anything.
    const drill = { ...labels, 'selfhost-drill': 'yes' };
    for (const servers of [
      [server('bruno', 'off'), server('bruno-drill', 'running', drill)],
      [server('bruno', 'running'), server('bruno-recovery', 'off', labels)],
    ])
      expect(desired(servers)).toMatchObject({ records: { 'www.shop.test': HOME }, unclear: [] });
  });
});

test('the failure of Notify is not told by Notify, which would fail again, for ever', () => {
  const ends = (workflow: string) =>
    worked('on-error.json', 'Is it Notify itself?', 'condition', { json: { workflow } });
  expect(['selfhostNotify', 'selfhostInventory', 'selfhostDnsUpdate'].map(ends)).toEqual([true, false, false]);
});

test('the same failure has the same key for an hour; one of the inventory is the same for all flows', () => {
  const key = (id: string, lastNodeExecuted: string, message: string) =>
    worked('on-error.json', 'What happened', 'same', {
      json: { workflow: { id, name: id }, execution: { lastNodeExecuted, error: { message } } },
    });
  const first = key('selfhostDnsUpdate', 'Zones', 'no answer within 20.3 s');
  expect(key('selfhostDnsUpdate', 'Zones', 'no answer within 17 s')).not.toBe(key('other', 'Zones', 'no answer'));
  expect(key('selfhostDnsUpdate', 'Zones', 'no answer within 19.8 s')).toBe(first);
  expect(key('selfhostDnsUpdate', 'Servers', 'no answer within 20.3 s')).not.toBe(first);
  expect(key('selfhostRegistry', 'Zones', 'no answer within 20.3 s')).not.toBe(first);
  const broken = key('selfhostInventory', 'Check', 'the service docs names no host');
  expect(key('selfhostRegistry', 'Inventory', 'the service docs names no host')).toBe(broken);
});
