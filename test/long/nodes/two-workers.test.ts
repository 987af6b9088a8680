import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { labCredential } from '../../../lab/estate';
import { startSshHost, type SshHost } from '../../../lab/hosts/ssh-host';
import { until } from '../../../lab/hosts/waiting';
import type { N8nApi, WorkflowDraft } from '../../../lab/n8n/api';
import type { QueueN8n } from '../../../lab/n8n/instance';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { type InfisicalStandIn, startInfisical } from '../../../lab/standins/infisical';
import type { JsonObject } from '../../../lib/json';
import { type NodeUnderTest, type Owned, ownN8n, ownQueueN8n, webhookWorkflow } from '../../e2e/harness';

jest.setTimeout(300_000);
const WITHIN = 90_000;

/** Where messages arrive, and where executions that wait say how they go on. */
async function startListener() {
  const got: { readonly path: string; readonly body: JsonObject }[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      got.push({ path: request.url ?? '', body: JSON.parse(body) as JsonObject });
      response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    at: (path: string) => got.filter((one) => one.path === path).map(({ body }) => body),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

let listener: Awaited<ReturnType<typeof startListener>>;
let postgres: PostgresServer;
let standIn: InfisicalStandIn;
let bruno: SshHost;
let login: { readonly clientId: string; readonly clientSecret: string };
const folder = mkdtempSync(join(tmpdir(), 'selfhost-two-workers-'));

beforeAll(async () => {
  [listener, postgres, bruno] = await Promise.all([
    startListener(),
    startPostgres(),
    startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder } }),
  ]);
  standIn = await startInfisical({ sql: postgres.sql, shortestTtlSeconds: 2 });
  standIn.addDynamicSecret(standIn.addProject('homelab'), 'prod', '/', 'db');
  login = standIn.addIdentity();
});
afterAll(async () => {
  await listener.close();
  await standIn.close();
  await bruno.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

function post(name: string, path: string, body: string): NodeUnderTest {
  const parameters = { method: 'POST', url: `${listener.url}${path}`, sendBody: true, specifyBody: 'json' };
  return {
    type: 'n8n-nodes-base.httpRequest',
    typeVersion: 4.2,
    name,
    parameters: { ...parameters, jsonBody: body, options: {} },
  };
}

async function credentialsIn(api: N8nApi) {
  const { host, port, user, password, database } = postgres;
  const { clientId, clientSecret } = login;
  const infisical = { siteUrl: standIn.url, login: 'universal', clientId, clientSecret, readOnly: false };
  return {
    selfhostState: await api.createCredential('state', 'selfhostState', { host, port, user, password, database }),
    selfhostInfisical: await api.createCredential('infisical', 'selfhostInfisical', infisical),
    selfhostHost: await api.createCredential('bruno', 'selfhostHost', labCredential([bruno])),
  };
}
type Credentials = Awaited<ReturnType<typeof credentialsIn>>;

async function published(api: N8nApi, draft: WorkflowDraft): Promise<string> {
  const id = await api.createWorkflow(draft);
  await api.publish(id);
  return id;
}

const roles = async () => (await postgres.sql("select rolname from pg_roles where rolname like 'inf\\_%'")).trim();
const untilGone = () =>
  until('the leased role is gone', WITHIN, async () => ((await roles()) === '' ? true : undefined));

/** Leases a login, says how the execution goes on, waits for that, and uses the login. */
function waiting(name: string, path: string, credentials: Credentials, longestSeconds: number): WorkflowDraft {
  const hold: NodeUnderTest = {
    type: 'n8n-nodes-selfhost.infisical',
    name: 'Hold',
    parameters: {
      ...{ resource: 'lease', operation: 'hold', dynamicSecret: 'db', environment: 'prod', path: '/' },
      project: { __rl: true, mode: 'id', value: 'homelab' },
      options: { ttlSeconds: 10, longestSeconds },
    },
    credentials: { selfhostInfisical: credentials.selfhostInfisical },
  };
  const wait: NodeUnderTest = {
    type: 'n8n-nodes-base.wait',
    typeVersion: 1.1,
    name: 'Wait',
    webhookId: randomUUID(),
    parameters: { resume: 'webhook', httpMethod: 'POST', options: {} },
  };
  const use: NodeUnderTest = {
    type: 'n8n-nodes-selfhost.host',
    name: 'Use',
    parameters: {
      ...{ resource: 'command', operation: 'runScript', host: { __rl: true, mode: 'id', value: 'bruno' } },
      script: `psql -XAt -h 127.0.0.1 -p ${postgres.port} -U "$ROLE" -d postgres -c 'select 1'`,
      options: {
        secretEnvironment: {
          pairs: [
            { key: 'ROLE', value: '={{ $("Hold").item.json.references[0] }}' },
            { key: 'PGPASSWORD', value: '={{ $("Hold").item.json.references[1] }}' },
          ],
        },
      },
    },
    credentials: { selfhostHost: credentials.selfhostHost, selfhostInfisical: credentials.selfhostInfisical },
  };
  const draft = webhookWorkflow(
    name,
    path,
    hold,
    post('Tell', `/${path}`, '={{ JSON.stringify({ url: $execution.resumeUrl }) }}'),
    wait,
    use,
  );
  const [trigger, ...others] = draft.nodes;
  const answering = { ...trigger!, parameters: { ...trigger!.parameters, responseMode: 'onReceived' } };
  return { ...draft, nodes: [answering, ...others] };
}

async function untilWaiting(api: N8nApi, workflow: string, path: string) {
  const url = await until('it says how it goes on', WITHIN, () => {
    const [first] = listener.at(`/${path}`);
    return typeof first?.['url'] === 'string' ? first['url'] : undefined;
  });
  const id = await until('it waits', WITHIN, async () => {
    const all = await api.executionsOf(workflow);
    return all.find(({ status }) => status === 'waiting')?.id;
  });
  return {
    id,
    goOn: () => fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }),
  };
}

/** Which lease has been renewed how often. */
const renewals = () => standIn.seen.filter(({ url }) => url.endsWith('/renew')).length;

test('one n8n: a login held before a wait is used behind it, and ends with the execution', async () => {
  const owned = await ownN8n();
  try {
    const { api } = owned;
    const path = randomUUID();
    const workflow = await published(api, waiting('One', path, await credentialsIn(api), 600));
    await api.callWebhook(path, {});
    const { id, goOn } = await untilWaiting(api, workflow, path);
    // It waits for longer than the login would live by itself.
    const before = renewals();
    await until('it was renewed while it waits', WITHIN, () => (renewals() >= before + 2 ? true : undefined));
    expect((await goOn()).status).toBe(200);
    const { status, runs, error } = await api.waitForExecution(id, { within: WITHIN });
    expect([status, error?.message]).toEqual(['success', undefined]);
    expect(runs['Use']?.[0]?.outputs[0]?.[0]?.['stdout']).toBe('1\n');
    // Long before its 600 s.
    await untilGone();
  } finally {
    await owned.remove();
  }
});

describe('a queue with two workers', () => {
  let owned: Owned<QueueN8n>;
  let credentials: Credentials;
  beforeAll(async () => {
    owned = await ownQueueN8n();
    credentials = await credentialsIn(owned.api);
  });
  afterAll(() => owned.remove());
  const call = (path: string, body: JsonObject) => owned.api.callWebhook(path, body, { url: owned.n8n.webhookUrl });

  test('a login whose execution waits and is never resumed ends by itself', async () => {
    const path = randomUUID();
    const workflow = await published(owned.api, waiting('Never', path, credentials, 20));
    await call(path, {});
    const { id } = await untilWaiting(owned.api, workflow, path);
    expect(await roles()).toMatch(/^inf_[0-9a-f]+$/);
    await untilGone();
    expect((await owned.api.execution(id)).status).toBe('waiting');
    await owned.api.stopExecution(id);
  });

  test('one that is resumed uses it where it is held, is told why not elsewhere, and it ends in both cases', async () => {
    const path = randomUUID();
    const workflow = await published(owned.api, waiting('Resumed', path, credentials, 45));
    const found = new Map<string, number>();
    for (let turn = 0; turn < 4; turn += 1) {
      await call(path, {});
      const seen = await until('the next one says how it goes on', WITHIN, () => {
        const url = listener.at(`/${path}`)[turn]?.['url'];
        return typeof url === 'string' ? url : undefined;
      });
      const id = await until('it waits', WITHIN, async () => {
        const all = await owned.api.executionsOf(workflow);
        return all.find(({ status }) => status === 'waiting')?.id;
      });
      expect((await fetch(seen, { method: 'POST' })).ok).toBe(true);
      const { status, error } = await owned.api.waitForExecution(id, { within: WITHIN });
      const how = status === 'success' ? 'used' : (error?.message ?? '').replace(/[0-9a-f-]{36}/, 'X');
      found.set(how, (found.get(how) ?? 0) + 1);
    }
    const elsewhere =
      'Lease X is not held here: it has ended, was made without "For This Execution", or this execution waited and goes on in another process';
    console.log(`resumed four times: ${JSON.stringify([...found])}`);
    expect([...found.keys()].filter((how) => how !== 'used' && how !== elsewhere)).toEqual([]);
    await untilGone();
  });

  test('executions of both workers that report one outage at once make one firing and one resolved message', async () => {
    const estate = 'queue';
    const alertState = (name: string, resource: string, operation: string, parameters: JsonObject): NodeUnderTest => ({
      type: 'n8n-nodes-selfhost.alertState',
      name,
      parameters: { resource, operation, keepIn: 'postgres', estate, ...parameters },
      credentials: { selfhostState: credentials.selfhostState },
    });
    const settings = { waitSeconds: 2, clearSeconds: 0, confirmSeconds: 3600, repeatMinutes: 0, escalateMinutes: [] };
    const sending = [
      post('Send', '/messages', '={{ JSON.stringify({ id: $json.id, text: $json.text }) }}'),
      alertState('Confirm', 'message', 'confirm', { messages: '={{ $("State").item.json.id }}' }),
    ];
    const onReceived = (draft: WorkflowDraft): WorkflowDraft => {
      const [trigger, ...others] = draft.nodes;
      return {
        ...draft,
        nodes: [{ ...trigger!, parameters: { ...trigger!.parameters, responseMode: 'onReceived' } }, ...others],
      };
    };
    const [set, report, tick] = [randomUUID(), randomUUID(), randomUUID()];
    const taken = alertState('State', 'incident', 'report', { report: '={{ $json.body.reports }}' });
    const due = alertState('State', 'incident', 'tick', {});
    await published(owned.api, webhookWorkflow('Set', set, alertState('Set', 'settings', 'set', { settings })));
    const reporting = await published(owned.api, onReceived(webhookWorkflow('Report', report, taken, ...sending)));
    const ticking = await published(owned.api, onReceived(webhookWorkflow('Tick', tick, due, ...sending)));
    await call(set, {});

    const cascade = (status: 'wrong' | 'ok') =>
      ['bruno', ...Array.from({ length: 15 }, (_, index) => `service-${index}`)].map((target) => ({
        ...{ target, status, severity: 'critical', time: new Date().toISOString() },
        labels: { kind: target === 'bruno' ? 'host' : 'service', host: 'bruno' },
      }));
    const ended = async (workflow: string) =>
      (await owned.api.executionsOf(workflow)).filter(({ status }) => status === 'success').length;
    const told = () => listener.at('/messages').map(({ id }) => id);
    let calls = 0;
    const allReport = async (status: 'wrong' | 'ok', wanted: readonly string[]) => {
      const reports = cascade(status);
      await Promise.all(Array.from({ length: 20 }, () => call(report, { reports })));
      calls += 20;
      await until('all have been taken', WITHIN, async () => ((await ended(reporting)) === calls ? true : undefined));
      let ticks = await ended(ticking);
      await until('all that is due was told', WITHIN, async () => {
        await Promise.all(Array.from({ length: 6 }, () => call(tick, {})));
        ticks += 6;
        await until('all ticks have ended', WITHIN, async () => ((await ended(ticking)) >= ticks ? true : undefined));
        return told().length >= wanted.length ? true : undefined;
      });
      expect(told()).toEqual(wanted);
    };
    await allReport('wrong', ['1-firing-0']);
    await allReport('ok', ['1-firing-0', '1-resolved']);
    expect(listener.at('/messages').map(({ text: said }) => said)).toEqual([
      '15 things wrong because bruno is unreachable',
      expect.stringMatching(/^Resolved after .*: 15 things wrong because bruno is unreachable$/),
    ]);
    // Both took part, or nothing has been shown.
    const shares = owned.n8n.workers.map((worker) => worker.readLog().match(/started execution/gi)?.length ?? 0);
    console.log(`executions by worker: ${shares.join(' and ')}`);
    expect(Math.min(...shares)).toBeGreaterThan(5);
    expect(shares.length).toBe(2);
  });
});
