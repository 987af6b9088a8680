import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { checkNow } from '../../../../lib/health/check-now';
import { judgePgBackRest } from '../../../../lib/health/probes/host/backups';
import { judgeAge } from '../../../../lib/health/probes/items/age';
import { parseTargets, USUAL_DEFAULTS } from '../../../../lib/health/target';
import { quietTask } from '../../../shared/task';

const DAY = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY + DAY / 2).toISOString();

/** A target looked at once. What an API is asked for it gives; the token it wants is `the token`. */
async function found(kind: string, written: object, document: unknown = {}): Promise<string> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    response.statusCode = request.url?.includes('forbidden') === true ? 403 : 200;
    response.end(JSON.stringify(document));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const text = JSON.stringify({ name: 'it', kind, ...written }).replaceAll('BASE', base);
  const [news] = await checkNow(
    parseTargets(JSON.parse(text), USUAL_DEFAULTS),
    {
      hostOf: () => {
        throw new Error('no host is asked for');
      },
      secretOf: (reference) => Promise.resolve(reference === 'credential:BEARER' ? 'Bearer the token' : 'the token'),
    },
    1,
    quietTask(),
  );
  server.close();
  return [news?.evidence, ...asked].join(' | ');
}

const rdap = (days: number) => ({
  events: [
    { eventAction: 'registration', eventDate: inDays(-900) },
    { eventAction: 'expiration', eventDate: inDays(days) },
  ],
});

test.each([
  [rdap(90), 'n8n: it lasts 90 days | GET /domain/kua.cl'],
  [rdap(12), 'n8n: it ends in 12 days | GET /domain/kua.cl'],
  [rdap(-4), 'n8n: it ended 4 days ago | GET /domain/kua.cl'],
  [{}, 'n8n: its answer does not say when it ends | GET /domain/kua.cl'],
])('a domain, by RDAP', async (document, expected) => {
  expect(await found('domain', { url: 'BASE/domain/kua.cl' }, document)).toBe(expected);
});

test('a token, by the API that made it', async () => {
  const token = {
    url: 'BASE/verify',
    path: 'result.expires_on',
    secretHeaders: { authorization: 'credential:BEARER' },
  };
  expect(await found('token', token, { result: { expires_on: inDays(40) } })).toBe(
    'n8n: it lasts 40 days | GET /verify Bearer the token',
  );
  expect(await found('token', { ...token, daysLeft: 60 }, { result: { expires_on: inDays(40) } })).toMatch(
    /^n8n: it ends in 40 days/,
  );
  expect(await found('token', { ...token, url: 'BASE/forbidden' })).toMatch(/^n8n: it cannot be asked: it answers 403/);
});

test('how full a storage box is, by its API', async () => {
  const box = { id: 42, token: 'credential:HETZNER', api: 'BASE/v1' };
  const answer = (used: number) => ({ storage_box: { stats: { size: used }, storage_box_type: { size: 5_000 } } });
  expect(await found('storageBox', box, answer(1_000))).toBe(
    'n8n: it is 20 % full | GET /v1/storage_boxes/42 Bearer the token',
  );
  expect(await found('storageBox', box, answer(4_500))).toMatch(/^n8n: it is 90 % full/);
  expect(await found('storageBox', box, { storage_box: {} })).toMatch(/^n8n: its answer does not say how full it is/);
});

test.each([
  ['backup', { finishedAt: inDays(-1.5) }, 'its newest backup is 24 h old'],
  ['backup', { finishedAt: inDays(-3.5) }, 'its newest backup is 3 d old'],
  ['backup', {}, 'there is no backup'],
  ['backup', { finishedAt: inDays(3) }, /^its newest backup is from the future/],
  ['backup', { finishedAt: inDays(-1.5), maxVerifiedAgeHours: 200 }, 'there is no verified backup'],
  ['quota', { usedBytes: 50, sizeBytes: 100 }, 'it is 50 % full'],
  ['quota', { usedBytes: 90, sizeBytes: 100 }, 'it is 90 % full'],
  ['expiry', { endsAt: inDays(31) }, 'it lasts 31 days'],
  ['expiry', { endsAt: inDays(3) }, 'it ends in 3 days'],
])('an item of another node: %s (%#)', async (kind, item, says) => {
  const evidence = (await found(kind, item)).replace(/^n8n: /, '');
  if (typeof says === 'string') expect(evidence).toBe(says);
  else expect(evidence).toMatch(says);
});

const NOW = Date.parse('2026-01-31T12:00:00Z');
const info = (changes: object) =>
  JSON.stringify([
    {
      name: 'main',
      status: { code: 0, message: 'ok' },
      backup: [
        { label: 'old', error: false, timestamp: { start: 1, stop: NOW / 1000 - 200_000 } },
        { label: 'new', error: false, timestamp: { start: 1, stop: NOW / 1000 - 7_200 } },
      ],
      ...changes,
    },
  ]);

test('the age of the newest backup of pgBackRest that is whole', () => {
  expect(judgePgBackRest(info({}), 26, NOW)).toBe('its newest backup is 2 h old');
  expect(() => judgePgBackRest(info({}), 1, NOW)).toThrow('its newest backup is 2 h old');
  const broken = { backup: [{ error: true, timestamp: { stop: NOW / 1000 } }] };
  expect(() => judgePgBackRest(info(broken), 26, NOW)).toThrow('there is no backup');
  const missing = { status: { code: 1, message: 'missing stanza path' }, backup: [] };
  expect(() => judgePgBackRest(info(missing), 26, NOW)).toThrow('pgBackRest says: missing stanza path');
  expect(() => judgePgBackRest('[]', 26, NOW)).toThrow('pgBackRest does not know the stanza');
  expect(() => judgePgBackRest('ERROR', 26, NOW)).toThrow('pgBackRest does not answer in JSON');
});

test('a clock that is a little ahead makes no backup of the future', () => {
  expect(judgeAge('backup', NOW + 60_000, 26, NOW)).toBe('its newest backup is 0 s old');
});
