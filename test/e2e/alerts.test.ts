import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startAlertmanager, type Alertmanager } from '../../lab/alertmanager';
import { until } from '../../lab/hosts/waiting';
import { logIn, type WorkflowDraft } from '../../lab/n8n/api';
import type { N8n } from '../../lab/n8n/instance';
import { startPostgres, type PostgresServer } from '../../lab/postgres';
import type { Json, JsonObject } from '../../lib/json';
import { manualWorkflow, nodeUnderTest, owner, ownN8n, type NodeUnderTest, type Owned } from './harness';
import { chromium } from '../shared/chromium';

const WITHIN = 60_000;

let owned: Owned<N8n>;
let database: PostgresServer;
let state: { id: string; name: string };
let messenger: Messenger;
let site: Site;
let alertmanager: Alertmanager | undefined;
const folder = mkdtempSync(join(tmpdir(), 'selfhost-alerts-'));

beforeAll(async () => {
  [owned, database, messenger, site] = await Promise.all([ownN8n(), startPostgres(), startMessenger(), startSite()]);
  const { host, port, user, password, database: name } = database;
  const data = { host, port, user, password, database: name, encrypt: false, privateAuthority: '' };
  state = await owned.api.createCredential('state', 'selfhostState', data);
}, 240_000);

afterAll(async () => {
  await alertmanager?.stop();
  await owned.remove();
  await Promise.all([database.stop(), messenger.close(), site.close()]);
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Where messages arrive, as at Slack or Telegram, and heartbeats, as at a dead man's switch. */
interface Messenger {
  readonly url: string;
  readonly got: { readonly id: string; readonly text: string; readonly attempt: number }[];
  readonly beats: () => number;
  /** A dead man's switch calls when it has heard nothing for three heartbeats. */
  readonly calls: () => boolean;
  /** The next message arrives, and the answer to it never does. */
  readonly swallowNextAnswer: () => void;
  readonly close: () => Promise<void>;
}

async function startMessenger(): Promise<Messenger> {
  const got: Messenger['got'] = [];
  let beats = 0;
  let lastBeat = Infinity;
  let swallow = false;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.url === '/beat') {
        beats += 1;
        lastBeat = performance.now();
        response.end('{}');
        return;
      }
      got.push(JSON.parse(body) as (typeof got)[number]);
      if (swallow) swallow = false;
      else response.end('{}');
    });
  });
  const url = await listen(server);
  return {
    url,
    got,
    beats: () => beats,
    calls: () => performance.now() - lastBeat > 3_000,
    swallowNextAnswer: () => (swallow = true),
    close: () => close(server),
  };
}

interface Site {
  readonly url: string;
  status: number;
  readonly close: () => Promise<void>;
}

async function startSite(): Promise<Site> {
  const server = createServer((_, response) => {
    response.writeHead(made.status).end('hello');
  });
  const made = { url: await listen(server), status: 200, close: () => close(server) };
  return made;
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

function alertState(name: string, resource: string, operation: string, parameters: JsonObject): NodeUnderTest {
  return {
    type: 'n8n-nodes-selfhost.alertState',
    name,
    parameters: { resource, operation, keepIn: 'postgres', ...parameters },
    credentials: { selfhostState: state },
  };
}

function post(name: string, path: string, body: string): NodeUnderTest {
  return {
    type: 'n8n-nodes-base.httpRequest',
    typeVersion: 4.2,
    name,
    parameters: {
      method: 'POST',
      url: `${messenger.url}${path}`,
      sendBody: true,
      specifyBody: 'json',
      jsonBody: body,
      options: {},
    },
  };
}

/** What every flow ends with: send what is due, and say that it was sent. */
const sending = (estate: string): NodeUnderTest[] => [
  post('Send', '/send', '={{ JSON.stringify({ id: $json.id, text: $json.text, attempt: $json.attempt }) }}'),
  alertState('Confirm', 'message', 'confirm', { estate, messages: '={{ $("State").item.json.id }}' }),
];

function inARow(name: string, nodes: readonly NodeUnderTest[]): WorkflowDraft {
  const all = nodes.map(nodeUnderTest);
  const connections: Record<string, JsonObject> = {};
  all.slice(1).forEach((node, index) => {
    connections[all[index]?.name ?? ''] = { main: [[{ node: node.name, type: 'main', index: 0 }]] };
  });
  return { name, nodes: all, connections };
}

function webhook(path: string, method = 'POST', responseMode = 'onReceived'): NodeUnderTest {
  return {
    type: 'n8n-nodes-base.webhook',
    typeVersion: 2.1,
    name: 'Webhook',
    webhookId: randomUUID(),
    parameters: { httpMethod: method, path, responseMode, responseData: 'noData', options: {} },
  };
}

async function published(draft: WorkflowDraft): Promise<string> {
  const id = await owned.api.createWorkflow(draft);
  await owned.api.publish(id);
  return id;
}

async function run(...nodes: NodeUnderTest[]): Promise<readonly JsonObject[]> {
  const id = await owned.api.createWorkflow(manualWorkflow('By hand', ...nodes));
  const { status, runs, error } = await owned.api.runToEnd(id, 'By hand');
  expect([status, error?.message]).toEqual(['success', undefined]);
  return runs[nodes[nodes.length - 1]?.name ?? '']?.[0]?.outputs[0] ?? [];
}

// However slow the machine is, nothing is sent again that is still on its way.
const QUICK = { waitSeconds: 1, clearSeconds: 0, confirmSeconds: 3600, repeatMinutes: 0, escalateMinutes: [] };

/** Makes the flows of one estate: a tick that the test calls, as a schedule would. */
async function estateWithTick(estate: string): Promise<() => Promise<void>> {
  await run(alertState('Set', 'settings', 'set', { estate, settings: QUICK }));
  const path = randomUUID();
  await published(
    inARow('Tick', [webhook(path), alertState('State', 'incident', 'tick', { estate }), ...sending(estate)]),
  );
  return async () => {
    await owned.api.callWebhook(path, {});
  };
}

async function untilGot(count: number, tick?: () => Promise<void>): Promise<readonly string[]> {
  await until(`${count} messages have arrived`, WITHIN, async () => {
    if (messenger.got.length >= count) return true;
    await tick?.();
    await new Promise((resolve) => setTimeout(resolve, 250));
    return undefined;
  });
  return messenger.got.map(({ text: said }) => said);
}

async function untilConfirmed(estate: string): Promise<void> {
  await until('everything is confirmed', WITHIN, async () => {
    const waiting = await run(alertState('List', 'message', 'list', { estate }));
    return waiting.length === 0 ? true : undefined;
  });
}

const SERVICES = Array.from({ length: 15 }, (_, index) => `Service${index}Down`);

async function alert(names: readonly string[], startsAt: string, endsAt?: string): Promise<void> {
  const alerts = names.map((alertname) => ({
    labels: { alertname, instance: 'bruno:9100', severity: 'critical' },
    annotations: { summary: `${alertname} since <now> & then` },
    startsAt,
    ...(endsAt !== undefined && { endsAt }),
  }));
  const answer = await fetch(`${alertmanager?.url ?? ''}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts),
  });
  expect(answer.status).toBe(200);
}

async function restart(): Promise<void> {
  owned.n8n = await owned.n8n.restart();
  Object.assign(owned, { api: await logIn(owned.n8n.url, owner) });
}

test('the credential is tested by using the state', async () => {
  expect(await owned.api.testCredential(state.id)).toEqual({
    status: 'OK',
    message: 'The state in database postgres on 127.0.0.1 can be used',
  });
});

test('a cascade from a real Alertmanager is one firing and one resolved message, although n8n is killed in it', async () => {
  const estate = 'prometheus';
  const tick = await estateWithTick(estate);
  const settings = (changes: JsonObject) =>
    run(alertState('Set', 'settings', 'set', { estate, settings: { ...QUICK, ...changes } }));
  // Long enough for sixteen groups on any machine.
  await settings({ waitSeconds: 3600 });
  const path = randomUUID();
  const receive = alertState('State', 'incident', 'receive', { estate });
  // Answered at its end: what n8n did not get through, Alertmanager sends again.
  const workflow = await published(
    inARow('Alertmanager', [webhook(path, 'POST', 'lastNode'), receive, ...sending(estate)]),
  );
  alertmanager = await startAlertmanager(`${owned.n8n.url}/webhook/${path}`);

  const startsAt = new Date(Date.now() - 1000).toISOString();
  await alert(['InstanceDown', ...SERVICES], startsAt);
  await until('all groups have been taken', WITHIN, async () => {
    const all = await owned.api.executionsOf(workflow);
    return all.filter(({ status }) => status === 'success').length >= 16 ? true : undefined;
  });
  await settings({ waitSeconds: 0 });
  const firing = '15 things wrong because bruno is unreachable';
  expect(await untilGot(1, tick)).toEqual([firing]);
  await untilConfirmed(estate);

  // The message of its end arrives, n8n is killed before it hears so. Whether it arrived nobody can know: it is sent
  // again, under the same id and as what it is, so that whoever takes it can tell.
  await settings({ waitSeconds: 0, confirmSeconds: 3 });
  messenger.swallowNextAnswer();
  await alert(['InstanceDown', ...SERVICES], startsAt, new Date().toISOString());
  const told = await untilGot(2);
  expect(told[1]).toMatch(/^Resolved after \d+ (s|min): 15 things wrong because bruno is unreachable$/);
  await owned.n8n.kill();
  await restart();
  await settings({ waitSeconds: 0 });
  await untilGot(3, tick);
  await untilConfirmed(estate);
  const [first, second, again] = messenger.got;
  expect([first?.id, second?.id, again?.id]).toEqual(['1-firing-0', '1-resolved', '1-resolved']);
  expect([first?.attempt, second?.attempt, again?.attempt]).toEqual([1, 1, 2]);
  expect(again?.text).toBe(second?.text);

  // Nothing more comes of it.
  await tick();
  expect(await run(alertState('List', 'incident', 'list', { estate }))).toEqual([]);
  expect(messenger.got).toHaveLength(3);
}, 240_000);

/** A watch whose changes go into an estate, and whose heartbeat goes to a dead man's switch. */
function watching(watch: string, estate: string, targets: Json): WorkflowDraft {
  const trigger = nodeUnderTest({
    type: 'n8n-nodes-selfhost.healthMonitorTrigger',
    name: 'Watch',
    parameters: {
      targets: JSON.stringify(targets),
      watch,
      keepIn: 'postgres',
      options: { intervalSeconds: 1, wrong: 2, of: 3, ok: 1, heartbeatSeconds: 1 },
    },
    credentials: { selfhostState: state },
  });
  const report = nodeUnderTest(alertState('State', 'incident', 'report', { estate }));
  const all = [trigger, report, ...sending(estate).map(nodeUnderTest), nodeUnderTest(post('Beat', '/beat', '{}'))];
  const to = (node: string) => [{ node, type: 'main', index: 0 }];
  return {
    name: 'Watch',
    nodes: all,
    connections: {
      Watch: { main: [to('State'), to('Beat')] },
      State: { main: [to('Send')] },
      Send: { main: [to('Confirm')] },
    },
  };
}

const BROKE = JSON.stringify(['photos', 'ok', 'wrong', 'n8n: it answers 502']);
const MENDED = JSON.stringify(['photos', 'wrong', 'ok', 'n8n: it answers 200']);

/** What the watch has told, oldest first. */
async function changesOf(workflow: string): Promise<readonly string[]> {
  const executions = await owned.api.executionsOf(workflow);
  const all = await Promise.all(executions.map(({ id }) => owned.api.execution(id)));
  return all
    .sort((a, b) => Number(a.id) - Number(b.id))
    .flatMap(({ runs }) => runs['Watch']?.[0]?.outputs[0] ?? [])
    .map(({ target, was, verdict, evidence }) => JSON.stringify([target, was, verdict, evidence]));
}

async function untilChanges(workflow: string, count: number): Promise<readonly string[]> {
  return until(`${count} changes were told`, WITHIN, async () => {
    const changes = await changesOf(workflow);
    return changes.length >= count ? changes : undefined;
  });
}

async function untilBeats(more: number): Promise<void> {
  const before = messenger.beats();
  await until(`${more} heartbeats`, WITHIN, async () => (messenger.beats() >= before + more ? true : undefined));
}

test('an outage that n8n is killed in is told once and ends once; a dead n8n sends no heartbeat', async () => {
  const estate = 'watched';
  const tick = await estateWithTick(estate);
  const before = messenger.got.length;
  const targets = [{ name: 'photos', kind: 'http', url: `${site.url}/`, labels: { group: 'eva' } }];
  const workflow = await published(watching('estate', estate, targets));
  await untilBeats(2);
  site.status = 502;
  expect(await untilChanges(workflow, 1)).toEqual([BROKE]);
  expect((await untilGot(before + 1, tick)).slice(before)).toEqual(['photos is failing']);
  await untilConfirmed(estate);

  await owned.n8n.kill();
  await until("the dead man's switch calls", WITHIN, async () => messenger.calls() || undefined);
  await restart();
  await untilBeats(3);
  expect(await changesOf(workflow)).toEqual([BROKE]);

  site.status = 200;
  expect((await untilChanges(workflow, 2))[1]).toBe(MENDED);
  const told = (await untilGot(before + 2, tick)).slice(before);
  expect(told).toEqual(['photos is failing', expect.stringMatching(/^Resolved after \d+ (s|min): photos is failing$/)]);
  await untilConfirmed(estate);
  expect(messenger.got).toHaveLength(before + 2);
  await owned.api.unpublish(workflow);
}, 240_000);

test('targets are checked now, and a check that cannot be understood says which and why', async () => {
  const check = (targets: Json): NodeUnderTest => ({
    type: 'n8n-nodes-selfhost.healthMonitor',
    name: 'Check',
    parameters: { resource: 'target', operation: 'check', targets: JSON.stringify(targets) },
  });
  const found = await run(
    check([
      { name: 'site', kind: 'http', url: site.url, contains: 'hello' },
      { name: 'nobody', kind: 'tcp', host: '127.0.0.1', port: 1 },
    ]),
  );
  expect(found.map(({ target, status, evidence }) => [target, status, evidence])).toEqual([
    ['site', 'ok', 'n8n: it answers 200'],
    ['nobody', 'wrong', 'n8n: nothing listens there'],
  ]);
  const id = await owned.api.createWorkflow(
    manualWorkflow('Wrong', check([{ name: 'site', kind: 'http', url: site.url, statusses: [200] }])),
  );
  const { status, error } = await owned.api.runToEnd(id, 'By hand');
  expect([status, error?.message.slice(0, 76)]).toEqual([
    'error',
    'target site cannot be watched: its statusses is not known here; known are au',
  ]);
});

test('a webhook serves the status page to a browser', async () => {
  const path = randomUUID();
  const render = alertState('Page', 'statusPage', 'render', {
    estate: 'watched',
    watches: 'estate',
    pageTitle: 'kua.cl <status>',
  });
  const respond: NodeUnderTest = {
    type: 'n8n-nodes-base.respondToWebhook',
    typeVersion: 1.4,
    name: 'Respond',
    parameters: {
      respondWith: 'text',
      responseBody: '={{ $json.html }}',
      options: { responseHeaders: { entries: [{ name: 'content-type', value: 'text/html; charset=utf-8' }] } },
    },
  };
  await published(inARow('Status page', [webhook(path, 'GET', 'responseNode'), render, respond]));
  const url = `${owned.n8n.url}/webhook/${path}`;
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
  for (const [scheme, size] of [
    ['light', '1000,900'],
    ['dark', '1000,900'],
    ['light', '500,900'],
  ] as const) {
    const picture = join(folder, `status-${scheme}-${size}.png`);
    await chromium(folder, scheme, url, `--screenshot=${picture}`, `--window-size=${size}`);
    expect(statSync(picture).size).toBeGreaterThan(5_000);
  }
  const dom = await chromium(folder, 'light', url, '--dump-dom');
  expect(dom).toContain('<h1>kua.cl &lt;status&gt;</h1>');
  expect(dom).toContain('<p class="verdict ok">All is well</p>');
  expect(dom).toMatch(/<h3>photos<\/h3>\s*<p class="status ok">Well<\/p>/);
}, 120_000);
