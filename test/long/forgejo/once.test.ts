import { randomUUID } from 'node:crypto';
import { until } from '../../../lab/hosts/waiting';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { type ForgejoStandIn, startForgejo } from '../../../lab/standins/forgejo';
import { nodeUnderTest, ownQueueN8n } from '../../e2e/harness';
import { bodyOf, headersOf, sampleOf } from '../../unit/lib/forgejo/webhook/samples';

jest.setTimeout(600_000);

const DELIVERIES = 30;

let postgres: PostgresServer;
let forgejo: ForgejoStandIn;
beforeAll(async () => {
  [postgres, forgejo] = await Promise.all([startPostgres(), startForgejo({ deliveryTimeoutMs: 30_000 })]);
  forgejo.addUser('root', true);
});
afterAll(async () => {
  await (forgejo as ForgejoStandIn | undefined)?.close();
  await (postgres as PostgresServer | undefined)?.stop();
});

test('a delivery that comes to two webhook processes at once, and again after a kill, starts the workflow once', async () => {
  const owned = await ownQueueN8n();
  try {
    const { api } = owned;
    const { host, port, user, password, database } = postgres;
    const token = forgejo.addToken('root');
    const server = { baseUrl: forgejo.url, token, privateAuthority: '', readOnly: false };
    const trigger = nodeUnderTest({
      type: 'n8n-nodes-selfhost.forgejoTrigger',
      webhookId: randomUUID(),
      parameters: { scope: 'system', events: ['push'], keepIn: 'postgres' },
      credentials: {
        selfhostForgejo: await api.createCredential('forgejo', 'selfhostForgejo', server),
        selfhostState: await api.createCredential('state', 'selfhostState', { host, port, user, password, database }),
      },
    });
    const id = await api.createWorkflow({ name: 'Once', nodes: [trigger], connections: {} });
    await api.publish(id);
    const [hook] = forgejo.hooksOf('system');
    if (hook === undefined) throw new Error('Publishing made no hook');

    const push = sampleOf('woodpecker-forgejo-PushMulti');
    const body = bodyOf(push);
    const post = (to: string, delivery: string) =>
      fetch(`${to}${new URL(hook.url).pathname}`, {
        method: 'POST',
        headers: headersOf(push, body, hook.secret, delivery),
        body,
      });
    const send = async (to: string, delivery: string) => {
      const answer = await post(to, delivery);
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { readonly started: boolean }).started;
    };
    // The first one loads code and opens a connection, for which a busy machine may need more time than there is.
    const warm = async (to: string) => {
      await until(`${to} remembers deliveries`, 60_000, async () =>
        (await post(to, randomUUID())).status === 200 ? true : undefined,
      );
    };
    const executions = async () => (await api.executionsOf(id)).length;
    const deliveries = Array.from({ length: DELIVERIES }, () => randomUUID());
    const both = [owned.n8n.url, owned.n8n.webhookUrl];
    for (const to of both) await warm(to);
    await until('both have started it', 60_000, async () => ((await executions()) === 2 ? true : undefined));
    for (const delivery of deliveries) {
      const started = await Promise.all([...both, ...both].map((to) => send(to, delivery)));
      expect(started.filter(Boolean)).toHaveLength(1);
    }
    await until('each has started it', 60_000, async () =>
      (await executions()) === DELIVERIES + 2 ? true : undefined,
    );

    await owned.n8n.kill();
    owned.n8n = await owned.n8n.restart();
    await warm(owned.n8n.url);
    const again = [];
    for (const delivery of deliveries) again.push(await send(owned.n8n.url, delivery));
    expect(again).toEqual(deliveries.map(() => false));
    // It was adopted, and not made anew.
    expect(forgejo.hooksOf('system')).toEqual([hook]);
    expect(await send(owned.n8n.url, randomUUID())).toBe(true);
    await until('the new one has started it', 60_000, async () =>
      (await executions()) === DELIVERIES + 4 ? true : undefined,
    );
  } finally {
    await owned.remove();
  }
});
