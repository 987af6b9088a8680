import { freshCursor, openLedger, parseCursor, cursorAsJson, sinceOf } from '../../../../lib/docker/events/cursor';
import { isWanted } from '../../../../lib/docker/events/filter';
import { groupLoops } from '../../../../lib/docker/events/loops';
import type { DockerEvent } from '../../../../lib/docker/engine/system';

const event = (action: string, at: number, id = 'one', exitCode?: string): DockerEvent => ({
  type: 'container',
  action,
  id,
  name: id,
  time: new Date(at * 1000).toISOString(),
  timeNano: String(BigInt(at) * 1_000_000_000n),
  attributes: exitCode === undefined ? {} : { exitCode },
});

describe('restart loops', () => {
  test('a single death is told as it is, when its patience is over', () => {
    const loops = groupLoops(10_000);
    expect(loops.take(event('die', 1, 'one', '1'), 0)).toEqual([]);
    expect(loops.due(9_999)).toEqual([]);
    expect(loops.due(10_000).map(({ event: { action }, count, isLoop }) => [action, count, isLoop])).toEqual([
      ['die', 1, false],
    ]);
    expect(loops.due(99_999)).toEqual([]);
  });

  test('deaths close to each other are one, told again each time their number has doubled', () => {
    const loops = groupLoops(10_000);
    const told = Array.from({ length: 24 }, (_, at) => {
      const now = at * 5_000;
      return [...loops.take(event('die', at, 'one', String(at % 2)), now), ...loops.take(event('start', at), now + 1)];
    }).flat();
    expect(told.map(({ count, isLoop, exitCodes }) => [count, isLoop, exitCodes])).toEqual([
      [12, true, [0, 1]],
      [24, true, [0, 1]],
    ]);
  });

  test('a loop that was quiet for long is over, and the next death is told by itself', () => {
    const loops = groupLoops(10_000);
    loops.take(event('die', 1), 0);
    loops.take(event('die', 2), 1_000);
    expect(loops.due(11_000).map(({ count }) => count)).toEqual([2]);
    expect(loops.take(event('die', 3), 200_000)).toEqual([]);
    expect(loops.due(210_000).map(({ count, isLoop }) => [count, isLoop])).toEqual([[1, false]]);
  });

  test('containers do not share a loop, and other events pass at once', () => {
    const loops = groupLoops(10_000);
    loops.take(event('die', 1, 'one'), 0);
    loops.take(event('die', 1, 'two'), 0);
    expect(loops.take(event('oom', 1, 'one'), 1).map(({ event: { action } }) => action)).toEqual(['oom']);
    expect(loops.waiting().map(({ id }) => id)).toEqual(['one', 'two']);
    expect(loops.due(10_000).map(({ isLoop }) => isLoop)).toEqual([false, false]);
  });

  test('without patience each is told at once', () => {
    expect(groupLoops(0).take(event('die', 1), 0)).toHaveLength(1);
  });
});

describe('how far a trigger has come', () => {
  test('never passes what is still under way, and knows what is done behind it', () => {
    const ledger = openLedger(freshCursor(100_000_000_000n));
    for (const at of [103, 104, 105]) ledger.open(event('die', at));
    ledger.close(event('die', 105));
    expect(ledger.cursor()).toMatchObject({ upTo: 102_999_999_999n, seen: 105_000_000_000n });
    const again = openLedger(parseCursor(cursorAsJson(ledger.cursor())) ?? freshCursor(0n));
    expect([103, 104, 105, 106].map((at) => again.knows(event('die', at)))).toEqual([false, false, true, false]);
    expect(again.knows(event('die', 99))).toBe(true);
  });

  test('what came before the first look is not told', () => {
    const ledger = openLedger(freshCursor(100_000_000_000n));
    expect([ledger.knows(event('die', 100)), ledger.knows(event('die', 101))]).toEqual([true, false]);
    expect(sinceOf(ledger.cursor().upTo)).toBe('100.000000000');
  });

  test.each([undefined, null, 'x', {}, { upTo: 'soon' }])('%p is no cursor', (value) => {
    expect(parseCursor(value as never)).toBeUndefined();
  });
});

describe('the filter', () => {
  const everything = { types: [], actions: [], containers: [], labels: [] };
  const health = event('health_status: unhealthy', 1, 'abcdef0123456789');

  test('leaves out the noise of health checks unless it is named', () => {
    const noise = event('exec_create: sh -c true', 1);
    expect(isWanted(everything, noise)).toBe(false);
    expect(isWanted({ ...everything, actions: ['exec_create'] }, noise)).toBe(true);
    expect(isWanted(everything, health)).toBe(true);
  });

  test('takes an action with or without what comes behind it', () => {
    for (const action of ['health_status', 'health_status: unhealthy']) {
      expect(isWanted({ ...everything, actions: [action] }, health)).toBe(true);
    }
    expect(isWanted({ ...everything, actions: ['health_status: healthy'] }, health)).toBe(false);
  });

  test('takes containers by name and by the beginning of the id, and all given labels', () => {
    expect(isWanted({ ...everything, containers: ['abcdef012345'] }, health)).toBe(true);
    expect(isWanted({ ...everything, containers: ['abcdef'] }, health)).toBe(false);
    const labelled = { ...health, attributes: { tier: 'db', team: 'x' } };
    expect(isWanted({ ...everything, labels: ['tier=db', 'team'] }, labelled)).toBe(true);
    expect(isWanted({ ...everything, labels: ['tier=web'] }, labelled)).toBe(false);
  });
});
