import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { startAlertmanager, type Alertmanager } from '../../../../lab/alertmanager';
import { until } from '../../../../lab/hosts/waiting';
import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { readAlertmanager } from '../../../../lib/alert/alertmanager';
import type { Message } from '../../../../lib/alert/message';
import { USUAL_SETTINGS } from '../../../../lib/alert/settings';
import { happen, keepSettings } from '../../../../lib/alert/store';
import { quietTask } from '../../../shared/task';

let alertmanager: Alertmanager;
let receiver: Server;
const deliveries: unknown[] = [];
const messages: Message[] = [];
const store = memoryState(makeMemory(), quietTask());
const settings = { ...USUAL_SETTINGS, waitMs: 2_000, clearMs: 500 };

beforeAll(async () => {
  await keepSettings(store, 'alertmanager', settings);
  receiver = createServer((request, response) => {
    void text(request).then(async (body) => {
      const delivery: unknown = JSON.parse(body);
      deliveries.push(delivery);
      const { reports } = readAlertmanager(delivery, Date.now());
      messages.push(...(await happen(store, 'alertmanager', { kind: 'reports', reports })));
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  alertmanager = await startAlertmanager(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`);
});

afterAll(async () => {
  await alertmanager.stop();
  receiver.closeAllConnections();
  receiver.close();
});

const NAMES = ['InstanceDown', ...Array.from({ length: 15 }, (_, index) => `Service${index}Down`)];

async function send(times: { readonly startsAt: string; readonly endsAt?: string }): Promise<void> {
  const alerts = NAMES.map((alertname) => ({
    labels: { alertname, instance: 'bruno:9100', severity: 'critical' },
    annotations: { summary: `${alertname} since <now> & then` },
    ...times,
  }));
  const answer = await fetch(`${alertmanager.url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts),
  });
  expect(answer.status).toBe(200);
}

const told = () => messages.filter(({ kind }) => kind !== 'suppressed').map(({ kind, text }) => `${kind}: ${text}`);

async function untilTold(count: number): Promise<void> {
  await until(`${count} messages were told`, 20_000, async () => {
    messages.push(...(await happen(store, 'alertmanager', { kind: 'tick' })));
    return told().length >= count ? true : undefined;
  });
}

test('a cascade that a real Alertmanager sends in sixteen groups is one firing and one resolved message', async () => {
  const startsAt = new Date(Date.now() - 1000).toISOString();
  await send({ startsAt });
  await untilTold(1);
  await send({ startsAt, endsAt: new Date().toISOString() });
  await untilTold(2);
  expect(told()).toEqual([
    'firing: 15 things wrong because bruno is unreachable',
    expect.stringMatching(/^resolved: Resolved after \d+ s: 15 things wrong because bruno is unreachable$/),
  ]);
  expect(deliveries.length).toBeGreaterThanOrEqual(32);
  const [firing] = messages.filter((message) => message.kind === 'firing');
  expect(firing?.kind === 'firing' && firing.incidents[0]?.things[0]).toMatchObject({
    target: 'bruno',
    evidence: 'InstanceDown since <now> & then',
    startedAt: Date.parse(startsAt),
  });
});
