import { startPostgres, type PostgresServer } from '../../../../lab/postgres';
import type { Report } from '../../../../lib/alert/report';
import { USUAL_SETTINGS } from '../../../../lib/alert/settings';
import { keepSettings, readBook } from '../../../../lib/alert/store';
import type { Database } from '../../../../lib/postgres/connection';
import { postgresState } from '../../../../lib/state/postgres';
import type { AlertRace } from '../../../shared/alert-racer';
import { raceProgram } from '../../../shared/racers';
import { quietTask } from '../../../shared/task';

let server: PostgresServer;
let database: Database;

beforeAll(async () => {
  server = await startPostgres();
  const { host, port, user, password } = server;
  database = { name: 'the lab', database: server.database, user, password, at: { host, port } };
});

afterAll(() => server.stop());

const NOON = Date.parse('2026-01-31T12:00:00Z');
const MINUTE = 60_000;

const cascade = (status: Report['status'], time: number): Report[] =>
  ['host', ...Array.from({ length: 15 }, (_, index) => `service-${index}`)].map((name) => ({
    target: name === 'host' ? 'bruno' : name,
    labels: { kind: name === 'host' ? 'host' : 'service', host: 'bruno' },
    severity: 'critical',
    status,
    evidence: '',
    time,
  }));

test('of six processes that report one outage at once, one is given the firing and one the resolved message', async () => {
  const store = postgresState(database, quietTask());
  // The racers play minutes in a moment, in which nobody can confirm anything.
  await keepSettings(store, 'race', { ...USUAL_SETTINGS, patienceMs: 60 * MINUTE }, () => NOON);
  const plan: AlertRace = {
    database,
    batches: [
      ...[0, 10_000, MINUTE, MINUTE + 1].map((after) => ({
        now: NOON + after,
        reports: cascade('wrong', NOON + after),
      })),
      ...[10 * MINUTE, 12 * MINUTE, 13 * MINUTE].map((after) => ({
        now: NOON + after,
        reports: cascade('ok', NOON + after),
      })),
    ],
  };
  const answers = await raceProgram<string[]>('alert-racer.ts', 6, plan);
  const given = answers.flat().filter((id) => /-(firing|resolved)/.test(id));
  expect(given.sort()).toEqual(['1-firing-0', '1-resolved']);
  const all = answers.flat();
  expect(new Set(all).size).toBe(all.length);

  const { memory } = await readBook(store, 'race');
  expect(memory.incidents).toEqual([]);
  await store.close();
});
