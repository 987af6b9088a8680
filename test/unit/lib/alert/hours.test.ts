import { awake, checkZone, latestDigest, parseTimeOfDay, type Hours } from '../../../../lib/alert/hours';
import { matches, parseMatchers } from '../../../../lib/alert/matcher';

const hours = (changes: Partial<Hours> = {}): Hours => ({ zone: 'UTC', from: 480, to: 1320, digest: 540, ...changes });
const at = (text: string) => Date.parse(text);

test('people are awake by their own clock, also past midnight', () => {
  expect(awake(hours(), at('2026-01-31T07:59:59Z'))).toBe(false);
  expect(awake(hours(), at('2026-01-31T08:00:00Z'))).toBe(true);
  expect(awake(hours({ zone: 'America/Santiago' }), at('2026-01-31T10:59:00Z'))).toBe(false);
  expect(awake(hours({ zone: 'America/Santiago' }), at('2026-01-31T11:00:00Z'))).toBe(true);
  expect(awake(hours({ from: 1320, to: 120 }), at('2026-01-31T01:00:00Z'))).toBe(true);
});

test.each([
  ['UTC', '2026-01-31T09:00:00Z', '2026-01-31T09:00:00Z'],
  ['UTC', '2026-01-31T08:59:59Z', '2026-01-30T09:00:00Z'],
  ['Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-29T07:00:00Z'],
  ['Europe/Berlin', '2026-03-29T05:00:00Z', '2026-03-28T08:00:00Z'],
  ['Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-25T08:00:00Z'],
])('the last digest in %s before %s was at %s', (zone, now, expected) => {
  expect(new Date(latestDigest(hours({ zone }), at(now)))).toEqual(new Date(expected));
});

test('times and zones are read strictly', () => {
  expect(parseTimeOfDay('08:30')).toBe(510);
  for (const bad of ['8', '25:00', '08:60', 'noon']) expect(() => parseTimeOfDay(bad)).toThrow(/not a time of day/);
  expect(() => checkZone('Mars/Olympus')).toThrow(/not a time zone/);
});

test('matchers are read as Alertmanager writes them, and all must hold', () => {
  const matchers = parseMatchers('host=bruno, kind!="host", job=~"pg.*|a, b"');
  expect(matches(matchers, { host: 'bruno', job: 'pgbouncer' })).toBe(true);
  expect(matches(matchers, { host: 'bruno', job: 'a, b' })).toBe(true);
  expect(matches(matchers, { host: 'bruno', job: 'xpg' })).toBe(false);
  expect(matches(matchers, { host: 'bruno', job: 'pg', kind: 'host' })).toBe(false);
  for (const bad of ['', 'host', 'a=~"("', 'a=b c=d,,']) expect(() => parseMatchers(bad)).toThrow(/does not say/);
});
