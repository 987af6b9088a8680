import { type Sight, verdictOf } from '../../../../lib/standby/look';

type Seen = Extract<Sight, { kind: 'seen' }>;

const sight = (running: boolean | undefined, records: Partial<Seen> = {}): Sight => {
  if (running === undefined) return { kind: 'unseen', why: 'no answer' };
  const state = running ? 'running' : 'exited';
  return {
    ...{ kind: 'seen', told: null, placed: null, begun: null, finished: null, silent: null, left: null },
    ...{ busy: false, ticket: '' },
    containers: [{ name: 'web', state, health: null, restartPolicy: 'no' }],
    ...records,
  };
};

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
  (at, home, standby, verdict) => {
    expect(verdictOf({ number: 2, at, how: 'restore' }, sight(home), sight(standby))).toBe(verdict);
  },
);

describe('the turn was taken to carry it home, and it runs on the standby', () => {
  const carry = { number: 2, at: 'home', how: 'carry' } as const;

  test('nobody has stopped it there yet, so nobody has started it: it is on its way', () => {
    expect(verdictOf(carry, sight(false), sight(true))).toBe('on its way');
    // What it was stopped, carried and started for before says nothing of this turn.
    const before = { placed: 1, begun: 1, finished: 1, silent: 1 };
    expect(verdictOf(carry, sight(false, before), sight(true, before))).toBe('on its way');
    // Told, and killed before it was stopped.
    expect(verdictOf(carry, sight(false), sight(true, { told: { number: 2, at: 'home' } }))).toBe('on its way');
  });

  test('the same the other way round', () => {
    expect(verdictOf({ ...carry, at: 'standby' }, sight(true), sight(false))).toBe('on its way');
  });

  test.each([
    ['it was silent there for this turn', {}, { silent: 2 }],
    ['its data lie at home', { placed: 2 }, {}],
    ['home was started with them', { begun: 2 }, {}],
  ])('%s: somebody has started it there, out of its place', (_when, home, standby) => {
    expect(verdictOf(carry, sight(false, home), sight(true, standby))).toBe('out of its place');
  });

  test('a turn that a person took, or after a crash, carries nothing: out of its place', () => {
    for (const how of [null, 'restore'] as const)
      expect(verdictOf({ ...carry, how }, sight(false), sight(true))).toBe('out of its place');
  });

  test('it runs at home as well, or home cannot be seen: never on its way', () => {
    expect(verdictOf(carry, sight(true), sight(true))).toBe('twins');
    expect(verdictOf(carry, sight(undefined), sight(true))).toBe('unclear');
  });
});
