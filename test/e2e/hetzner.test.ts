import { until } from '../../lab/hosts/waiting';
import { type LabHetzner, startLabHetzner } from '../../lab/hetzner';
import { type HetznerStandIn, startHetznerStandIn } from '../../lab/standins/hetzner';
import type { Execution } from '../../lab/n8n/api';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, type NodeUnderTest, sharedN8n } from './harness';

const { api } = sharedN8n();
const rootPassword = 'YItygq1v3GYjjMomLaKc';

describe('the Hetzner node in n8n', () => {
  let lab: LabHetzner;
  let credential: { id: string; name: string };
  beforeAll(async () => {
    lab = await startLabHetzner();
    credential = await api.createCredential('hetzner', 'selfhostHetzner', lab.credential);
  });
  afterAll(() => lab.stop());

  const node = (
    resource: string,
    operation: string,
    parameters: JsonObject = {},
    more: Partial<NodeUnderTest> = {},
  ): NodeUnderTest => ({
    type: 'n8n-nodes-selfhost.hetzner',
    parameters: { resource, operation, ...parameters },
    credentials: { selfhostHetzner: credential },
    ...more,
  });
  const workflow = (...nodes: NodeUnderTest[]) => api.createWorkflow(manualWorkflow('Hetzner', ...nodes));
  const run = async (...nodes: NodeUnderTest[]) => api.runToEnd(await workflow(...nodes), 'By hand');
  const itemsOf = ({ runs }: Execution, name = 'Node') => runs[name]?.[0]?.outputs[0] ?? [];
  const server = (value: string) => ({ server: { __rl: true, mode: 'id', value } });

  it('tells in the test of its credential a wrong token from one that may only read', async () => {
    const told = async (name: string, data: JsonObject) =>
      api.testCredential((await api.createCredential(name, 'selfhostHetzner', { ...lab.credential, ...data })).id);
    expect(await api.testCredential(credential.id)).toEqual({ status: 'OK', message: 'The token may read and write' });
    expect(await told('hetzner, wrong', { apiToken: 'planted-wrong-token' })).toEqual({
      status: 'Error',
      message: 'Hetzner Cloud answered 401 to GET /locations: unable to authenticate',
    });
    const reading = { apiToken: 'lab-token-read-only' };
    expect(await told('hetzner, reading', reading)).toEqual({
      status: 'Error',
      message: 'The token is valid, but may only read: make one with Read & Write, or switch Read Only on',
    });
    expect(await told('hetzner, read only', { ...reading, readOnly: true })).toMatchObject({ status: 'OK' });
  });

  it('creates a server once, waits until it runs, and keeps its secrets out of what n8n stores', async () => {
    lab.standIn.plan({ command: 'create_server', ending: { kind: 'success' }, questions: 2 });
    lab.standIn.cloud.forget();
    const wish = {
      name: 'eva',
      serverType: { __rl: true, mode: 'id', value: 'cx23' },
      image: { __rl: true, mode: 'id', value: 'debian-12' },
      location: { __rl: true, mode: 'id', value: 'hel1' },
      labels: { pairs: [{ key: 'env', value: 'test' }] },
      options: { hostKey: true, userData: '#!/bin/sh\ntrue' },
    };
    const execution = await run(
      node('server', 'create', wish, { name: 'First' }),
      node('server', 'create', wish, { name: 'Second' }),
    );
    expect(execution.error).toBeUndefined();
    const [first] = itemsOf(execution, 'First');
    const [second] = itemsOf(execution, 'Second');
    expect(first).toMatchObject({
      changed: true,
      name: 'eva',
      status: 'running',
      location: 'hel1',
      rootPassword: null,
      hostPrivateKey: null,
      sensitiveFields: [],
      hostKeyPin: expect.stringMatching(/^eva=203\.0\.113\.\d+:22 ssh-ed25519 SHA256:/),
      actions: [{ command: 'create_server', status: 'success' }],
    });
    expect(second).toMatchObject({ changed: false, id: first?.id, hostKeyPin: first?.hostKeyPin, actions: [] });
    expect(lab.standIn.cloud.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
    for (const secret of [rootPassword, 'PRIVATE KEY', 'lab-token']) expect(execution.stored).not.toContain(secret);
  });

  it('puts a password out only when that was asked for, and marks it', async () => {
    const quiet = await run(node('server', 'resetPassword', { ...server('bruno'), options: {} }));
    expect(itemsOf(quiet)).toMatchObject([{ changed: true, rootPassword: null, sensitiveFields: [] }]);
    expect(quiet.stored).not.toContain(rootPassword);
    const open = await run(node('server', 'resetPassword', { ...server('bruno'), options: { returnSecrets: true } }));
    expect(itemsOf(open)).toMatchObject([{ rootPassword, sensitiveFields: ['rootPassword'] }]);
  });

  it('says what Hetzner says when an action fails', async () => {
    const why = { code: 'server_error', message: 'the hypervisor does not answer' } as const;
    lab.standIn.plan({ command: 'stop_server', ending: { kind: 'error', ...why } });
    const { status, error } = await run(node('server', 'powerOff', { ...server('development-vps'), options: {} }));
    expect(status).toBe('error');
    expect(error).toMatchObject({
      message: 'Hetzner could not finish stop_server: the hypervisor does not answer',
      description: 'Hetzner had a problem with the server. Look at it in the Cloud Console.',
    });
  });

  it('reports on the estate', async () => {
    const [report] = itemsOf(await run(node('estate', 'report', { onlyWarnings: true })));
    const warningsOf = (wanted: string) =>
      (report?.items as readonly { name: string; warnings: readonly string[] }[]).find(({ name }) => name === wanted)
        ?.warnings;
    expect(report).toMatchObject({ currency: 'EUR', unpriced: [] });
    expect(warningsOf('bruno')).toEqual(['its backups do not contain the volumes photos']);
    expect(warningsOf('forgotten')).toEqual(['not protected from deletion', 'attached to nothing, and costs money']);
    expect(warningsOf('vault')).toEqual(['not protected from deletion', 'no snapshot plan']);
  });

  it('ends the waiting for an action when the execution is stopped', async () => {
    lab.standIn.plan({ command: 'reboot_server', ending: { kind: 'never' } });
    lab.standIn.cloud.forget();
    const asked = () => lab.standIn.cloud.seen.filter(({ url }) => url.startsWith('/actions?')).length;
    const id = await api.runManually(
      await workflow(node('server', 'reboot', { ...server('bruno'), options: {} })),
      'By hand',
    );
    await until('somebody waits for the action', 30_000, () => Promise.resolve(asked() > 0 ? true : undefined));
    await api.stopExecution(id);
    expect(await api.waitForExecution(id)).toMatchObject({ status: 'canceled' });
  });

  it('changes nothing with a read-only credential', async () => {
    const data = { ...lab.credential, readOnly: true };
    const readOnly = await api.createCredential('hetzner, looking', 'selfhostHetzner', data);
    lab.standIn.cloud.forget();
    const { error } = await run(
      node('server', 'reboot', { ...server('bruno'), options: {} }, { credentials: { selfhostHetzner: readOnly } }),
    );
    expect(error?.message).toMatch(/^Refused: "Reboot a server" changes something/);
    expect(lab.standIn.cloud.seen).toEqual([]);
  });

  describe('with 200 servers, small pages and a small budget of requests', () => {
    let crowd: HetznerStandIn;
    let many: { id: string; name: string };
    beforeAll(async () => {
      crowd = await startHetznerStandIn({ largestPage: 20, limit: { requests: 150, perSecond: 100 } });
      for (let index = 0; index < 200; index += 1) {
        const labels = { half: index < 100 ? 'first' : 'second' };
        crowd.add('servers', { name: `s${String(index).padStart(3, '0')}`, server_type: 'cx23', image: '101', labels });
      }
      const urls = { cloudUrl: crowd.cloud.url, storageUrl: crowd.storage.url };
      many = await api.createCredential('hetzner, many', 'selfhostHetzner', { apiToken: 'good-token', ...urls });
    });
    afterAll(() => crowd.close());
    const as = (name: string) => ({ name, credentials: { selfhostHetzner: many } });
    const refused = () => crowd.cloud.exchanges.filter(({ answer }) => answer.status === 429).length;

    it('lists all pages or a limit, by labels, in order', async () => {
      const options = { labelSelector: 'half=second', sort: 'name:desc' };
      const listed = async (how: JsonObject) =>
        itemsOf(await run(node('server', 'list', { ...how, options }, as('List'))), 'List').map(({ name }) => name);
      const all = await listed({ returnAll: true });
      expect(all).toEqual(Array.from({ length: 100 }, (_, index) => `s${199 - index}`));
      expect(await listed({ returnAll: false, limit: 30 })).toEqual(all.slice(0, 30));
      expect(refused()).toBe(0);
    });

    it('offers all of them in the searchable list, as the editor asks for it', async () => {
      const request = {
        nodeType: 'n8n-nodes-selfhost.hetzner',
        version: 1,
        method: 'searchServers',
        path: 'parameters.server',
        parameters: { resource: 'server', operation: 'get' },
        credentials: { selfhostHetzner: many },
      };
      expect(await api.search(request)).toHaveLength(200);
      expect((await api.search(request, 'S199')).map(({ name }) => name)).toEqual([
        expect.stringMatching(/^s199 · cx23 · fsn1 · 203\.0\.113\.\d+$/),
      ]);
    });

    it('updates each of 200 items within the budget, without a storm of refusals', async () => {
      crowd.cloud.forget();
      const values = { labels: { pairs: [{ key: 'seen', value: 'yes' }] } };
      const execution = await run(
        node('server', 'list', { returnAll: true, options: {} }, as('All')),
        node('server', 'update', { ...server('={{ $json.id }}'), values, options: {} }, as('Each')),
      );
      expect(execution.error).toBeUndefined();
      expect(itemsOf(execution, 'Each').filter(({ changed }) => changed === true)).toHaveLength(200);
      // One list of ten pages, and two requests for each item.
      expect(crowd.cloud.seen.length - refused()).toBe(410);
      expect(refused()).toBeLessThan(5);
    });
  });
});
