import { Client } from 'pg';
import { type PostgresServer, startPostgres } from '../../../../lab/postgres';
import { type InfisicalStandIn, type Project, startInfisical } from '../../../../lab/standins/infisical';
import { type InfisicalApi, infisicalApi } from '../../../../lib/infisical/api';
import { listLeases, type NewLease, withLease } from '../../../../lib/infisical/leases';
import type { Task } from '../../../../lib/task';
import { quietTask } from '../../../shared/task';

let postgres: PostgresServer;
let standIn: InfisicalStandIn;
let api: InfisicalApi;
let project: Project;
const place = { projectSlug: 'homelab', environment: 'prod', path: '/' };
const wanted = { dynamicSecret: 'db', ttl: '5m' };

beforeAll(async () => {
  postgres = await startPostgres();
  standIn = await startInfisical({ sql: postgres.sql });
  project = standIn.addProject('homelab');
  standIn.addDynamicSecret(project, 'prod', '/', 'db');
  const { clientId, clientSecret } = standIn.addIdentity();
  api = infisicalApi({ siteUrl: standIn.url, login: { method: 'universal', clientId, clientSecret } });
});
afterAll(async () => {
  api.close();
  await standIn.close();
  await postgres.stop();
});

/** Who PostgreSQL says that we are. */
async function loggedInAs({ credentials }: NewLease): Promise<string> {
  const client = new Client({
    host: postgres.host,
    port: postgres.port,
    database: postgres.database,
    user: credentials['DB_USERNAME']?.reveal(),
    password: credentials['DB_PASSWORD']?.reveal(),
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ who: string }>('select current_user as who');
    return rows[0]?.who ?? '';
  } finally {
    await client.end();
  }
}

const roles = async () => (await postgres.sql("select rolname from pg_roles where rolname like 'inf\\_%'")).trim();

test('the leased login works while the work lasts, and is gone after it', async () => {
  const kept: NewLease[] = [];
  const who = await withLease(
    api,
    place,
    wanted,
    async (lease) => {
      kept.push(lease);
      return loggedInAs(lease);
    },
    quietTask(),
  );
  expect(who).toMatch(/^inf_[0-9a-f]{16}$/);
  expect(await roles()).toBe('');
  const [lease] = kept;
  await expect(lease && loggedInAs(lease)).rejects.toThrow('password authentication failed');
  expect(await listLeases(api, place, 'db', quietTask())).toEqual([]);
});

test('after an error the login is gone, and the error is what is told', async () => {
  const work = withLease(api, place, wanted, () => Promise.reject(new Error('the work broke')), quietTask());
  await expect(work).rejects.toThrow('the work broke');
  expect(await roles()).toBe('');
});

test('after Stop the login is gone', async () => {
  const stop = new AbortController();
  const task: Task = quietTask(stop.signal);
  const work = withLease(
    api,
    place,
    wanted,
    () => {
      stop.abort();
      return Promise.reject(new Error('stopped'));
    },
    task,
  );
  await expect(work).rejects.toThrow('stopped');
  expect(await roles()).toBe('');
});

test('a login that cannot be revoked is told with the time until which it works', async () => {
  const work = withLease(
    api,
    place,
    wanted,
    () => {
      standIn.fail({
        kind: 'answer',
        method: 'DELETE',
        reply: {
          status: 500,
          json: { reqId: '1', statusCode: 500, message: 'Something went wrong', error: 'InternalServerError' },
        },
      });
      return Promise.resolve('done');
    },
    quietTask(),
  );
  await expect(work).rejects.toMatchObject({
    code: 'lease_not_revoked',
    message: expect.stringMatching(/could not be revoked; its login works until 2\d{3}-/) as string,
  });
  expect(await roles()).toMatch(/^inf_/);
});
