import type { Cluster, Member } from '../../../../../lib/postgres/replication/cluster';
import type { ServerView } from '../../../../../lib/postgres/replication/status';
import { judge } from '../../../../../lib/postgres/replication/topology';
import { NOTHING_SEEN, parseState } from '../../../../../lib/postgres/replication/watch/event';
import { signsOf } from '../../../../../lib/postgres/replication/watch/signs';
import { cluster, eva, member, receiver, settings } from './members';

const pair: Cluster = { ...cluster, members: [{ name: 'bruno' }, { name: 'eva' }] as unknown as readonly Member[] };
const limits = { lagBytes: 1000, slotBytes: 5000, synchronous: true };
const slot = { name: 'selfhost_eva', active: true, retainedBytes: 0, walStatus: 'reserved' };

function kindsOf(changes: Partial<ServerView>, more = limits, promotable = true): string[] {
  const bruno = member('bruno', { standbys: [eva], slots: [slot], ...changes });
  const record = { epoch: 1, primary: 'bruno', promotable };
  const standby = member('eva', { role: 'standby', receiver }, { record });
  return signsOf(pair, judge(pair, [bruno, standby]), more).map(({ key }) => key);
}

test.each<[string, string[], Partial<ServerView>]>([
  ['nothing', [], {}],
  ['a standby that is gone', ['replicaLost/eva', 'syncDegraded/bruno'], { standbys: [] }],
  ['a standby that catches up', ['replicaLost/eva'], { standbys: [{ ...eva, state: 'catchup' }] }],
  ['a standby far behind', ['lagAbove/eva'], { standbys: [{ ...eva, lagBytes: 1001 }] }],
  ['a slot that keeps too much', ['slotGrowing/eva'], { slots: [{ ...slot, retainedBytes: 5001 }] }],
  ['a slot that is of no use', ['slotGrowing/eva'], { slots: [{ ...slot, walStatus: 'lost' }] }],
  ['a list that was emptied', ['syncDegraded/bruno'], { settings: { ...settings, synchronous_standby_names: '' } }],
  ['an archiver that fails', ['archiverFailing/bruno'], { archiver: { failed: 3, failing: true, lastArchived: null } }],
])('of a cluster with %s is told: %j', (_, expected, changes) => {
  expect(kindsOf(changes)).toEqual(expected);
});

test('a promise that was taken back is told, and nobody asks for one where commits need not wait', () => {
  expect(kindsOf({}, limits, false)).toEqual(['syncDegraded/bruno']);
  const alone = {
    standbys: [{ ...eva, syncState: 'async' }],
    settings: { ...settings, synchronous_standby_names: '' },
  };
  expect(kindsOf(alone, { ...limits, synchronous: false })).toEqual([]);
});

test('two members that take writes are a split brain, whoever is right', () => {
  const both = ['bruno', 'eva'].map((name) => member(name, {}));
  expect(signsOf(pair, judge(pair, both), limits).map(({ key }) => key)).toEqual([
    'splitBrainSuspected/bruno',
    'splitBrainSuspected/eva',
  ]);
});

test('a state that was kept comes back as it was, and one that nobody understands counts as none', () => {
  const incident = {
    key: 'replicaLost/eva',
    kind: 'replicaLost',
    member: 'eva',
    since: 's',
    text: 't',
    evidence: ['e'],
  };
  const kept = {
    ...NOTHING_SEEN,
    epoch: 3,
    primary: 'bruno',
    syncset: ['eva'],
    promotable: true,
    incidents: [incident],
  };
  expect(parseState(JSON.parse(JSON.stringify(kept)))).toEqual(kept);
  expect(parseState({ schema: 9 })).toEqual(NOTHING_SEEN);
  expect(parseState(undefined)).toEqual(NOTHING_SEEN);
});
