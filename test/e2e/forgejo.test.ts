import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../lab/hosts/waiting';
import { type ForgejoStandIn, startForgejo } from '../../lab/standins/forgejo';
import { type PostgresServer, startPostgres } from '../../lab/postgres';
import { EVENT_TYPES, type EventType } from '../../lib/forgejo/webhook/event-types';
import { parseEvent } from '../../lib/forgejo/webhook/parse';
import { isObject, type JsonObject } from '../../lib/json';
import { manualWorkflow, nodeUnderTest, sharedN8n } from './harness';

interface Sample {
  readonly id: string;
  readonly event_header: string;
  readonly event_type: string;
  readonly payload: JsonObject;
}

const file = join(__dirname, '../fixtures/forgejo/webhook-samples.json');
const { samples } = JSON.parse(readFileSync(file, 'utf8')) as { samples: readonly Sample[] };
const { api, readLog } = sharedN8n();

type Credential = { readonly id: string; readonly name: string };

let forgejo: ForgejoStandIn;
let database: PostgresServer;
let credential: Credential;
let state: Credential;

beforeAll(async () => {
  const description: unknown = JSON.parse(readFileSync(join(__dirname, '../contracts/forgejo-16.json'), 'utf8'));
  [forgejo, database] = await Promise.all([startForgejo({ deliveryTimeoutMs: 30_000, description }), startPostgres()]);
  forgejo.addUser('root', true);
  await forgejo.addRepository('root', 'estate');
  const data = { baseUrl: forgejo.url, token: forgejo.addToken('root'), privateAuthority: '', readOnly: false };
  credential = await api.createCredential('forgejo', 'selfhostForgejo', data);
  const { host, port, user, password, database: name } = database;
  const place = { host, port, user, password, database: name };
  state = await api.createCredential('forgejo state', 'selfhostState', place);
});
afterAll(async () => {
  await forgejo.close();
  await database.stop();
});

async function publishedTrigger(): Promise<string> {
  const trigger = nodeUnderTest({
    type: 'n8n-nodes-selfhost.forgejoTrigger',
    webhookId: randomUUID(),
    parameters: { scope: 'system', events: Object.keys(EVENT_TYPES), keepIn: 'postgres' },
    credentials: { selfhostForgejo: credential, selfhostState: state },
  });
  const id = await api.createWorkflow({ name: 'Forgejo', nodes: [trigger], connections: {} });
  await api.publish(id);
  return id;
}

async function fourAtOnce<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

function deliveryOf(item: unknown): string {
  return isObject(item) ? String(item['delivery']) : '';
}

async function startedBy(workflowId: string): Promise<number> {
  return (await api.executionsOf(workflowId)).length;
}

it('tests the credential, and says whose token it is', async () => {
  expect(await api.testCredential(credential.id)).toEqual({
    status: 'OK',
    message: 'The token is that of root (admin) on Forgejo 15.0.3+gitea-1.22.0',
  });
});

it('starts the workflow once for each recorded payload, and for nothing that is forged or sent again', async () => {
  const workflowId = await publishedTrigger();
  const [hook] = forgejo.hooksOf('system');
  if (hook === undefined) throw new Error('Publishing made no hook');
  for (const { event_type: type, event_header: header, payload } of samples) {
    await forgejo.happen({ type, header, payload, owner: 'root', repository: undefined });
  }
  expect(forgejo.deliveries.map(({ status, said }) => ({ status, said }))).toEqual(
    samples.map(() => ({ status: 200, said: '{"started":true}' })),
  );
  await until('all payloads have started it', 60_000, async () =>
    (await startedBy(workflowId)) === samples.length ? true : undefined,
  );
  const put: unknown[] = [];
  await fourAtOnce(await api.executionsOf(workflowId), async ({ id }) => {
    const { runs } = await api.waitForExecution(id);
    put.push(...(runs.Node?.[0]?.outputs[0] ?? []));
  });
  const byDelivery = (one: unknown, other: unknown) => deliveryOf(one).localeCompare(deliveryOf(other));
  const sentAs = new Map(forgejo.deliveries.map(({ id, body }) => [body, id]));
  const expected = samples.map(({ event_type: event, payload: whole }) => {
    const id = sentAs.get(JSON.stringify(whole, null, 2)) ?? '';
    const { secret: _, ...payload } = whole;
    const { payload: _read, ...flat } = parseEvent(event as EventType, id, Buffer.from(JSON.stringify(payload)));
    return { ...flat, payload };
  });
  expect(put.sort(byDelivery)).toEqual(expected.sort(byDelivery));

  const [delivery] = forgejo.deliveries;
  if (delivery === undefined) throw new Error('There was no delivery');
  await forgejo.repeat(delivery);
  expect(forgejo.deliveries.at(-1)?.said).toBe('{"started":false,"because":"this delivery came before"}');
  const forged = await fetch(hook.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forgejo-event-type': 'push' },
    body: JSON.stringify({ ref: 'forged-content' }),
  });
  expect(forged.status).toBe(401);
  const malformed = await fetch(hook.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"ref": "forged-content"',
  });
  expect(malformed.status).toBeGreaterThanOrEqual(400);
  expect(malformed.status).toBeLessThan(500);
  const oversized = await fetch(hook.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ref: 'forged-content'.repeat(400_000) }),
  });
  expect(oversized.status).toBe(413);
  expect(await startedBy(workflowId)).toBe(samples.length);
  expect(readLog()).not.toContain('forged-content');

  await api.unpublish(workflowId);
  await until('the hook is removed', 30_000, async () => (forgejo.hooksOf('system').length === 0 ? true : undefined));
});

it('hands on the fields and the payload of a push', async () => {
  const workflowId = await publishedTrigger();
  const sample = samples.find(({ id }) => id === 'woodpecker-forgejo-PushMulti');
  if (sample === undefined) throw new Error('There is no such sample');
  const { event_type: type, event_header: header, payload } = sample;
  await forgejo.happen({ type, header, payload, owner: 'root', repository: undefined });
  await until('it has started', 30_000, async () => ((await startedBy(workflowId)) === 1 ? true : undefined));
  const [first] = await api.executionsOf(workflowId);
  const { status, runs } = await api.waitForExecution(first?.id ?? '');
  expect(status).toBe('success');
  expect(runs.Node?.[0]?.outputs[0]).toEqual([
    expect.objectContaining({ event: 'push', repo: 'Test-CI/multi-line-secrets', branch: 'main', payload }),
  ]);
  await api.unpublish(workflowId);
});

it('commits files, sets a status', async () => {
  const node = (name: string, resource: string, operation: string, parameters: JsonObject) => ({
    type: 'n8n-nodes-selfhost.forgejo',
    name,
    parameters: { resource, operation, repository: { __rl: true, mode: 'id', value: 'root/estate' }, ...parameters },
    credentials: { selfhostForgejo: credential },
  });
  const status = { commit: 'main', state: 'success', context: 'deploy/bruno' };
  const workflowId = await api.createWorkflow(
    manualWorkflow(
      'Forgejo node',
      node('Write', 'file', 'write', { files: '{"bruno/compose.yaml": "services: {}"}', message: 'Deploy' }),
      node('Read', 'file', 'read', { path: 'bruno/compose.yaml' }),
      node('Set', 'commitStatus', 'set', status),
      node('Get', 'commitStatus', 'get', { commit: 'main' }),
    ),
  );
  const { status: outcome, runs } = await api.runToEnd(workflowId, 'By hand');
  expect(outcome).toBe('success');
  expect(runs['Write']?.[0]?.outputs[0]).toMatchObject([{ changed: true, created: ['bruno/compose.yaml'] }]);
  expect(runs['Read']?.[0]?.outputs[0]).toMatchObject([{ content: 'services: {}', size: 12 }]);
  expect(runs['Set']?.[0]?.outputs[0]).toMatchObject([{ changed: true, before: null }]);
  expect(runs['Get']?.[0]?.outputs[0]).toMatchObject([{ state: 'success', statuses: [{ context: 'deploy/bruno' }] }]);
});

it('probes the registry, and says what retention would remove', async () => {
  const push = (tags: readonly string[], created: string) =>
    forgejo.pushImage({ owner: 'root', name: 'app', tags, layers: ['base', created], platforms: ['amd64'], created });
  const old = push(['1.0'], '2026-01-01T00:00:00Z');
  push(['2.0', 'latest'], '2026-01-02T00:00:00Z');
  forgejo.damage(old.layers[1] ?? '', 'lost');
  const node = (name: string, parameters: JsonObject) => ({
    type: 'n8n-nodes-selfhost.forgejo',
    name,
    parameters,
    credentials: { selfhostForgejo: credential },
  });
  const retain = { resource: 'package', operation: 'retain', owner: 'root', type: 'container', keepNewest: 1 };
  const workflowId = await api.createWorkflow(
    manualWorkflow(
      'Registry',
      node('Probe', { resource: 'registry', operation: 'probe' }),
      node('Retain', { ...retain, dryRun: true }),
    ),
  );
  const { status, runs } = await api.runToEnd(workflowId, 'By hand');
  expect(status).toBe('success');
  expect(runs['Probe']?.[0]?.outputs[0]).toMatchObject([
    { whole: false, images: 1, tags: 3, problems: [{ what: 'missing', digest: old.layers[1], neededBy: ['1.0'] }] },
  ]);
  expect(runs['Retain']?.[0]?.outputs[0]).toMatchObject([
    { changed: true, dryRun: true, removed: [{ version: '1.0' }, { version: old.platforms['amd64'] }], kept: 3 },
  ]);
});

it('opens and merges a pull request, uploads an asset, starts a workflow and waits for it', async () => {
  const node = (name: string, resource: string, operation: string, parameters: JsonObject) => ({
    type: 'n8n-nodes-selfhost.forgejo',
    name,
    parameters: { resource, operation, repository: { __rl: true, mode: 'id', value: 'root/estate' }, ...parameters },
    credentials: { selfhostForgejo: credential },
  });
  forgejo.runsWillGo('success');
  const workflow = { __rl: true, mode: 'id', value: 'deploy.yaml' };
  const file = {
    operation: 'toText',
    sourceProperty: 'path',
    binaryPropertyName: 'data',
    options: { fileName: 'a.txt' },
  };
  const workflowId = await api.createWorkflow(
    manualWorkflow(
      'Forgejo release',
      node('Write', 'file', 'write', { files: '{"a.txt": "one"}', message: 'One' }),
      node('Branch', 'branch', 'create', { newBranch: 'deploy/bruno' }),
      node('Open', 'pullRequest', 'ensure', { headBranch: 'deploy/bruno', baseBranch: 'main', title: 'Deploy' }),
      node('Merge', 'pullRequest', 'merge', { pullRequest: '={{ $json.after.number }}', style: 'squash' }),
      node('Release', 'release', 'ensure', { tagName: 'v1.0.0' }),
      node('Read', 'file', 'read', { path: 'a.txt' }),
      { type: 'n8n-nodes-base.convertToFile', name: 'File', typeVersion: 1.1, parameters: file },
      node('Upload', 'releaseAsset', 'upload', { release: 'v1.0.0', binaryField: 'data' }),
      node('Start', 'run', 'dispatch', { workflow, ref: 'main', intervalSeconds: 1 }),
    ),
  );
  const { status, runs } = await api.runToEnd(workflowId, 'By hand');
  const out = (name: string) => runs[name]?.[0]?.outputs[0];
  expect(out('Branch')).toMatchObject([{ changed: true, after: { name: 'deploy/bruno' } }]);
  expect(out('Open')).toMatchObject([
    { changed: true, after: { title: 'Deploy', base: 'main', head: 'deploy/bruno' } },
  ]);
  expect(out('Merge')).toMatchObject([{ changed: true }]);
  expect(out('Release')).toMatchObject([{ changed: true, after: { tag: 'v1.0.0' } }]);
  expect(out('Upload')).toMatchObject([{ changed: true, dryRun: false }]);
  expect(out('Start')).toMatchObject([
    { changed: true, run: { succeeded: true, workflow: 'deploy.yaml', jobs: null } },
  ]);
  expect(status).toBe('success');
});

it('says what a server is too old for, and what to do', async () => {
  const workflowId = await api.createWorkflow(
    manualWorkflow('Forgejo log', {
      type: 'n8n-nodes-selfhost.forgejo',
      parameters: {
        resource: 'run',
        operation: 'jobLogs',
        repository: { __rl: true, mode: 'id', value: 'root/estate' },
        jobId: 1,
      },
      credentials: { selfhostForgejo: credential },
    }),
  );
  const { status, stored } = await api.runToEnd(workflowId, 'By hand');
  expect(status).toBe('error');
  expect(stored).toContain('The server runs 15.0.3+gitea-1.22.0, which cannot do this');
  expect(stored).toContain('exists from Forgejo 16');
  expect(stored).toContain('Update the server, or do without this operation.');
});
