import { verdictOf } from '../../../../lib/standby/look';

test.each([
  ['home', true, false, 'in its place'],
  ['standby', false, true, 'in its place'],
  ['home', false, true, 'out of its place'],
  ['standby', true, false, 'out of its place'],
  ['home', false, false, 'down'],
  ['standby', true, true, 'twins'],
  ['home', true, undefined, 'unclear'],
  ['standby', undefined, undefined, 'unclear'],
] as const)(
  'when it is the turn of %s, and home runs it: %s, the standby: %s, it is %s',
  (turn, home, standby, verdict) => {
    expect(verdictOf(turn, home, standby)).toBe(verdict);
  },
);
