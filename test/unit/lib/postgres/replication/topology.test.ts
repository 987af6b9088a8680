import { drawTopology } from '../../../../../lib/postgres/replication/drawing';
import type { MemberStatus } from '../../../../../lib/postgres/replication/status';
import { knownPrimary } from '../../../../../lib/postgres/replication/roles';
import { judge } from '../../../../../lib/postgres/replication/topology';
import { cluster, eva, member, receiver, settings } from './members';

const primary = member('bruno', { standbys: [eva] });
const standby = member('eva', { role: 'standby', receiver });

const textsOf = (...members: MemberStatus[]) => {
  const { verdict, reasons } = judge(cluster, members);
  return [verdict, ...reasons.map((reason) => `${reason.member}: ${reason.text}`)];
};

describe('the verdict over a pair', () => {
  it('is healthy when the standby streams and commits wait for it', () => {
    expect(judge(cluster, [primary, standby])).toMatchObject({ verdict: 'healthy', primary: 'bruno', reasons: [] });
  });

  it('is split brain when both take writes, and names no primary', () => {
    const both = judge(cluster, [primary, member('eva', { timeline: 2, standbys: [] })]);
    expect(both).toMatchObject({ verdict: 'split brain', primary: null });
    expect(both.reasons.slice(0, 2).map(({ text }) => text)).toEqual([
      'it is one of 2 primaries, on timeline 1',
      'it is one of 2 primaries, on timeline 2',
    ]);
  });

  it('is split brain when the only one that answers is a primary of the past', () => {
    const old = member('bruno', { standbys: [eva] }, { record: { epoch: 2, primary: 'eva', promotable: false } });
    expect(textsOf(old, standby)).toEqual([
      'split brain',
      'bruno: it takes writes, although in epoch 2 eva is the primary',
    ]);
  });

  it('is down when commits wait for a standby that is not there', () => {
    const gone = member(
      'eva',
      {},
      { host: { reached: false, why: 'no answer' }, server: { kind: 'unknown' }, folder: null },
    );
    expect(textsOf(member('bruno', {}), gone)).toEqual([
      'down',
      'bruno: its commits wait for a standby that is not there',
      'bruno: no standby streams from it',
      'eva: its host could not be asked: no answer',
    ]);
  });

  it('tells of a restore over the primary that was cut off, and that it is the primary all the same', () => {
    const restore = { step: 'begun', at: '2026-01-31T02:00:00Z', target: '2026-01-31T01:59:00Z' } as const;
    const gone = member('bruno', {}, { server: { kind: 'down' }, restore });
    const letGo = member('eva', {}, { server: { kind: 'down' } });
    expect(textsOf(gone, letGo)).toContain(
      'bruno: a restore (2026-01-31T01:59:00Z) over it goes on, or was cut off: begun at 2026-01-31T02:00:00Z',
    );
    expect(judge(cluster, [gone, letGo]).primary).toBeNull();
    expect(knownPrimary([gone, letGo])).toBe('bruno');
    expect(knownPrimary([letGo, letGo])).toBeUndefined();
    // Once it takes writes it is none of the topology's business what is left to tidy up.
    expect(textsOf(member('bruno', { standbys: [eva] }, { restore }), standby)).toEqual(['healthy']);
  });

  it('is at risk while an old primary would come back as one at the next boot', () => {
    const old: MemberStatus = {
      ...member('bruno', {}),
      server: { kind: 'down' },
      folder: { ...member('bruno', {}).folder!, autostart: true },
    };
    const now = member('eva', { standbys: [{ ...eva, name: 'other' }] });
    expect(textsOf(now, old)).toEqual([
      'at risk',
      'bruno: it was a primary, and a reboot would start it as one again',
      'bruno: its server is stopped',
    ]);
  });

  it('names what would make a failover lose or wait', () => {
    const careless = member('bruno', {
      standbys: [{ ...eva, syncState: 'async' }],
      settings: { ...settings, fsync: 'off', wal_log_hints: 'off', synchronous_standby_names: '' },
      slots: [{ name: 'selfhost_old', active: false, retainedBytes: 9e9, walStatus: 'extended' }],
      archiver: { failed: 3, failing: true, lastArchived: null },
    });
    const paused = member('eva', {
      role: 'standby',
      receiver,
      replayPaused: true,
      settings: { ...settings, restore_command_set: 'true' },
    });
    expect(textsOf(careless, paused)).toEqual([
      'at risk',
      'bruno: fsync is off, so a crash can lose what was acknowledged',
      'bruno: its archiver fails',
      'bruno: slot selfhost_old is not in use and keeps 9000000000 bytes of WAL',
      'eva: its replay is paused, so it could not be promoted',
      'bruno: neither checksums nor wal_log_hints are on, so it could not be rewound after a failover',
      'bruno: it acknowledges commits that no standby has (synchronous_standby_names is empty)',
      'eva: its restore_command can hold up a promotion for as long as one call of it takes',
    ]);
  });

  it('is drawn with who reads from whom', () => {
    expect(drawTopology(judge(cluster, [primary, standby]))).toBe(
      [
        'flowchart LR',
        '  %% immich: healthy',
        '  n0["bruno<br/>primary, timeline 1"]:::primary',
        '  n1["eva<br/>standby, timeline 1"]:::standby',
        '  n0 -->|"sync, 0 bytes behind"| n1',
        '  classDef primary stroke:#2b8a3e,stroke-width:3px',
        '  classDef standby stroke:#1971c2',
        '  classDef trouble stroke:#c92a2a,stroke-dasharray:4',
        '',
      ].join('\n'),
    );
  });
});
