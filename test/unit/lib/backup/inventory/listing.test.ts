import { describeHoldings } from '../../../../../lib/backup/inventory/inventory';
import { readListings } from '../../../../../lib/backup/inventory/listing';
import { parseDescribed } from '../../../../../lib/backup/described/described';
import { planRetention } from '../../../../../lib/backup/retention/plan';
import { nameOf, renderManifest, type Manifest } from '../../../../../lib/manifest/manifest';

const PLAIN = 100_000;
// rclone's format: 32 bytes at the front, 16 for each begun 64 KiB.
const STORED = 100_064;

const manifest = (startedAt: string, source = 'postgres/immich@bruno'): Manifest => {
  const name = nameOf({ startedAt });
  return {
    version: 1,
    source,
    runId: 'run-1',
    startedAt,
    finishedAt: startedAt,
    parts: [{ name: `${name}.part-00001`, size: STORED, sha256: 'a'.repeat(64) }],
    producers: [{ name: 'pg_dump', exitCode: 0, signal: null }],
    facts: { kind: 'postgres' },
  };
};
const stored = (leg: number, made: Manifest, change: { part?: number | null; folder?: string } = {}): string[] => {
  const { part = PLAIN, folder = 'postgres-immich' } = change;
  const name = nameOf(made);
  const text = Buffer.from(renderManifest(made).trimEnd()).toString('base64');
  return [
    ...(part === null ? [] : [`file ${leg} ${part} ${folder}/${name}/${name}.part-00001`]),
    `file ${leg} 900 ${folder}/${name}/${name}.manifest.json`,
    `manifest ${leg} ${text}`,
  ];
};
const vault = { rclone: { kind: 'text', text: '' }, crypt: 'vault' } as const;
const plan = {
  set: 'nightly',
  home: { provider: 'hetzner' },
  sources: [{ kind: 'postgres', name: 'postgres/immich', database: 'immich' }],
  destinations: [
    { name: 'eva', remote: 'eva:x', provider: 'ovh' },
    { name: 'drive', remote: 'drive:x', provider: 'google' },
  ],
};
const now = new Date('2026-01-31T08:00:00Z');
const monday = manifest('2026-01-26T02:00:00.000Z');
const friday = manifest('2026-01-30T02:00:00.000Z');
const today = manifest('2026-01-31T02:00:00.000Z');
const names = plan.destinations.map(({ name }) => ({ name }));

function look(lines: readonly string[], keep: object = { daily: 2 }) {
  const described = parseDescribed({ ...plan, keep }, vault, 'bruno');
  const listings = readListings([...lines, ''].join('\n'), names, ['hunter22']);
  return { described, listings };
}

describe('what the destinations hold', () => {
  const lines = [
    ...stored(0, monday),
    ...stored(0, friday),
    ...stored(0, today),
    'file 0 5 postgres-immich/2026-01-31T070000Z.uploading/2026-01-31T070000Z.part-00001',
    'file 0 5 postgres-immich/2026-01-20T070000Z/2026-01-20T070000Z.part-00001',
    'file 0 7 notes/mine.txt',
    'read 0',
    ...stored(1, friday, { part: PLAIN - 1 }),
    ...stored(1, today, { part: null }),
    'read 1',
  ];

  test('is told from its listing: complete, damaged, never finished, and not ours', () => {
    const { listings } = look(lines);
    expect(
      listings.map((listing) =>
        listing.kind === 'read'
          ? [
              listing.backups.map(({ name, state }) => [
                name.slice(0, 13),
                state.kind === 'damaged' ? state.why : state.kind,
              ]),
              listing.others,
            ]
          : listing,
      ),
    ).toEqual([
      [
        [
          ['2026-01-20T07', 'incomplete'],
          ['2026-01-26T02', 'complete'],
          ['2026-01-30T02', 'complete'],
          ['2026-01-31T02', 'complete'],
          ['2026-01-31T07', 'incomplete'],
        ],
        ['notes/mine.txt'],
      ],
      [
        [
          ['2026-01-30T02', '2026-01-30T020000Z.part-00001 has not its size'],
          ['2026-01-31T02', '2026-01-31T020000Z.part-00001 is missing'],
        ],
        [],
      ],
    ]);
  });

  test('becomes one line for each source and destination, with the age of the newest that is proven', () => {
    const { described, listings } = look(lines);
    const copies = new Map([['eva/postgres-immich/2026-01-31T020000Z', { status: 'proven', sentence: '' } as const]]);
    expect(describeHoldings(described, listings, copies, now)).toEqual([
      {
        source: 'postgres/immich',
        destination: 'eva',
        planned: true,
        state: 'fresh',
        sentence: 'The newest good backup of postgres/immich at eva is 6.0 h old',
        backups: 3,
        damaged: 0,
        incomplete: 2,
        bytes: 3 * (PLAIN + 900) + 10,
        oldest: '2026-01-26T020000Z',
        newest: '2026-01-31T020000Z',
        newestAgeHours: 6,
        newestBytes: PLAIN + 900,
        verified: '2026-01-31T020000Z',
        copy: 'proven',
        verifiedAgeHours: 6,
        growthBytes: 0,
        gaps: [{ after: '2026-01-26T020000Z', before: '2026-01-30T020000Z', hours: 96 }],
        problems: [],
      },
      expect.objectContaining({
        destination: 'drive',
        state: 'none',
        sentence: 'drive holds no good backup of postgres/immich; 2 there are damaged',
        backups: 0,
        verified: null,
        verifiedAgeHours: null,
        problems: [
          { name: '2026-01-31T020000Z', problem: '2026-01-31T020000Z.part-00001 is missing' },
          { name: '2026-01-30T020000Z', problem: '2026-01-30T020000Z.part-00001 has not its size' },
        ],
      }),
    ]);
  });

  test('a copy whose hash is wrong is not the newest good one, and an old one is late', () => {
    const { described, listings } = look(lines);
    const copies = new Map([
      ['eva/postgres-immich/2026-01-31T020000Z', { status: 'damaged', sentence: 'flipped' } as const],
      ['eva/postgres-immich/2026-01-30T020000Z', { status: 'damaged', sentence: 'flipped' } as const],
      ['eva/postgres-immich/2026-01-26T020000Z', { status: 'unproven', sentence: 'no hashes' } as const],
    ]);
    expect(describeHoldings(described, listings, copies, now)[0]).toMatchObject({
      state: 'late',
      newest: '2026-01-26T020000Z',
      newestAgeHours: 126,
      copy: 'unproven',
      verified: null,
      damaged: 2,
    });
  });

  test('a destination that cannot be read, or did not answer to the end, is not an empty one', () => {
    const { described, listings } = look(['unreachable 0 hunter22 was refused', ...stored(1, today)]);
    expect(
      describeHoldings(described, listings, new Map(), now).map(({ state, sentence }) => [state, sentence]),
    ).toEqual([
      ['unreachable', 'What eva holds of postgres/immich is not known: [secret] was refused'],
      ['unreachable', 'What drive holds of postgres/immich is not known: the host gave no answer about it'],
    ]);
  });

  test('a source that left the plan is still told', () => {
    const old = manifest('2026-01-30T02:00:00.000Z', 'old/wiki@bruno');
    const { described, listings } = look([...stored(0, old, { folder: 'old-wiki' }), 'read 0', 'read 1']);
    expect(
      describeHoldings(described, listings, new Map(), now).map((each) => [
        each.source,
        each.destination,
        each.planned,
        each.state,
      ]),
    ).toEqual([
      ['postgres/immich', 'eva', true, 'none'],
      ['postgres/immich', 'drive', true, 'none'],
      ['old/wiki', 'eva', false, 'fresh'],
    ]);
  });
});

describe('what retention would remove', () => {
  const inventory = (lines: readonly string[], damaged: readonly string[] = [], keep: object = { daily: 1 }) => {
    const { described, listings } = look(lines, keep);
    return planRetention(described, { at: now, holdings: [], listings, damaged: new Set(damaged) });
  };
  const gone = ({ removals }: ReturnType<typeof inventory>) =>
    removals.map(({ destination, name, files, reason }) => [destination, name, files.length, reason]);

  test('old backups with exactly the files of their manifests, and uploads that are over', () => {
    const plan = inventory([
      ...stored(0, friday),
      ...stored(0, today),
      'file 0 5 postgres-immich/2026-01-31T070000Z.uploading/2026-01-31T070000Z.part-00001',
      'file 0 5 postgres-immich/2026-01-20T070000Z.uploading/2026-01-20T070000Z.part-00001',
      'read 0',
      'read 1',
    ]);
    expect(gone(plan)).toEqual([
      ['eva', '2026-01-30T020000Z', 2, 'no rule keeps it'],
      ['eva', '2026-01-20T070000Z', 1, 'never became a backup'],
    ]);
    expect(plan.kept.map(({ name, reason }) => [name, reason])).toEqual([
      ['2026-01-31T020000Z', 'daily 1'],
      ['2026-01-31T070000Z', 'not complete, but it may be going on'],
    ]);
  });

  test('never the last copy that is good, although newer ones are there', () => {
    const lines = [...stored(0, monday), ...stored(0, friday), ...stored(0, today), 'read 0', 'read 1'];
    const place = (made: Manifest) => `eva/postgres-immich/${nameOf(made)}`;
    expect(gone(inventory(lines, [place(friday), place(today)]))).toEqual([
      ['eva', '2026-01-30T020000Z', 2, 'damaged, and no rule keeps it'],
    ]);
  });

  test('nothing that holds a file which is not of its manifest, or whose manifest nobody can read', () => {
    const strange = [
      ...stored(0, friday),
      'file 0 3 postgres-immich/2026-01-30T020000Z/2026-01-30T020000Z.part-00002',
      'file 0 3 postgres-immich/2026-01-29T020000Z/2026-01-29T020000Z.manifest.json',
      ...stored(0, today),
      'read 0',
      'read 1',
    ];
    const plan = inventory(strange);
    expect(gone(plan)).toEqual([]);
    expect(plan.kept.map(({ reason }) => reason)).toContain(
      '2026-01-30T020000Z.part-00002 in it is not of its manifest',
    );
  });

  test('nothing where no rule is, where nothing could be read, and where nothing can be deleted', () => {
    const lines = [...stored(0, friday), ...stored(0, today), 'read 0', 'unreachable 1 it is down'];
    expect(inventory(lines).untouched).toEqual([{ destination: 'drive', why: 'it could not be read: it is down' }]);
    const undeletable = { ...plan.destinations[0], undeletable: true };
    const planned = (own: object) => {
      const destinations = [{ ...undeletable, ...own }, plan.destinations[1]];
      const described = parseDescribed({ ...plan, destinations, keep: { daily: 1 } }, vault, 'bruno');
      const listings = readListings([...lines.slice(0, -1), 'read 1', ''].join('\n'), names, []);
      return planRetention(described, { at: now, holdings: [], listings, damaged: new Set() });
    };
    const { untouched, removals } = planned({});
    expect(removals).toEqual([]);
    expect(untouched).toEqual([
      {
        destination: 'eva',
        why: 'its copies cannot be deleted with the credentials that upload, and it has no rule of its own',
      },
    ]);
    // A rule of its own is for whoever comes with other credentials.
    expect(planned({ keep: { daily: 1 } }).removals).toMatchObject([{ destination: 'eva', name: nameOf(friday) }]);
    const ruleless = parseDescribed(plan, vault, 'bruno');
    const listings = readListings([...lines.slice(0, -1), 'read 1', ''].join('\n'), names, []);
    expect(planRetention(ruleless, { at: now, holdings: [], listings, damaged: new Set() }).untouched).toEqual(
      names.map(({ name }) => ({
        destination: name,
        why: 'no rule says what it keeps, so it keeps everything',
      })),
    );
  });

  test('the same however a remote lists it, also of sources that were backed up in the same second', () => {
    const vaultOf = (made: Manifest) => stored(0, { ...made, source: 'vault@bruno' }, { folder: 'vault' });
    const blocks = [stored(0, friday), vaultOf(friday), stored(0, today), vaultOf(today)];
    const plans = [blocks, blocks.toReversed()].map((all) => inventory([...all.flat(), 'read 0', 'read 1']));
    expect(plans[0]?.removals).toHaveLength(2);
    expect(plans[1]).toEqual(plans[0]);
  });

  test('another world has another hash, and the same one the same', () => {
    const lines = [...stored(0, friday), ...stored(0, today), 'read 0', 'read 1'];
    expect(inventory(lines).hash).toBe(inventory(lines).hash);
    expect(inventory(lines).hash).not.toBe(inventory([...stored(0, monday), ...lines]).hash);
    expect(inventory(lines).hash).not.toBe(inventory(lines, [], { daily: 2 }).hash);
  });
});
