import { randomUUID } from 'node:crypto';
import { type PostgresServer, startPostgres } from '../../../../lab/postgres';
import type { Received } from '../../../../lib/forgejo/webhook/receive';
import type { DeliveryRace } from '../../../shared/delivery-racer';
import { raceProgram } from '../../../shared/racers';
import { bodyOf, headersOf, recorded } from '../../../unit/lib/forgejo/webhook/samples';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

test('of three webhook processors that all get every recorded delivery, one starts each, and none after a restart', async () => {
  const { host, port, user, password, database } = server;
  const secret = 'a secret of decent length';
  const plan: DeliveryRace = {
    database: { name: 'database of the test', at: { host, port }, user, password, database },
    secret,
    deliveries: recorded.samples.map((sample) => {
      const body = bodyOf(sample);
      return { headers: headersOf(sample, body, secret, randomUUID()), body: body.toString() };
    }),
  };
  const processors = await raceProgram<Received['kind'][]>('delivery-racer.ts', 3, plan);
  expect(plan.deliveries).toHaveLength(66);
  for (const at of plan.deliveries.keys()) {
    expect(processors.map((kinds) => kinds[at]).sort()).toEqual(['accepted', 'duplicate', 'duplicate']);
  }
  // The same processes, started again.
  const [restarted] = await raceProgram<Received['kind'][]>('delivery-racer.ts', 1, plan);
  expect(new Set(restarted)).toEqual(new Set(['duplicate']));
}, 90_000);
