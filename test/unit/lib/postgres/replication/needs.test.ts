import type { JournalShown } from '../../../../../lib/postgres/replication/journal';
import { needsOf } from '../../../../../lib/postgres/replication/needs';
import type { MemberStatus, SlotSeen } from '../../../../../lib/postgres/replication/status';
import { judge } from '../../../../../lib/postgres/replication/topology';
import { cluster, eva, member, receiver } from './members';

const record = (epoch: number, primary = 'bruno', promotable = false) => ({ record: { epoch, primary, promotable } });
const slot: SlotSeen = { name: 'selfhost_eva', active: true, retainedBytes: 0, walStatus: 'reserved' };
const down = { server: { kind: 'down' } } as const;
const notReached: Partial<MemberStatus> = {
  host: { reached: false, why: 'no answer' },
  server: { kind: 'unknown' },
  folder: null,
};
const journal = (step: JournalShown['step']): Partial<MemberStatus> => ({
  journal: {
    ...{ kind: 'switchover', epoch: 2, run: 'r', from: 'bruno', to: 'eva', step },
    ...{ fence: null, lsn: null, lossless: true, claimedAt: null },
  },
});

const bruno = member('bruno', { standbys: [eva], slots: [slot] }, record(2));
const brunoWithoutSlot = member('bruno', { standbys: [eva] }, record(2));
const brunoWithAsync = member('bruno', { standbys: [{ ...eva, syncState: 'async' }], slots: [slot] }, record(2));
const follows = member('eva', { role: 'standby', receiver }, record(2, 'bruno', true));
const hearsNobody = (status: Partial<MemberStatus>) => member('eva', { role: 'standby' }, status);

const needs = (synchronous: boolean, ...members: MemberStatus[]) =>
  Object.fromEntries(needsOf(judge(cluster, members), { synchronous }));

describe('who has to rejoin', () => {
  it('is nobody in a pair that is well', () => {
    expect(needs(true, bruno, follows)).toEqual({});
  });

  it.each<[string, MemberStatus]>([
    ['is stopped', member('eva', {}, { ...down, ...record(1) })],
    ['follows all the same', member('eva', { role: 'standby', receiver }, record(1))],
  ])('is a member of an older epoch that %s, whether or not it has a slot', (_, old) => {
    expect(needs(false, bruno, old)).toEqual({ eva: 'rejoin' });
    expect(needs(false, brunoWithoutSlot, old)).toEqual({ eva: 'rejoin' });
  });

  it.each<[string, MemberStatus]>([
    ['is stopped', member('eva', {}, { ...down, ...record(2) })],
    ['hears of nobody', hearsNobody(record(2))],
  ])('is one that %s, for which the primary keeps a slot; one that was taken out is left alone', (_, away) => {
    expect(needs(false, bruno, away)).toEqual({ eva: 'rejoin' });
    expect(needs(false, brunoWithoutSlot, away)).toEqual({});
  });

  it.each<[string, MemberStatus]>([
    ['is stopped', member('eva', {}, down)],
    ['follows', member('eva', { role: 'standby', receiver })],
  ])(
    'is one without a record that %s, for which the primary keeps a slot; one never set up is left alone',
    (_, bare) => {
      expect(needs(false, bruno, bare)).toEqual({ eva: 'rejoin' });
      expect(needs(false, brunoWithoutSlot, bare)).toEqual({});
    },
  );

  it('is one that commits do not wait for, where they should', () => {
    const unpromised = member('eva', { role: 'standby', receiver }, record(2));
    expect(needs(true, brunoWithAsync, unpromised)).toEqual({ eva: 'rejoin' });
    expect(needs(false, brunoWithAsync, unpromised)).toEqual({});
    // They wait for it, or have waited and are about to again.
    expect(needs(true, bruno, unpromised)).toEqual({});
    expect(needs(true, brunoWithAsync, follows)).toEqual({});
    // The primary does not see it yet, or keeps nothing for it.
    expect(needs(true, member('bruno', { slots: [slot] }, record(2)), unpromised)).toEqual({});
    const kept = { ...brunoWithAsync, server: { ...brunoWithAsync.server, slots: [] } } as MemberStatus;
    expect(needs(true, kept, unpromised)).toEqual({});
  });

  it.each<[string, Partial<MemberStatus>]>([
    ['cannot be reached', notReached],
    ['hangs', { server: { kind: 'hung' } }],
    ['refuses logins', { server: { kind: 'refuses', why: 'the database system is starting up' } }],
    ['could not be asked', { server: { kind: 'unknown' } }],
  ])('is nobody of whom it is not known how it stands: it %s', (_, unknown) => {
    expect(needs(true, bruno, member('eva', {}, { ...record(1), ...unknown }))).toEqual({});
  });

  it('is told by the slot alone where no host knows of any epoch', () => {
    const plain = member('bruno', { standbys: [eva], slots: [slot] });
    expect(needs(true, plain, member('eva', { role: 'standby', receiver }))).toEqual({});
    expect(needs(true, plain, member('eva', {}, down))).toEqual({ eva: 'rejoin' });
  });
});

describe('from whom to fail over', () => {
  it.each<[string, Partial<MemberStatus>]>([
    ['is stopped', down],
    ['cannot be reached', notReached],
    ['hangs', { server: { kind: 'hung' } }],
  ])('is a primary that %s while a standby hears of nobody', (_, lost) => {
    expect(needs(true, member('bruno', {}, { ...record(1), ...lost }), hearsNobody(record(1)))).toEqual({
      bruno: 'failover',
    });
    // Its own record may be gone with its host.
    expect(needs(true, member('bruno', {}, lost), hearsNobody(record(1)))).toEqual({ bruno: 'failover' });
  });

  it('is the one that is no standby, whatever the newest record names', () => {
    const lost = member('bruno', {}, { ...down, ...record(1) });
    expect(needs(true, lost, hearsNobody(record(2, 'eva')))).toEqual({ bruno: 'failover' });
  });

  it('is whom the newest record names, where all of them are standbys', () => {
    const demoted = member('bruno', { role: 'standby' }, record(1));
    expect(needs(true, demoted, hearsNobody(record(1)))).toEqual({ bruno: 'failover' });
    expect(needs(true, demoted, hearsNobody(record(2, 'eva')))).toEqual({ eva: 'failover' });
  });

  it('is nobody while a server refuses logins, while no standby waits, or where no record names a member', () => {
    const starts = member('bruno', {}, { ...record(1), server: { kind: 'refuses', why: 'starting up' } });
    const lost = member('bruno', {}, { ...down, ...record(1) });
    expect(needs(true, starts, hearsNobody(record(1)))).toEqual({});
    expect(needs(true, lost, member('eva', { role: 'standby', receiver }, record(1)))).toEqual({});
    expect(needs(true, lost, member('eva', {}, { ...down, ...record(1) }))).toEqual({});
    expect(needs(true, member('bruno', {}, down), hearsNobody({}))).toEqual({});
    expect(needs(true, member('bruno', {}, down), hearsNobody(record(1, 'carla')))).toEqual({});
  });
});

describe('what has to be finished', () => {
  it.each(['claimed', 'cut', 'silenced', 'promoting', 'promoted'] as const)(
    'is a change of roles that was left at %s, before anything else',
    (step) => {
      const half = hearsNobody({ ...record(1), ...journal(step) });
      expect(needs(true, bruno, half)).toEqual({ eva: 'finish' });
      expect(needs(true, member('bruno', {}, { ...down, ...record(1) }), half)).toEqual({ eva: 'finish' });
    },
  );

  it.each(['done', 'abandoned'] as const)('is none that was %s', (step) => {
    expect(needs(true, bruno, { ...follows, ...journal(step) })).toEqual({});
  });
});

test('of two that take writes nobody needs anything: a person has to say which is right', () => {
  const other = member('eva', { timeline: 2 }, { ...record(1, 'eva'), ...journal('promoted') });
  expect(needs(true, bruno, other)).toEqual({});
  const past = member('bruno', { slots: [slot] }, record(2, 'eva'));
  expect(needs(true, past, member('eva', {}, { ...down, ...record(1) }))).toEqual({});
});
