import { type Budget, mayGoAt, readBudget, readRetryAfter, takeLoss, takeReport } from '../../../../lib/http/budget';

const now = Date.parse('2026-01-10T12:00:00Z');
const unix = now / 1000;

test.each<[string, Record<string, string>, unknown]>([
  [
    'separate headers with seconds left',
    { 'ratelimit-limit': '100', 'ratelimit-remaining': '7', 'ratelimit-reset': '30' },
    { limit: 100, remaining: 7, resetAt: now + 31_000 },
  ],
  [
    'a limit that lists its policies',
    { 'ratelimit-limit': '100, 100;w=60', 'ratelimit-remaining': '7', 'ratelimit-reset': '30' },
    { limit: 100, remaining: 7, resetAt: now + 31_000 },
  ],
  [
    'Hetzner: Unix time',
    { 'ratelimit-limit': '3600', 'ratelimit-remaining': '3599', 'ratelimit-reset': `${unix + 1}` },
    { limit: 3600, remaining: 3599, resetAt: now + 2_000 },
  ],
  [
    'GitHub: Unix time with x-, and a server clock that is ten seconds ahead',
    {
      'x-ratelimit-limit': '60',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': `${unix + 20}`,
      date: new Date(now + 10_000).toUTCString(),
    },
    { limit: 60, remaining: 0, resetAt: now + 11_000 },
  ],
  [
    'Unix time in milliseconds',
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${now + 5_000}` },
    { remaining: 0, resetAt: now + 6_000 },
  ],
  [
    'the IETF draft with one dictionary',
    { ratelimit: 'limit=100, remaining=50, reset=5' },
    { limit: 100, remaining: 50, resetAt: now + 6_000 },
  ],
  [
    'the newer draft, where the tightest of several windows counts',
    {
      ratelimit: '"hour";r=800;t=1800, "burst";r=2;t=4',
      'ratelimit-policy': '"hour";q=1000;w=3600, "burst";q=10;w=5',
    },
    { limit: 10, remaining: 2, resetAt: now + 5_000 },
  ],
  ['no header', { 'content-type': 'text/plain' }, undefined],
  ['nonsense', { 'ratelimit-remaining': 'many', ratelimit: '?' }, undefined],
])('reads the budget: %s', (_, headers, expected) => {
  expect(readBudget(headers, now)).toEqual(expected);
});

test.each<[string, Record<string, string>, number | undefined]>([
  ['seconds', { 'retry-after': '12' }, 12_000],
  ['a date', { 'retry-after': new Date(now + 9_000).toUTCString() }, 9_000],
  [
    'a date by a clock that is five seconds behind',
    { 'retry-after': new Date(now).toUTCString(), date: new Date(now - 5_000).toUTCString() },
    5_000,
  ],
  ['a date that is past', { 'retry-after': new Date(now - 9_000).toUTCString() }, 0],
  ['nothing', {}, undefined],
  ['nonsense', { 'retry-after': 'soon' }, undefined],
])('reads Retry-After: %s', (_, headers, expected) => {
  expect(readRetryAfter(headers, now)).toBe(expected);
});

test('the first request goes alone and finds out; a slow one is waited for two seconds', () => {
  expect(mayGoAt({ kind: 'unknown' }, 0, 0, now)).toBe(now);
  expect(mayGoAt({ kind: 'unknown' }, 1, now - 500, now)).toBe(now + 1_500);
  expect(mayGoAt({ kind: 'unlimited' }, 9, now, now)).toBe(now);
});

const unknown: Budget = { kind: 'unknown' };

test('requests go until the budget is gone, those under way taken off, and then wait for the reset', () => {
  const report = { request: 1, limit: 10, remaining: 3, resetAt: now + 5_000 };
  const budget = takeReport(unknown, report, 1, now, 'at reset');
  expect(mayGoAt(budget, 2, now, now)).toBe(now);
  expect(mayGoAt(budget, 3, now, now)).toBe(now + 5_000);
  expect(mayGoAt(takeLoss(budget), 2, now, now)).toBe(now + 5_000);
  expect(mayGoAt(budget, 0, now, now + 5_000)).toBe(now + 5_000);
});

test('an answer that was overtaken brings no requests back, one sent later does', () => {
  const resetAt = now + 5_000;
  const learnt = takeReport(unknown, { request: 3, limit: 10, remaining: 5, resetAt }, 6, now, 'at reset');
  expect(takeReport(learnt, { request: 6, remaining: 7, resetAt }, 8, now, 'at reset')).toBe(learnt);
  expect(takeReport(learnt, { request: 6, remaining: 4, resetAt }, 8, now, 'at reset')).toMatchObject({ remaining: 4 });
  expect(takeReport(learnt, { request: 7, remaining: 9, resetAt }, 8, now, 'at reset')).toMatchObject({ remaining: 9 });
});

test('a budget that grows back gradually is waited for only as long as one request takes', () => {
  // 3600 an hour: one a second. 36, a hundredth, is left to others.
  const report = { request: 1, limit: 3600, remaining: 36, resetAt: now + 3_564_000 };
  const budget = takeReport(unknown, report, 1, now, 'gradual');
  expect(mayGoAt(budget, 0, now, now)).toBe(now + 1_000);
  expect(mayGoAt(budget, 0, now, now + 1_000)).toBe(now + 1_000);
});
