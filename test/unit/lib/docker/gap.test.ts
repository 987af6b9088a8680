import { cursorAsJson, freshCursor, openLedger, parseCursor } from '../../../../lib/docker/events/cursor';
import { forgottenEvents, nanoOf, type Known } from '../../../../lib/docker/events/gap';
import type { DockerEvent } from '../../../../lib/docker/engine/system';
import type { Json } from '../../../../lib/json';

const ID = 'abcdef0123456789';
const at = (second: number) => `2026-01-31T02:00:${String(second).padStart(2, '0')}.123456789Z`;
const nano = (second: number) => nanoOf(at(second)) ?? 0n;

const container = (state: object, more: object = {}) => ({
  Id: ID,
  Name: '/immich',
  RestartCount: 2,
  Config: { Image: 'immich:1', Labels: { tier: 'app' } },
  State: { Status: 'exited', ExitCode: 137, StartedAt: at(1), FinishedAt: at(20), ...state },
  ...more,
});
const known = (since: number, last: Readonly<Record<string, bigint>> = {}): Known => ({
  since: nano(since),
  lastOf: (action) => last[action],
});
const event = (action: string, second: number): DockerEvent => ({
  ...{ type: 'container', action, id: ID, name: 'immich', time: at(second), timeNano: String(nano(second)) },
  attributes: {},
});
const told = (...call: Parameters<typeof forgottenEvents>) =>
  forgottenEvents(...call).map(({ action, timeNano }) => [action, BigInt(timeNano) - nano(0)]);

describe('what containers show of a time that Docker has forgotten', () => {
  test('a death with its exit code, and that it was for want of memory', () => {
    expect(forgottenEvents([container({ OOMKilled: true })], [], known(10))).toEqual(
      ['oom', 'die'].map((action) => ({
        type: 'container',
        action,
        id: ID,
        name: 'immich',
        time: '2026-01-31T02:00:20.123Z',
        timeNano: String(nano(20)),
        attributes: {
          tier: 'app',
          name: 'immich',
          image: 'immich:1',
          restartCount: '2',
          derived: 'true',
          ...(action === 'die' && { exitCode: '137' }),
        },
      })),
    );
  });

  test('a death and the start behind it, in their order; how it ended is not known any more', () => {
    const again = container({ Status: 'running', ExitCode: 0, StartedAt: at(21) });
    expect(told([again], [], known(10))).toEqual([
      ['die', 20_000_000_000n],
      ['start', 21_000_000_000n],
    ]);
    expect(forgottenEvents([again], [], known(10))[0]?.attributes).not.toHaveProperty('exitCode');
  });

  test('nothing that was before, that was told, or that Docker still tells itself', () => {
    expect(told([container({})], [], known(30))).toEqual([]);
    expect(told([container({})], [], known(10, { die: nano(20) }))).toEqual([]);
    expect(told([container({})], [event('die', 22)], known(10))).toEqual([]);
    expect(told([container({ StartedAt: '0001-01-01T00:00:00Z', FinishedAt: '' })], [], known(0))).toEqual([]);
  });

  test('that a container is unhealthy since its first failed check, once for each time', () => {
    const check = (second: number, ExitCode: number) => ({ Start: at(second), End: at(second), ExitCode, Output: '' });
    const sick = container({
      Status: 'running',
      FinishedAt: '',
      Health: { Status: 'unhealthy', Log: [check(15, 1), check(25, 0), check(31, 1), check(41, 1)] },
    });
    const unhealthy = 'health_status: unhealthy';
    expect(told([sick], [], known(10))).toEqual([[unhealthy, 31_000_000_000n]]);
    expect(told([sick], [event(unhealthy, 32)], known(10))).toEqual([]);
    expect(told([sick], [], known(35))).toEqual([]);
    expect(told([sick], [], known(10, { [unhealthy]: nano(31) }))).toEqual([]);
    const recovered = { [unhealthy]: nano(11), 'health_status: healthy': nano(26) };
    expect(told([sick], [], known(10, recovered))).toEqual([[unhealthy, 31_000_000_000n]]);
  });

  test.each([
    ['2026-01-31T02:00:00Z', 1_769_824_800_000_000_000n],
    ['2026-01-31T02:00:00.5Z', 1_769_824_800_500_000_000n],
    ['2026-01-31T03:00:00.000000001+01:00', 1_769_824_800_000_000_001n],
    ['', undefined],
    [null, undefined],
    ['yesterday', undefined],
  ])('the time %s is %s', (time, nanoseconds) => {
    expect(nanoOf(time)).toBe(nanoseconds);
  });
});

describe('the memory of a trigger', () => {
  const again = (ledger: ReturnType<typeof openLedger>) => {
    const stored = JSON.parse(JSON.stringify(cursorAsJson(ledger.cursor()))) as Json;
    return openLedger(parseCursor(stored) ?? freshCursor(0n));
  };
  const gap: DockerEvent = { ...event('gap', 3), type: 'daemon', id: '', timeNano: String(nano(3) + 1n) };

  test('knows of a gap until it is told, and expects nothing of Docker behind it', () => {
    const ledger = openLedger(freshCursor(nano(0)));
    ledger.open(event('die', 3));
    ledger.close(event('die', 3));
    ledger.forget(gap, nano(30));
    expect(ledger.recall(gap)).toBe(true);
    expect(ledger.cursor()).toMatchObject({ seen: nano(3), upTo: nano(3) });
    ledger.close(gap);
    expect(ledger.cursor()).toMatchObject({ seen: null, upTo: nano(30), begun: nano(0) });
  });

  test('does not pass what it recalls before that is told, and recalls it once', () => {
    const ledger = openLedger(freshCursor(nano(0)));
    ledger.forget(undefined, nano(30));
    expect([ledger.recall(event('die', 20)), ledger.recall(event('die', 20))]).toEqual([true, false]);
    expect(ledger.cursor()).toMatchObject({ seen: null, upTo: nano(20) - 1n, told: {} });
    expect(again(ledger).lastOf('die', ID)).toBeUndefined();
    ledger.close(event('die', 20));
    expect(again(ledger).lastOf('die', ID)).toBe(nano(20));
  });

  test('forgets a container that was removed', () => {
    const ledger = openLedger(freshCursor(nano(0)));
    for (const one of [event('die', 3), event('destroy', 4)]) {
      ledger.open(one);
      ledger.close(one);
    }
    expect(ledger.lastOf('die', ID)).toBeUndefined();
    expect(ledger.cursor().told).toEqual({});
  });
});
