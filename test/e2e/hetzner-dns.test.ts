import { type HetznerStandIn, startHetznerStandIn } from '../../lab/standins/hetzner';
import { zoneFileOf } from '../../lab/standins/hetzner/record-sets';
import type { Thing } from '../../lab/standins/hetzner/state';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, type NodeUnderTest, sharedN8n } from './harness';

const { api } = sharedN8n();
const OLD = '188.34.198.57';
const NEW = '46.224.125.1';

describe('zones at Hetzner in n8n', () => {
  let hetzner: HetznerStandIn;
  let zone: Thing;
  let credential: { id: string; name: string };

  beforeAll(async () => {
    hetzner = await startHetznerStandIn({ largestPage: 2 });
    credential = await api.createCredential('hetzner dns', 'selfhostHetzner', {
      apiToken: 'good-token',
      cloudUrl: hetzner.cloud.url,
      storageUrl: hetzner.storage.url,
    });
    zone = hetzner.add('zones', { name: 'kua.cl', mode: 'primary' });
    const put = (name: string, type: string, value: string) =>
      hetzner.add('rrsets', { name, type, ttl: 300, records: [{ value, comment: 'terraform' }] }, {}, zone);
    put('@', 'NS', 'hydrogen.ns.hetzner.com.');
    for (const name of ['@', 'git', 'docs']) put(name, 'A', OLD);
  });
  afterAll(() => hetzner.close());

  const node = (operation: string, parameters: JsonObject, more: Partial<NodeUnderTest> = {}): NodeUnderTest => ({
    type: 'n8n-nodes-selfhost.hetzner',
    parameters: { resource: 'zone', operation, zone: { mode: 'id', value: 'kua.cl' }, ...parameters },
    credentials: { selfhostHetzner: credential },
    ...more,
  });
  const run = async (...nodes: NodeUnderTest[]) =>
    api.runToEnd(await api.createWorkflow(manualWorkflow('DNS', ...nodes)), 'By hand');
  const file = () => zoneFileOf(zone, hetzner.state).split('\n').sort();
  const writes = () => hetzner.cloud.seen.filter(({ method }) => method !== 'GET');

  it('are planned, applied as agreed, pointed at another server, and brought back', async () => {
    const before = file();
    const wanted = {
      records: JSON.stringify([{ name: 'status', type: 'A', content: NEW, ttl: 60 }]),
      mode: 'full-sync',
      owner: 'n8n',
    };
    const { runs, error } = await run(
      node('plan', wanted, { name: 'Plan' }),
      node('apply', { ...wanted, planHash: '={{ $json.hash }}' }, { name: 'Apply' }),
    );
    expect(error).toBeUndefined();
    expect(runs.Plan?.[0]?.outputs[0]).toEqual([expect.objectContaining({ create: 1, delete: 0, foreign: 4 })]);
    expect(runs.Apply?.[0]?.outputs[0]).toEqual([expect.objectContaining({ changed: true, writes: 1 })]);

    const moved = await run(node('point', { names: 'kua.cl\ngit.kua.cl\ndocs.kua.cl', address: NEW }));
    const [after] = moved.runs.Node?.[0]?.outputs[0] ?? [];
    expect(after).toMatchObject({ changed: true, update: 3, writes: 3 });
    expect(file().filter((line) => line.includes(NEW))).toHaveLength(4);

    for (const undo of [after?.undo ?? null, runs.Apply?.[0]?.outputs[0]?.[0]?.undo ?? null]) {
      const undone = await run(node('undo', { undo: JSON.stringify(undo) }));
      expect(undone.error).toBeUndefined();
    }
    expect(file()).toEqual(before);
  });

  it('that have changed since the plan are left alone, and the error says so', async () => {
    const records = JSON.stringify([{ name: 'status', type: 'A', content: NEW }]);
    hetzner.cloud.forget();
    const { error } = await run(node('apply', { records, owner: 'n8n', planHash: 'a'.repeat(64) }));
    expect(error?.message).toBe(
      'The plan for kua.cl is not the one that was agreed to: the zone, or what is wanted of it, has changed since',
    );
    expect(writes()).toEqual([]);
  });
});
