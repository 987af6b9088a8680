import fc from 'fast-check';
import type { Sight } from '../../../../lib/health/finding';
import { firstStanding, judge, USUAL_RULES, verdict, type Standing } from '../../../../lib/health/standing';

const ok = { outcome: 'ok', says: 'it answers', latencyMs: 5 } as const;
const wrong = { outcome: 'wrong', says: 'HTTP 502' } as const;
const unknown = { outcome: 'unknown', says: 'not looked at' } as const;

const sights = (...findings: readonly Sight['finding'][]): Sight[] =>
  findings.map((finding, index) => ({ vantage: `v${index}`, finding }));

test.each([
  [[ok], 'ok'],
  [[wrong], 'wrong'],
  [[unknown], undefined],
  [[ok, wrong], 'divergent'],
  [[ok, wrong, wrong], 'wrong'],
  [[wrong, unknown, unknown], undefined],
  [[wrong, wrong, unknown], 'wrong'],
  [[ok, unknown, unknown], 'ok'],
  [[], undefined],
] as const)('%j together say %s', (findings, expected) => {
  expect(verdict(sights(...findings), {})).toBe(expected);
});

/** Plays rounds one second apart: `o` well, `x` wrong, `?` not seen, `/` divergent. */
function play(text: string, rules = USUAL_RULES): string[] {
  let standing: Standing = firstStanding(0);
  return Array.from(text).flatMap((mark, index) => {
    const seen = { o: [ok, ok], x: [wrong, wrong], '?': [unknown, unknown], '/': [ok, wrong] }[mark] ?? [];
    const judged = judge(standing, sights(...seen), rules, (index + 1) * 1000);
    standing = judged.standing;
    return judged.transition === undefined ? [] : [`${index}: ${judged.transition.to}`];
  });
}

test.each([
  ['ooxxxxoooo', ['1: ok', '4: wrong', '7: ok']],
  ['ooxoxoxoxo', ['1: ok', '6: wrong']],
  ['ooxooxooxoo', ['1: ok']],
  ['oox?x?xo', ['1: ok', '6: wrong']],
  ['oo///oo', ['1: ok', '4: divergent', '6: ok']],
  ['oox/x/', ['1: ok', '4: wrong']],
  ['xxxx', ['2: wrong']],
  ['????', []],
])('the rounds %s make the transitions %j', (rounds, expected) => {
  expect(play(rounds)).toEqual(expected);
});

test('bad rounds of the start period do not count', () => {
  expect(play('xxxxxxxxxx', { ...USUAL_RULES, startPeriodMs: 6_000 })).toEqual(['7: wrong']);
});

test('each transition leads somewhere else, and lasting trouble is told within n rounds', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('o', 'x', '?', '/'), { maxLength: 60 }), (rounds) => {
      const changes = play(rounds.join('')).map((text) => text.split(': ')[1]);
      changes.forEach((to, index) => expect(to).not.toBe(changes[index - 1]));
      const after = play(`${rounds.join('')}ooooooxxx`);
      expect(after[after.length - 1]).toBe(`${rounds.length + 8}: wrong`);
    }),
  );
});
