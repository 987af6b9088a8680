import { findGaps } from '../../../../../lib/postgres/pgbackrest/archive';
import { parseExpiry, parseVerify } from '../../../../../lib/postgres/pgbackrest/backup';
import { featuresOf } from '../../../../../lib/postgres/pgbackrest/features';
import { parseInfo, type BackupSeen } from '../../../../../lib/postgres/pgbackrest/info';
import { translated } from '../../../../../lib/postgres/pgbackrest/refusal';
import { commitTime } from '../../../../../lib/postgres/pgbackrest/scratch';
import type { Stanza } from '../../../../../lib/postgres/pgbackrest/stanza';
import { backupsOf, backupsOfSystem } from '../../../../../lib/postgres/pgbackrest/lineage';
import { checkTarget, chooseBackup, refuseBeyond, targetOptions } from '../../../../../lib/postgres/pgbackrest/target';
import { isFailure } from '../../../../../lib/failure';

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
  const chosen = (target: Parameters<typeof chooseBackup>[2]) => chooseBackup(stanza, backups, target, {}).label;

  test('is reached from the newest backup that had ended before it', () => {
    expect(chosen({ kind: 'newest' })).toBe('new');
    expect(chosen({ kind: 'time', time: '2026-01-31T01:59:59.999Z' })).toBe('old');
    expect(chosen({ kind: 'time', time: '2026-01-31T02:00:00.000Z' })).toBe('new');
    expect(chosen({ kind: 'lsn', lsn: '0/FF000000' })).toBe('old');
    expect(codeOf(() => chosen({ kind: 'lsn', lsn: '0/4000000' }))).toBe('backup_missing');
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
      { kind: 'name', name: "it's" },
    ] as const;
    expect(refused.map((target) => codeOf(() => checkTarget(stanza, target)))).toEqual(
      refused.map(() => 'target_unusable'),
    );
    const late = { kind: 'time', time: '2026-01-31T02:00:02.000Z' } as const;
    expect(codeOf(() => refuseBeyond(stanza, late, '2026-01-31T02:00:00.000Z'))).toBe('target_not_archived');
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
