import * as fc from 'fast-check';

import { decideRetry, defaultRetry, type Outcome, type RetryQuestion } from '../../../../lib/http/retry';

const ask = (outcome: Outcome, rest: Partial<RetryQuestion> = {}) =>
  decideRetry({
    outcome,
    repeatable: true,
    resendable: true,
    attempt: 1,
    policy: defaultRetry,
    timeLeftMs: 60_000,
    random: 0.5,
    ...rest,
  }).kind;

const answer = (status: number, retryAfterMs?: number): Outcome => ({
  kind: 'answer',
  status,
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

const refused: Outcome = { kind: 'not sent', passing: true };
const badCertificate: Outcome = { kind: 'not sent', passing: false };
const lost: Outcome = { kind: 'lost' };

test.each<[string, Outcome, string, string]>([
  ['connection refused', refused, 'repeat', 'repeat'],
  ['certificate not trusted', badCertificate, 'final', 'final'],
  ['sent, no answer', lost, 'repeat', 'outcome unknown'],
  ['400', answer(400), 'final', 'final'],
  ['401', answer(401), 'final', 'final'],
  ['404', answer(404), 'final', 'final'],
  ['408', answer(408), 'repeat', 'outcome unknown'],
  ['409', answer(409), 'final', 'final'],
  ['429', answer(429), 'repeat', 'repeat'],
  ['429 with Retry-After', answer(429, 1000), 'repeat', 'repeat'],
  ['500', answer(500), 'repeat', 'final'],
  ['501', answer(501), 'final', 'final'],
  ['502', answer(502), 'repeat', 'outcome unknown'],
  ['503', answer(503), 'repeat', 'final'],
  ['503 with Retry-After', answer(503, 1000), 'repeat', 'repeat'],
  ['504', answer(504), 'repeat', 'outcome unknown'],
])('%s', (_, outcome, whenRepeatable, whenNot) => {
  expect(ask(outcome)).toBe(whenRepeatable);
  expect(ask(outcome, { repeatable: false })).toBe(whenNot);
});

test('the last attempt, a body that is gone and a wait beyond the deadline end it', () => {
  expect(ask(lost, { attempt: defaultRetry.attempts })).toBe('give up');
  expect(ask(refused, { resendable: false, repeatable: false })).toBe('give up');
  expect(ask(answer(429, 60_000))).toBe('give up');
});

const anyOutcome = fc.oneof(
  fc.record({
    kind: fc.constant('answer' as const),
    status: fc.integer({ min: 300, max: 599 }),
    retryAfterMs: fc.nat(90_000),
  }),
  fc.record({ kind: fc.constant('not sent' as const), passing: fc.boolean() }),
  fc.constant(lost),
);

test('what may not be repeated is repeated only where the server certainly did nothing', () => {
  fc.assert(
    fc.property(anyOutcome, fc.integer({ min: 1, max: 9 }), (outcome, attempt) => {
      const kind = ask(outcome, { repeatable: false, attempt });
      const harmless =
        outcome.kind === 'not sent' || (outcome.kind === 'answer' && [429, 503].includes(outcome.status));
      if (kind === 'repeat') expect(harmless).toBe(true);
    }),
  );
});

test('a delay is within its bounds, never cuts Retry-After short and never passes the deadline', () => {
  fc.assert(
    fc.property(
      anyOutcome,
      fc.integer({ min: 1, max: 3 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(120_000),
      (outcome, attempt, random, timeLeftMs) => {
        const decision = decideRetry({
          outcome,
          repeatable: true,
          resendable: true,
          attempt,
          policy: defaultRetry,
          timeLeftMs,
          random,
        });
        if (decision.kind !== 'repeat') return;
        const asked = outcome.kind === 'answer' ? outcome.retryAfterMs : 0;
        expect(decision.delayMs).toBeGreaterThanOrEqual(asked);
        expect(decision.delayMs).toBeLessThan(timeLeftMs);
        expect(decision.delayMs - asked).toBeLessThanOrEqual(Math.ceil(250 * 2 ** (attempt - 1)));
      },
    ),
  );
});
