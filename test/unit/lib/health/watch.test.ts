import type { Finding } from '../../../../lib/health/finding';
import { watchLag } from '../../../../lib/health/lag';
import { USUAL_RULES, type Transition } from '../../../../lib/health/standing';
import { watchChecks, type Check } from '../../../../lib/health/watch';
import { quietTask } from '../../../shared/task';

const ok: Finding = { outcome: 'ok', says: 'it answers', latencyMs: 1 };
const wrong: Finding = { outcome: 'wrong', says: 'HTTP 502' };

function check(id: string, look: () => Promise<Finding>, changes: Partial<Check> = {}): Check {
  return {
    id,
    intervalMs: 100,
    deadlineMs: 1_000,
    rules: { ...USUAL_RULES, wrong: 2, of: 3, ok: 1 },
    looks: [{ vantage: 'n8n', look }],
    ...changes,
  };
}

test('only changes are told, each once', async () => {
  const stop = new AbortController();
  let broken = false;
  let looks = 0;
  const told: { id: string; to: Transition['to'] }[] = [];
  const target = check('site', () => {
    looks += 1;
    if (looks === 6) broken = true;
    if (looks >= 20) stop.abort();
    return Promise.resolve(broken ? wrong : ok);
  });
  await watchChecks(
    [target],
    {
      concurrency: 10,
      onTransition: ({ id }, { to }) => told.push({ id, to }),
    },
    quietTask(stop.signal),
  );
  expect(told.map(({ id, to }) => [id, to])).toEqual([
    ['site', 'ok'],
    ['site', 'wrong'],
  ]);
});

test('thousands of checks are all looked at, and never more at once than allowed', async () => {
  const stop = new AbortController();
  let now = 0;
  let most = 0;
  let allIn: () => void = () => undefined;
  const full = new Promise<void>((resolve) => (allIn = resolve));
  const seen = new Set<string>();
  const checks = Array.from({ length: 2_000 }, (_, index) =>
    check(
      String(index),
      async () => {
        now += 1;
        most = Math.max(most, now);
        // Nobody leaves before all places were taken once, so that no timer decides how many there were.
        if (now === 25) allIn();
        await full;
        await new Promise((resolve) => setTimeout(resolve, 1));
        now -= 1;
        seen.add(String(index));
        if (seen.size === 2_000) stop.abort();
        return ok;
      },
      { intervalMs: 500 },
    ),
  );
  await watchChecks(checks, { concurrency: 25, onTransition: () => undefined }, quietTask(stop.signal));
  expect(seen.size).toBe(2_000);
  expect(most).toBe(25);
});

test('what was seen while the event loop hung is thrown away', async () => {
  const stop = new AbortController();
  let looks = 0;
  const told: string[] = [];
  const target = check('site', async () => {
    looks += 1;
    if (looks > 8) stop.abort();
    // Every look falls into a hang of ours, and its bad news is our own.
    const end = performance.now() + 300;
    while (performance.now() < end);
    return Promise.resolve(wrong);
  });
  await watchChecks(
    [{ ...target, intervalMs: 20 }],
    { concurrency: 1, onTransition: (_, { to }) => told.push(to) },
    quietTask(stop.signal),
  );
  expect(told).toEqual([]);
});

test('a hang is known at once, and forgotten for what began after it', () => {
  let now = 0;
  const lag = watchLag(() => now);
  now = 240;
  expect(lag.laggedSince(0)).toBe(false);
  now = 600;
  expect(lag.laggedSince(590)).toBe(true);
  lag.stop();
});

test('what was believed before a restart is not told again', async () => {
  const stop = new AbortController();
  const told: string[] = [];
  let looks = 0;
  const target = check('site', () => {
    looks += 1;
    if (looks > 5) stop.abort();
    return Promise.resolve(wrong);
  });
  await watchChecks(
    [{ ...target, intervalMs: 10 }],
    {
      concurrency: 1,
      onTransition: (_, { to }) => told.push(to),
      remembered: new Map([['site', { status: 'wrong', rounds: ['wrong'], begunAt: 0 }]]),
    },
    quietTask(stop.signal),
  );
  expect(told).toEqual([]);
});
