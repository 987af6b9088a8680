import fc from 'fast-check';
import type { Finding } from '../../../../lib/health/finding';
import { parseTargets, USUAL_DEFAULTS } from '../../../../lib/health/target';
import { watchChecks } from '../../../../lib/health/watch';
import { quietTask } from '../../../shared/task';

// Time is played, so that no machine is too slow for it.
beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

interface Outage {
  readonly intervalSeconds: number;
  readonly wrong: number;
  /** Where in its interval the check begins, and when it breaks. */
  readonly phase: number;
  readonly breaksAfterMs: number;
  /** It refuses at once, or does not answer until the look is given up. */
  readonly hangs: boolean;
}

/** How long after the target broke the watch said so. */
async function detection({ intervalSeconds, wrong, phase, breaksAfterMs, hangs }: Outage): Promise<number> {
  const [target] = parseTargets(
    { name: 'it', kind: 'tcp', host: '127.0.0.1', port: 1, intervalSeconds, wrong, of: wrong + 1, ok: 1 },
    USUAL_DEFAULTS,
  );
  if (target === undefined) throw new Error('no target');
  const stop = new AbortController();
  const begun = Date.now();
  const brokenAt = begun + (phase + 1) * intervalSeconds * 1000 + breaksAfterMs;
  let toldAt: number | undefined;
  const look = ({ signal }: { readonly signal: AbortSignal }): Promise<Finding> => {
    if (Date.now() < brokenAt) return Promise.resolve({ outcome: 'ok', says: 'it answers', latencyMs: 1 });
    if (!hangs) return Promise.resolve({ outcome: 'wrong', says: 'nothing listens there' });
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ outcome: 'wrong', says: 'it does not answer in time' }));
    });
  };
  const running = watchChecks(
    [
      {
        id: 'it',
        intervalMs: target.intervalMs,
        deadlineMs: target.deadlineMs,
        rules: target.rules,
        looks: [{ vantage: 'n8n', look }],
      },
    ],
    {
      concurrency: 1,
      random: () => phase,
      onTransition: (_, { to, at }) => {
        if (to === 'wrong') toldAt = at;
      },
    },
    quietTask(stop.signal),
  );
  const end = brokenAt + (wrong + 2) * intervalSeconds * 1000 + 5_000;
  while (toldAt === undefined && Date.now() < end) await jest.advanceTimersByTimeAsync(50);
  stop.abort();
  await jest.advanceTimersByTimeAsync(1_000);
  await running;
  return (toldAt ?? Infinity) - brokenAt;
}

test('lasting trouble is told within the interval times the rounds and a second, also when the target hangs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        intervalSeconds: fc.constantFrom(1, 2, 10, 30, 60),
        wrong: fc.integer({ min: 1, max: 5 }),
        phase: fc.double({ min: 0, max: 0.99, noNaN: true }),
        breaksAfterMs: fc.integer({ min: 0, max: 20_000 }),
        hangs: fc.boolean(),
      }),
      async (outage) => {
        expect(await detection(outage)).toBeLessThanOrEqual(outage.intervalSeconds * 1000 * outage.wrong + 1_000);
      },
    ),
    { numRuns: 40 },
  );
});
