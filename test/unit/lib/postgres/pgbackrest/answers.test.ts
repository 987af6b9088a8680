import { findGaps } from '../../../../../lib/postgres/pgbackrest/archive';
import { parseExpiry, parseVerify } from '../../../../../lib/postgres/pgbackrest/backup';
import { featuresOf } from '../../../../../lib/postgres/pgbackrest/features';
import { parseInfo, type BackupSeen } from '../../../../../lib/postgres/pgbackrest/info';
import { translated } from '../../../../../lib/postgres/pgbackrest/refusal';
import { commitTime } from '../../../../../lib/postgres/pgbackrest/scratch';
import { describeStanza, type Stanza } from '../../../../../lib/postgres/pgbackrest/stanza';
import { backupsOf, backupsOfSystem } from '../../../../../lib/postgres/pgbackrest/lineage';
import { parseServer, reachOf } from '../../../../../lib/postgres/pgbackrest/reach';
import {
  candidatesOf,
  checkTarget,
  newestFor,
  noBackup,
  refuseOutOfReach,
  targetOptions,
  type Reach,
  type RestoreTarget,
} from '../../../../../lib/postgres/pgbackrest/target';
import { type Failure, isFailure } from '../../../../../lib/failure';

const stanza = { name: 'immich', cluster: { name: 'immich' }, member: { name: 'bruno' } } as Stanza;
const SEGMENT = 16 * 1024 * 1024;

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return isFailure(error) ? error.code : String(error);
  }
  return undefined;
}

const answer = (changes: object = {}) => [
  {
    name: 'immich',
    status: { code: 0, lock: { backup: { held: false } }, message: 'ok' },
    repo: [{ cipher: 'aes-256-cbc', key: 1, status: { code: 0, message: 'ok' } }],
    archive: [{ database: { id: 1, 'repo-key': 1 }, id: '15-1', max: 'B', min: 'A' }],
    backup: [
      {
        label: '20260131-020000F',
        type: 'full',
        database: { id: 1, 'repo-key': 1 },
        archive: { start: '000000010000000000000004', stop: '000000010000000000000004' },
        lsn: { start: '0/4000028', stop: '0/4000100' },
        timestamp: { start: 1769824800, stop: 1769825000 },
        info: { size: 100, delta: 100, repository: { size: 30, delta: 30 } },
        error: false,
        reference: null,
      },
    ],
    ...changes,
  },
];

describe('what pgBackRest answers', () => {
  const now = new Date('2026-01-31T03:00:00.000Z');

  test('is read into backups and the age of the newest, with a number that has more digits than a number keeps', () => {
    const text = JSON.stringify(answer()).replace(
      '"backup":',
      '"db":[{"id":1,"repo-key":1,"system-id":7710419556931534390,"version":"15"}],"backup":',
    );
    expect(parseInfo(stanza, text, now)).toMatchObject({
      systemIdentifier: '7710419556931534390',
      systems: [{ system: 1, repository: 1, identifier: '7710419556931534390' }],
      backups: [
        { label: '20260131-020000F', type: 'full', stoppedAt: '2026-01-31T02:03:20.000Z', stopLsn: '0/4000100' },
      ],
      repositories: [{ key: 1, status: 'ok', newest: '20260131-020000F', newestAgeSeconds: 3_400, bytes: 30 }],
    });
  });

  test('is refused where it is not understood, and never taken for an empty repository', () => {
    expect(codeOf(() => parseInfo(stanza, 'no JSON', now))).toBe('pgbackrest_unreadable');
    expect(codeOf(() => parseInfo(stanza, '[]', now))).toBe('pgbackrest_unreadable');
    const odd = answer({ backup: [{ label: 'x' }] });
    expect(codeOf(() => parseInfo(stanza, JSON.stringify(odd), now))).toBe('pgbackrest_unreadable');
  });

  test('tells a repository out of reach from one without the stanza and from one without backups', () => {
    const statusOf = (code: number) => {
      const changed = answer({ backup: [], repo: [{ cipher: 'none', key: 1, status: { code, message: 'why' } }] });
      return parseInfo(stanza, JSON.stringify(changed), now).repositories[0]?.status;
    };
    expect([0, 1, 2, 3, 99].map(statusOf)).toEqual(['ok', 'no stanza', 'no backups', 'damaged', 'unreachable']);
  });

  test('is read where it verifies and where it expires', () => {
    const head = 'stanza: immich\nstatus: ok\n  archiveId: 15-1, total WAL checked: 3, total valid WAL: 2\n';
    const damaged = `${head}    missing: 0, checksum invalid: 1, size invalid: 0, other: 0\n`;
    expect(parseVerify(damaged)).toMatchObject({ ok: false, walChecked: 3, walValid: 2 });
    expect(parseVerify('')).toMatchObject({ ok: false });
    const said = [
      '2026-11-21 00:46:19.455 P00   INFO: [DRY-RUN] repo1: expire full backup 20260131-020000F',
      '2026-11-21 00:46:19.455 P00   INFO: [DRY-RUN] repo1: 15-1 remove archive, start = 000000010000000000000001, stop = 000000010000000000000003',
    ].join('\n');
    expect(parseExpiry(said)).toEqual({
      backups: ['20260131-020000F'],
      archives: [{ repository: 1, id: '15-1', from: '000000010000000000000001', to: '000000010000000000000003' }],
    });
  });

  test('becomes a Failure by its number, also in a dry run and behind a date', () => {
    const codes = (said: string) => translated(stanza, 'check', said, 1, undefined).code;
    expect(codes('ERROR: [055]: unable to load info file')).toBe('stanza_missing');
    expect(codes('ERROR: [050]: [DRY-RUN] unable to acquire lock')).toBe('stanza_busy');
    expect(codes('2026 P00  ERROR: [082]: WAL segment was not archived')).toBe('archive_timeout');
    expect(codes('ERROR: [041]: cannot write: [28] No space left on device')).toBe('disk_full');
    expect(codes('ERROR: [072]: backup command must be run on the repository host')).toBe('repository_host_needed');
    expect(codes('ERROR: [095]: unable to decrypt')).toBe('repository_cipher');
    expect(codes("ERROR: [095]: unable to find hostname '10.0.0.1' in certificate common name")).toBe(
      'repository_certificate',
    );
    expect(codes('something else')).toBe('pgbackrest_failed');
  });

  test('shows features by version', () => {
    expect(featuresOf('2.45').sftp).toBe(false);
    expect(['2.46', '2.54.2', '3.0'].map((version) => featuresOf(version).sftp)).toEqual([true, true, true]);
  });
});

describe('gaps in the WAL', () => {
  const seen = (segments: readonly string[], firstWal: string, segmentBytes = SEGMENT) =>
    findGaps({ id: '15-1', repository: 1, newestAt: null, segments }, [{ firstWal }], segmentBytes);
  const name = (number: string, timeline = '00000001') => `${timeline}${number}`;

  test('are what is missing behind the first segment that a backup needs', () => {
    const there = ['0000000000000001', '0000000000000004', '0000000000000005', '0000000000000008'];
    expect(
      seen(
        there.map((one) => name(one)),
        name('0000000000000004'),
      ),
    ).toMatchObject({
      missing: 2,
      gaps: [{ from: name('0000000000000006'), to: name('0000000000000007'), count: 2 }],
    });
  });

  test('go over the end of a log file, whatever the size of a segment', () => {
    const ends = [name('00000000000000FF'), name('0000000100000000')];
    expect(seen(ends, ends[0] ?? '').missing).toBe(0);
    const larger = [name('000000000000003F'), name('0000000100000000')];
    expect(seen(larger, larger[0] ?? '', 4 * SEGMENT).missing).toBe(0);
    expect(seen(larger, larger[0] ?? '').missing).toBe(192);
  });

  test('are told for the timeline of the backup from its first segment on, and within each later one', () => {
    const there = [
      name('0000000000000006'),
      name('0000000000000006', '00000002'),
      name('0000000000000008', '00000002'),
    ];
    expect(seen(there, name('0000000000000005')).gaps).toEqual([
      { from: name('0000000000000005'), to: name('0000000000000005'), count: 1 },
      { from: name('0000000000000007', '00000002'), to: name('0000000000000007', '00000002'), count: 1 },
    ]);
  });
});

describe('a target', () => {
  const backup = (label: string, stoppedAt: string, stopLsn: string) =>
    ({ label, stoppedAt, stopLsn, repository: 1 }) as BackupSeen;
  const backups = [
    backup('old', '2026-01-30T02:00:00.000Z', '0/4000100'),
    backup('new', '2026-01-31T02:00:00.000Z', '1/100'),
  ];
  const chosen = (target: RestoreTarget) => newestFor(candidatesOf(backups, {}), target)?.label;
  const at = (time: string) => ({ kind: 'time', time }) as const;

  test('is reached from the newest backup that had ended before it, of whose end only the second is known', () => {
    expect(chosen({ kind: 'newest' })).toBe('new');
    expect(chosen(at('2026-01-31T02:00:00.999Z'))).toBe('old');
    expect(chosen(at('2026-01-31T02:00:01.000Z'))).toBe('new');
    expect(chosen({ kind: 'lsn', lsn: '0/FF000000' })).toBe('old');
    expect(chosen({ kind: 'lsn', lsn: '0/4000000' })).toBeUndefined();
    expect(candidatesOf(backups, { set: 'other' })).toEqual([]);
    expect(noBackup(stanza, { set: 'other' })).toMatchObject({ code: 'backup_missing' });
  });

  describe('that plainly cannot be had is refused with what can be had', () => {
    const reach: Reach = {
      until: '2026-01-31T03:00:00.000Z',
      now: '2026-01-31T03:30:00.000Z',
      endLsn: '1/5000000',
      nextXid: '4711',
    };
    const refusalOf = (target: RestoreTarget, changes: Partial<Reach> = {}): Failure | undefined => {
      try {
        refuseOutOfReach(stanza, target, candidatesOf(backups, {}), { ...reach, ...changes });
      } catch (error) {
        if (isFailure(error)) return error;
        throw error;
      }
      return undefined;
    };
    const times = 'Can be had: from 2026-01-30T02:00:01.000Z to 2026-01-31T03:00:00.000Z. ';
    const places = 'Can be had: from LSN 0/4000100 to 1/5000000. ';

    test.each([
      ['a time of 2042', at('2042-01-01T00:00:00.000Z'), 'target_not_archived', times],
      ['a time that has only just not been', at('2026-01-31T03:30:00.001Z'), 'target_not_archived', times],
      ['a time after the newest WAL', at('2026-01-31T03:00:00.001Z'), 'target_not_archived', times],
      ['a time before the oldest backup', at('2001-01-01T00:00:00.000Z'), 'backup_missing', times],
      ['a time within the second of its end', at('2026-01-30T02:00:00.999Z'), 'backup_missing', times],
      ['an LSN before the oldest backup', { kind: 'lsn', lsn: '0/40000FF' }, 'backup_missing', places],
      ['an LSN at the end of the WAL', { kind: 'lsn', lsn: '1/5000000' }, 'target_not_archived', places],
      [
        'a transaction that has not begun',
        { kind: 'xid', xid: '4711' },
        'target_not_archived',
        'Can be had: what is before transaction 4711. ',
      ],
    ] as const)('%s', (_, target, code, can) => {
      const refusal = refusalOf(target);
      expect(refusal).toMatchObject({ code, subject: describeStanza(stanza) });
      expect(refusal?.nextStep.startsWith(can)).toBe(true);
      expect(refusal?.details).toHaveProperty('until');
    });

    test('and with a word where there is nothing to be had yet', () => {
      const refusal = refusalOf(at('2042-01-01T00:00:00.000Z'), { until: '2026-01-30T02:00:00.500Z' });
      expect(refusal?.nextStep).toMatch(/^No moment can be had yet: no WAL has come since the backup ended. /);
    });

    test('and says of the future what the host of the database takes for now', () => {
      expect(refusalOf(at('2026-01-31T03:30:00.001Z'))?.message).toContain('says 2026-01-31T03:30:00.000Z');
    });

    test.each([
      ['the first moment', at('2026-01-30T02:00:01.000Z'), {}],
      ['the last moment', at('2026-01-31T03:00:00.000Z'), {}],
      ['the first LSN', { kind: 'lsn', lsn: '0/4000100' }, {}],
      ['the last LSN', { kind: 'lsn', lsn: '1/4FFFFFF' }, {}],
      ['an LSN, where nobody knows the end', { kind: 'lsn', lsn: 'F/0' }, { endLsn: null }],
      ['the last transaction', { kind: 'xid', xid: '4710' }, {}],
      ['a transaction, where the server cannot tell', { kind: 'xid', xid: '4712' }, { nextXid: null }],
      ['a name', { kind: 'name', name: 'before' }, {}],
      ['the newest', { kind: 'newest' }, {}],
      ['the end of the backup', { kind: 'immediate' }, {}],
    ] as const)('but not %s', (_, target, changes) => {
      expect(refusalOf(target, changes)).toBeUndefined();
    });
  });

  describe('how far the archive goes', () => {
    const server = {
      now: '2026-01-31T03:30:00.000Z',
      segmentBytes: SEGMENT,
      lastArchived: '000000010000000000000005',
      lastArchivedAt: '2026-01-31T03:00:02.345Z',
      nextXid: '4711',
    };
    const timeline = (number: number, part: string, newestAt: string | null) => ({
      timeline: number,
      newest: `0000000${number}00000000000000${part}`,
      newestAt,
    });
    const own = timeline(1, '05', '2026-01-31T03:00:01.000Z');

    test('is told by the clock of the database where it has handed over the newest segment itself', () => {
      expect(reachOf([own], 1, server, true)).toEqual({
        until: '2026-01-31T03:00:02.345Z',
        now: server.now,
        endLsn: '0/6000000',
        nextXid: '4711',
      });
    });

    test('otherwise by that of the repository, to the second, and is never later than now', () => {
      const silent = { ...server, lastArchived: null, lastArchivedAt: null };
      expect(reachOf([own], 1, silent, true).until).toBe('2026-01-31T03:00:01.999Z');
      const ahead = timeline(1, '05', '2026-01-31T04:00:00.000Z');
      expect(reachOf([ahead], 1, silent, true).until).toBe(server.now);
      expect(reachOf([], 1, silent, true)).toMatchObject({ until: server.now, endLsn: null });
    });

    test('is that of the history that is followed, where WAL of it is there', () => {
      const given = timeline(2, '09', '2026-01-31T03:20:00.000Z');
      expect(reachOf([own, given], 1, server, true)).toMatchObject({
        endLsn: '0/6000000',
        until: server.lastArchivedAt,
      });
      expect(reachOf([own, given], 3, server, true)).toMatchObject({ endLsn: '0/A000000' });
      expect(reachOf([own, given], null, server, false)).toMatchObject({ endLsn: '0/A000000', nextXid: null });
    });

    test('goes to the end of the whole file of 4 GiB where nobody knows how large a segment is', () => {
      const last = { timeline: 1, newest: '0000000100000001000000FF', newestAt: null };
      expect(reachOf([last], 1, server, true).endLsn).toBe('2/0');
      expect(reachOf([own], 1, { ...server, segmentBytes: null }, true).endLsn).toBe('1/0');
    });

    test('is read from what the host says, also where PostgreSQL does not answer', () => {
      const now = Date.parse(server.now);
      expect(parseServer(`now ${now}\nsegment 16777216\n`)).toEqual({
        ...{ now: server.now, segmentBytes: SEGMENT, lastArchived: null, lastArchivedAt: null, nextXid: null },
      });
      const answer = JSON.stringify({ lastArchived: 'a', lastArchivedAt: 'b', nextXid: '4711' });
      expect(parseServer(`now ${now}\nsegment \nserver ${answer}\n`)).toEqual({
        ...{ now: server.now, segmentBytes: null, lastArchived: 'a', lastArchivedAt: 'b', nextXid: '4711' },
      });
    });
  });

  test('is given to pgBackRest in UTC, and refused where it could be read as something else', () => {
    expect(targetOptions({ kind: 'time', time: '2026-01-31T02:00:00.000Z' })).toEqual([
      '--type=time',
      '--target=2026-01-31 02:00:00.000+00',
      '--target-action=promote',
    ]);
    const refused = [
      { kind: 'time', time: '2026-01-31 02:00' },
      { kind: 'lsn', lsn: '0-1' },
      { kind: 'xid', xid: '-1' },
      { kind: 'xid', xid: '2' },
      { kind: 'name', name: "it's" },
    ] as const;
    expect(refused.map((target) => codeOf(() => checkTarget(stanza, target)))).toEqual(
      refused.map(() => 'target_unusable'),
    );
  });

  test('is compared with the last commit in the log of the copy', () => {
    expect(commitTime('2026-11-21 01:06:32.178491+00')).toBe('2026-11-21T01:06:32.178Z');
    expect(commitTime('an unknown time')).toBeNull();
  });
});

describe('a history', () => {
  const backup = (label: string, system: number, firstWal: string, stopLsn: string) =>
    ({ label, repository: 1, system, firstWal, stopLsn }) as BackupSeen;
  const known = {
    systems: [
      { system: 1, repository: 1, identifier: '15' },
      { system: 2, repository: 1, identifier: '17' },
    ],
    backups: [
      backup('of the former version', 1, '000000020000000000000003', '0/3000100'),
      backup('before it parted', 2, '000000010000000000000004', '0/4000100'),
      backup('of what was given up', 2, '000000020000000000000008', '0/8000100'),
      backup('after it parted', 2, '000000010000000000000009', '0/9000100'),
      backup('its own', 2, '00000003000000000000000A', '0/A000100'),
    ],
  };
  const labels = (backups: readonly BackupSeen[]) => backups.map(({ label }) => label);

  test('is reached from its own backups and from those of its parents, as far as it followed them', () => {
    const of = (timeline: number, until: string) => ({
      systemIdentifier: '17',
      timeline,
      parents: [{ timeline: 1, until }],
    });
    expect(labels(backupsOf(stanza, known, of(3, '0/5000000')))).toEqual(['before it parted', 'its own']);
    expect(labels(backupsOf(stanza, known, of(3, '0/9000100')))).toEqual([
      'before it parted',
      'after it parted',
      'its own',
    ]);
    expect(codeOf(() => backupsOf(stanza, known, { ...of(4, '0/1'), parents: [] }))).toBe('backup_missing');
  });

  test('is of one database system, where the server is gone of the newest', () => {
    expect(labels(backupsOfSystem(known, '15'))).toEqual(['of the former version']);
    expect(backupsOfSystem(known, '17')).toHaveLength(4);
    expect(backupsOfSystem({ ...known, systems: [] }, '17')).toHaveLength(5);
  });
});
