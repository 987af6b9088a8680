import type { FailoverWish } from '../../../../../lib/postgres/replication/failover';
import type { Member } from '../../../../../lib/postgres/replication/cluster';
import { judgePreflight } from '../../../../../lib/postgres/replication/preflight';
import type { MemberStatus } from '../../../../../lib/postgres/replication/status';
import { eva, member, receiver } from './members';

const named = (name: string) => ({ name }) as Member;
const wish = (changes: Partial<FailoverWish> = {}): FailoverWish => ({
  ...{ from: named('bruno'), to: named('eva'), outside: [], commitFence: false, automatic: false },
  ...changes,
});
const record = (promotable: boolean) => ({ epoch: 4, primary: 'bruno', promotable });
const bruno = (changes: Partial<MemberStatus> = {}) => member('bruno', { standbys: [eva] }, changes);
const standby = (changes: Partial<MemberStatus> = {}) =>
  member('eva', { role: 'standby', receiver }, { record: record(true), ...changes });
const down = { server: { kind: 'down' } } as const;
const gone = { host: { reached: false, why: 'no answer' }, server: { kind: 'unknown' }, folder: null } as const;

const shortened = (seen: ReturnType<typeof judgePreflight>) => [
  seen.now,
  seen.ifServerLost,
  seen.ifHostLost,
  seen.loss,
];

test.each([
  [
    'all is well, nothing allowed',
    wish(),
    bruno(),
    standby(),
    ['would refuse', 'would succeed', 'would refuse', 'none'],
  ],
  [
    'all is well, commit fence',
    wish({ commitFence: true }),
    bruno(),
    standby(),
    ['would refuse', 'would succeed', 'would succeed', 'none'],
  ],
  [
    'asynchronous, commit fence',
    wish({ commitFence: true }),
    bruno(),
    standby({ record: record(false) }),
    ['would refuse', 'would succeed', 'would refuse', 'unknown'],
  ],
  ['server down', wish(), bruno(down), standby(), ['would begin', 'would succeed', 'would refuse', 'none']],
  [
    'host gone, nothing allowed',
    wish(),
    bruno(gone),
    standby(),
    ['would refuse', 'would succeed', 'would refuse', 'none'],
  ],
  [
    'host gone, commit fence',
    wish({ commitFence: true }),
    bruno(gone),
    standby(),
    ['would begin', 'would succeed', 'would succeed', 'none'],
  ],
  [
    'host gone, a fence outside, asynchronous',
    wish({ outside: [{ name: 'power off', silence: () => Promise.resolve('off') }] }),
    bruno(gone),
    standby({ record: record(false) }),
    ['would refuse', 'would succeed', 'would refuse', 'unknown'],
  ],
  [
    'standby down',
    wish({ commitFence: true }),
    bruno(down),
    standby(down),
    ['would refuse', 'would refuse', 'would refuse', 'none'],
  ],
])('what a failover would do is told beforehand: %s', (_, asked, one, other, expected) => {
  expect(shortened(judgePreflight(asked, one, other))).toEqual(expected);
});

test('the next epoch and every obstacle are named', () => {
  const paused = member('eva', { role: 'standby', receiver, replayPaused: true }, { record: record(false) });
  expect(judgePreflight(wish(), bruno(), paused)).toMatchObject({
    epoch: 5,
    lagBytes: 0,
    fences: ['the processes of PostgreSQL on the host of bruno'],
    obstacles: [
      'the replay of eva is paused, so a promotion would wait for ever',
      'if the host of bruno does not answer nothing could prove that it is silent',
      'nobody could tell what was lost if the old host does not answer',
      'bruno answers, so a failover would be refused now; a switchover is what changes the roles',
    ],
  });
});
