import { Resolver } from 'node:dns/promises';
import { startCloudflare, type CloudflareStandIn, type Zone } from '../../lab/standins/cloudflare';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, sharedN8n, type NodeUnderTest } from './harness';

const { api } = sharedN8n();
const OLD = '188.34.198.57';
const NEW = '46.224.125.1';
/** What stands in the estate's zone before n8n has ever touched it: every record is somebody else's. */
const names = ['@', 'secrets', 'git', 'media', 'cdn', 'notes', 'docs', 'n8n'];

describe('the Cloudflare DNS node in n8n', () => {
  let cloudflare: CloudflareStandIn;
  let zone: Zone;
  let credential: { id: string; name: string };
  let resolver: Resolver;
  beforeAll(async () => {
    cloudflare = await startCloudflare({ largestPage: 5 });
    const dns = await cloudflare.serveDns('104.16.0.1');
    resolver = new Resolver({ timeout: 2_000, tries: 2 });
    resolver.setServers([`127.0.0.1:${dns.port}`]);
    credential = await api.createCredential('cloudflare', 'selfhostCloudflare', {
      apiToken: cloudflare.addToken(),
      baseUrl: cloudflare.url,
    });
  });
  beforeEach(() => {
    zone = cloudflare.addZone(`kua-${cloudflare.zones.size}.cl`);
    for (const name of names) {
      const whole = name === '@' ? zone.name : `${name}.${zone.name}`;
      cloudflare.addRecord(zone, {
        name: whole,
        type: 'A',
        content: OLD,
        ttl: 300,
        proxied: false,
        comment: 'terraform',
      });
    }
    cloudflare.addRecord(zone, { name: zone.name, type: 'MX', content: 'mx.example.net', priority: 10, ttl: 3600 });
    cloudflare.forget();
  });
  afterAll(() => cloudflare.close());

  const node = (resource: string, operation: string, parameters: JsonObject, more: Partial<NodeUnderTest> = {}) => ({
    type: 'n8n-nodes-selfhost.cloudflareDns',
    parameters: { resource, operation, zone: { mode: 'id', value: zone.name }, ...parameters },
    credentials: { selfhostCloudflare: credential },
    ...more,
  });
  const run = async (...nodes: NodeUnderTest[]) =>
    api.runToEnd(await api.createWorkflow(manualWorkflow('DNS', ...nodes)), 'By hand');
  const addresses = (name: string) => resolver.resolve4(name === '@' ? zone.name : `${name}.${zone.name}`);

  it('tests its credential and lists the zones', async () => {
    expect(await api.testCredential(credential.id)).toMatchObject({ status: 'OK' });
    const readOnly = await api.createCredential('cloudflare, may not write', 'selfhostCloudflare', {
      apiToken: cloudflare.addToken({ permissions: ['zone:read', 'dns_records:read'] }),
      baseUrl: cloudflare.url,
    });
    expect(await api.testCredential(readOnly.id)).toMatchObject({
      message: expect.stringMatching(/DNS.*Edit|Edit.*DNS/),
    });
  });

  it('plans, applies exactly the plan that was agreed to, and undoes it', async () => {
    const before = cloudflare.exported(zone);
    const wanted = {
      records: JSON.stringify([
        { name: 'status', type: 'A', content: NEW, ttl: 60 },
        { name: '_sip._tcp', type: 'SRV', data: { priority: 10, weight: 5, port: 5060, target: `sip.${zone.name}` } },
      ]),
      mode: 'upsert-only',
      owner: 'n8n',
    };
    const { runs, error } = await run(
      node('zone', 'plan', wanted, { name: 'Plan' }),
      node('zone', 'apply', { ...wanted, planHash: '={{ $json.hash }}' }, { name: 'Apply' }),
    );
    expect(error).toBeUndefined();
    expect(runs.Plan?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({ create: 2, update: 0, delete: 0, foreign: 9, zone: zone.name }),
    ]);
    expect(runs.Apply?.[0]?.outputs[0]).toEqual([expect.objectContaining({ changed: true, writes: 1 })]);
    expect(await addresses('status')).toEqual([NEW]);
    const services = await resolver.resolveSrv(`_sip._tcp.${zone.name}`);
    expect(services.map(({ name, port, priority, weight }) => ({ name, port, priority, weight }))).toEqual([
      { name: `sip.${zone.name}`, port: 5060, priority: 10, weight: 5 },
    ]);

    const again = await run(node('zone', 'apply', wanted));
    expect(again.runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ changed: false, writes: 0 })]);

    const undo = runs.Apply?.[0]?.outputs[0]?.[0]?.undo ?? null;
    const undone = await run(node('zone', 'undo', { undo: JSON.stringify(undo) }));
    expect(undone.error).toBeUndefined();
    expect(cloudflare.exported(zone)).toBe(before);
  });

  it('refuses to apply a plan when the zone has drifted, and writes nothing', async () => {
    const wanted = {
      records: JSON.stringify([{ name: 'status', type: 'A', content: NEW }]),
      mode: 'upsert-only',
      owner: 'n8n',
    };
    const planned = await run(node('zone', 'plan', wanted));
    const hash = planned.runs.Node?.[0]?.outputs[0]?.[0]?.hash ?? null;
    cloudflare.addRecord(zone, { name: `new.${zone.name}`, type: 'A', content: OLD, ttl: 300 });
    cloudflare.forget();
    const applied = await run(node('zone', 'apply', { ...wanted, planHash: hash }));
    expect(applied.error?.message).toMatch(/drift|changed|other/i);
    expect(cloudflare.writes()).toEqual([]);
  });

  it('syncs: of the records of ours that are no longer listed, all go; of those of others, none', async () => {
    const records = ['one', 'two'].map((name) => ({ name, type: 'A', content: NEW }));
    const sync = (list: JsonObject[]) => node('zone', 'sync', { records: JSON.stringify(list), owner: 'n8n' });
    expect((await run(sync(records))).runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ create: 2 })]);
    const second = await run(sync(records.slice(1)));
    expect(second.runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ delete: 1, changed: true })]);
    await expect(addresses('one')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(await addresses('two')).toEqual([NEW]);
    for (const name of names) expect(await addresses(name)).toEqual([OLD]);
  });

  it('points eight names at another server in one request, and every client follows', async () => {
    for (const name of names) expect(await addresses(name)).toEqual([OLD]);
    cloudflare.forget();
    const { runs, error } = await run(
      node('address', 'point', {
        names: names.map((name) => (name === '@' ? zone.name : `${name}.${zone.name}`)).join('\n'),
        address: NEW,
      }),
    );
    expect(error).toBeUndefined();
    expect(runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ update: 8, changed: true, writes: 1 })]);
    expect(cloudflare.writes()).toHaveLength(1);
    for (const name of names) expect(await addresses(name)).toEqual([NEW]);
    expect([...zone.records.values()].map(({ comment }) => comment)).toContain('terraform');
  });

  it('changes nothing with a read-only credential, and says what is wrong with a token', async () => {
    const readOnly = await api.createCredential('cloudflare, read only', 'selfhostCloudflare', {
      apiToken: cloudflare.addToken(),
      baseUrl: cloudflare.url,
      readOnly: true,
    });
    const refused = await run(
      node('record', 'delete', { recordId: 'x' }, { credentials: { selfhostCloudflare: readOnly } }),
    );
    expect(refused.error?.message).toContain('read');
    expect(cloudflare.writes()).toEqual([]);
    const wrong = await api.createCredential('cloudflare, wrong token', 'selfhostCloudflare', {
      apiToken: 'planted-wrong-token-1234',
      baseUrl: cloudflare.url,
    });
    const { error, stored } = await run(node('record', 'list', {}, { credentials: { selfhostCloudflare: wrong } }));
    expect(error?.message).toMatch(/token/i);
    expect(stored).not.toContain('planted-wrong-token-1234');
  });
});
