import fc from 'fast-check';
import { decide, type Candidate } from '../../../../../lib/backup/retention/decide';
import type { KeepRule } from '../../../../../lib/backup/retention/rule';
import { backupName } from '../../../../../lib/manifest/names';

const day = (text: string, good = true): Candidate => {
  const at = new Date(`${text}Z`);
  return { name: backupName(at), at, good };
};
const kept = (candidates: readonly Candidate[], rule: KeepRule) =>
  decide(candidates, rule).flatMap(({ name, keep, reason }) => (keep ? [`${name.slice(0, 13)} ${reason}`] : []));

test('the newest of each day, week, month and year stay, and every reason is told', () => {
  const backups = [
    day('2025-11-30T02:00:00'),
    day('2025-12-31T02:00:00'),
    day('2026-01-25T02:00:00'),
    day('2026-01-29T02:00:00'),
    day('2026-01-30T02:00:00'),
    day('2026-01-31T02:00:00'),
    day('2026-01-31T14:00:00'),
  ];
  expect(kept(backups, { last: 1, daily: 2, weekly: 2, monthly: 2, yearly: 2 })).toEqual([
    '2026-01-31T14 last 1, daily 1, weekly 1, monthly 1, yearly 1',
    '2026-01-30T02 daily 2',
    '2026-01-25T02 weekly 2',
    '2025-12-31T02 monthly 2, yearly 2',
  ]);
});

test('days that have no backup are not counted', () => {
  const backups = [day('2026-01-01T02:00:00'), day('2026-01-10T02:00:00'), day('2026-01-31T02:00:00')];
  expect(kept(backups, { daily: 2 })).toEqual(['2026-01-31T02 daily 1', '2026-01-10T02 daily 2']);
});

test('a damaged backup takes no place of a good one, and stays only where it would have stayed', () => {
  const backups = [
    day('2026-01-28T02:00:00', false),
    day('2026-01-29T02:00:00'),
    day('2026-01-30T02:00:00'),
    day('2026-01-31T02:00:00', false),
  ];
  expect(kept(backups, { last: 2 })).toEqual([
    '2026-01-31T02 damaged, to be mended',
    '2026-01-30T02 last 1',
    '2026-01-29T02 last 2',
  ]);
});

test('a rule that keeps nothing removes nothing', () => {
  const backups = [day('2026-01-30T02:00:00'), day('2026-01-31T02:00:00', false)];
  for (const rule of [{}, { daily: 0 }, { minimum: 1 }])
    expect(decide(backups, rule).map(({ keep }) => keep)).toEqual([true, true]);
});

const worlds = fc
  .uniqueArray(fc.record({ minutes: fc.integer({ min: 0, max: 3 * 366 * 24 * 60 }), good: fc.boolean() }), {
    maxLength: 40,
    selector: ({ minutes }) => minutes,
  })
  .map((list) =>
    list.map(({ minutes, good }): Candidate => {
      const at = new Date(Date.UTC(2024, 0, 1) + minutes * 60_000);
      return { name: backupName(at), at, good };
    }),
  );
const counts = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined });
const rules: fc.Arbitrary<KeepRule> = fc.record({
  last: counts,
  hourly: counts,
  daily: counts,
  weekly: counts,
  monthly: counts,
  yearly: counts,
  minimum: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
});
const namesOf = (candidates: readonly Candidate[]) => new Set(candidates.map(({ name }) => name));

describe('whatever there is, and whatever the rule', () => {
  test('the newest good backups stay, as many as the minimum, and never none', () => {
    fc.assert(
      fc.property(worlds, rules, (world, rule) => {
        const stay = new Set(decide(world, rule).flatMap(({ name, keep }) => (keep ? [name] : [])));
        const good = world.filter((each) => each.good).sort((one, other) => +other.at - +one.at);
        for (const { name } of good.slice(0, Math.max(1, rule.minimum ?? 1))) expect(stay).toContain(name);
      }),
    );
  });

  test('every backup is decided once', () => {
    fc.assert(
      fc.property(worlds, rules, (world, rule) => {
        const decided = decide(world, rule).map(({ name }) => name);
        expect(decided).toHaveLength(world.length);
        expect(new Set(decided)).toEqual(namesOf(world));
      }),
    );
  });

  test('what stayed stays when it is decided again', () => {
    fc.assert(
      fc.property(worlds, rules, (world, rule) => {
        const first = decide(world, rule).flatMap(({ name, keep }) => (keep ? [name] : []));
        const left = world.filter(({ name }) => first.includes(name));
        expect(decide(left, rule).filter(({ keep }) => !keep)).toEqual([]);
      }),
    );
  });

  test('damaged backups never cost a good one its place', () => {
    fc.assert(
      fc.property(worlds, rules, (world, rule) => {
        const good = world.filter((each) => each.good);
        const names = namesOf(good);
        const among = decide(world, rule).filter(({ name }) => names.has(name));
        expect(among.map(({ name, keep }) => [name, keep])).toEqual(
          decide(good, rule).map(({ name, keep }) => [name, keep]),
        );
      }),
    );
  });

  test('a rule that keeps more never removes what one that keeps less has kept', () => {
    fc.assert(
      fc.property(
        worlds,
        rules,
        fc.constantFrom('last', 'daily', 'weekly', 'monthly', 'yearly'),
        (world, rule, field) => {
          fc.pre(Object.entries(rule).some(([name, count]) => name !== 'minimum' && (count ?? 0) > 0));
          const more = { ...rule, [field]: (rule[field] ?? 0) + 1 };
          const keeps = (of: KeepRule) => decide(world, of).flatMap(({ name, keep }) => (keep ? [name] : []));
          expect(keeps(more)).toEqual(expect.arrayContaining(keeps(rule)));
        },
      ),
    );
  });
});
