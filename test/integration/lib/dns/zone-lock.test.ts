import { type PostgresServer, startPostgres } from '../../../../lab/postgres';
import { type CloudflareStandIn, startCloudflare } from '../../../../lab/standins/cloudflare';
import { raceProgram } from '../../../shared/racers';
import type { ZoneRace } from '../../../shared/zone-racer';

let server: PostgresServer;
let standIn: CloudflareStandIn;

jest.setTimeout(120_000);

beforeAll(async () => {
  server = await startPostgres();
  standIn = await startCloudflare();
});

afterAll(async () => {
  await standIn.close();
  await server.stop();
});

test('workers in processes of their own that sync one zone at once never come between look and write of another', async () => {
  const racers = 3;
  const rounds = 3;
  const { id, name } = standIn.addZone('kua.cl');
  const tokens = Array.from({ length: racers }, () => standIn.addToken());
  const { host, port, user, password, database } = server;
  const race: ZoneRace = {
    database: { name: 'database lab', database, user, password, at: { host, port } },
    baseUrl: standIn.url,
    tokens,
    zone: name,
    rounds,
  };
  standIn.forget();
  const answers = await raceProgram<number[]>('zone-racer.ts', racers, race);
  // A full sync that finds the records of another takes them away: each of them had to write.
  expect(answers).toEqual(Array.from({ length: racers }, () => Array.from({ length: rounds }, () => 1)));

  const who = standIn.seen
    .filter(({ url }) => url.startsWith(`/zones/${id}/dns_records`))
    .map(
      ({ method, headers }) => `${tokens.indexOf((headers['authorization'] ?? '').slice('Bearer '.length))} ${method}`,
    );
  const applies = Array.from({ length: who.length / 4 }, (_, index) => who.slice(index * 4, index * 4 + 4));
  expect(applies).toHaveLength(racers * rounds);
  for (const apply of applies) {
    const [racer = ''] = apply[0]?.split(' ') ?? [];
    expect(apply).toEqual(['GET', 'GET', 'POST', 'GET'].map((method) => `${racer} ${method}`));
  }
});
