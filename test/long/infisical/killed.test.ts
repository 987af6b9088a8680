import { Client } from 'pg';
import { until } from '../../../lab/hosts/waiting';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { type InfisicalStandIn, startInfisical } from '../../../lab/standins/infisical';
import { manualWorkflow, ownN8n } from '../../e2e/harness';

jest.setTimeout(300_000);

let postgres: PostgresServer;
let standIn: InfisicalStandIn;
beforeAll(async () => {
  postgres = await startPostgres();
  standIn = await startInfisical({ sql: postgres.sql, shortestTtlSeconds: 2 });
});
afterAll(async () => {
  await (standIn as InfisicalStandIn | undefined)?.close();
  await (postgres as PostgresServer | undefined)?.stop();
});

async function logsIn(user: string, password: string): Promise<boolean> {
  const client = new Client({ host: '127.0.0.1', port: postgres.port, database: 'postgres', user, password });
  client.on('error', () => undefined);
  return client.connect().then(
    async () => {
      await client.end();
      return true;
    },
    (error: unknown) => {
      expect(error).toMatchObject({ code: '28P01' });
      return false;
    },
  );
}

test('a login held for an execution is renewed while n8n lives, and ends by itself when n8n is killed', async () => {
  const project = standIn.addProject('homelab');
  standIn.addDynamicSecret(project, 'prod', '/', 'db');
  const { clientId, clientSecret } = standIn.addIdentity();
  const owned = await ownN8n();
  try {
    const { api } = owned;
    const data = { siteUrl: standIn.url, login: 'universal', clientId, clientSecret, readOnly: false };
    const workflow = manualWorkflow(
      'Held',
      {
        type: 'n8n-nodes-selfhost.infisical',
        name: 'Hold',
        parameters: {
          ...{ resource: 'lease', operation: 'hold', dynamicSecret: 'db', environment: 'prod', path: '/' },
          project: { __rl: true, mode: 'id', value: 'homelab' },
          options: { ttlSeconds: 10 },
        },
        credentials: { selfhostInfisical: await api.createCredential('infisical', 'selfhostInfisical', data) },
      },
      { type: 'n8n-nodes-base.wait', typeVersion: 1.1, name: 'Wait', parameters: { amount: 60, unit: 'seconds' } },
    );
    await api.runManually(await api.createWorkflow(workflow), 'By hand');
    const renewals = () => standIn.seen.filter(({ url }) => url.endsWith('/renew')).length;
    await until('the lease was renewed twice', 60_000, () => (renewals() > 1 ? true : undefined));
    const role = (await postgres.sql("select rolname from pg_roles where rolname like 'inf\\_%'")).trim();
    const [password = ''] = standIn.leasedPasswords;

    await owned.n8n.kill();
    const killed = renewals();
    await until('the login has ended', 90_000, async () => ((await logsIn(role, password)) ? undefined : true));
    expect(renewals()).toBe(killed);
    expect(standIn.seen.filter(({ method }) => method === 'DELETE')).toEqual([]);
  } finally {
    await owned.remove();
  }
});
