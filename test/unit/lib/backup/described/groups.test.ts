import { parseDescribed } from '../../../../../lib/backup/described/described';
import { storedPlan } from '../../../../../lib/backup/described/groups';
import { sourceNamed } from '../../../../../lib/backup/inventory/choose';
import { describeHoldings } from '../../../../../lib/backup/inventory/inventory';
import { readListings } from '../../../../../lib/backup/inventory/listing';
import { nameOf, renderManifest, type Manifest } from '../../../../../lib/manifest/manifest';

const vault = { rclone: { kind: 'text', text: '' }, crypt: 'vault' } as const;
const plan = {
  set: 'nightly',
  home: { provider: 'hetzner' },
  sources: [
    { kind: 'directory', name: 'vaults', path: '/srv/vaults' },
    { kind: 'every-postgres', name: 'pg', runAs: 'postgres', password: 'credential:PG', except: ['scratch'] },
    { kind: 'every-mysql', name: 'my', container: 'maria' },
    { kind: 'every-sqlite', name: 'lite', path: '/srv/apps/' },
  ],
  destinations: [{ name: 'eva', remote: 'eva:x', provider: 'ovh' }],
};
const described = parseDescribed(plan, vault, 'bruno');
const stored = (source: string, facts: Manifest['facts']): string[] => {
  const startedAt = '2026-01-31T02:00:00.000Z';
  const name = nameOf({ startedAt });
  const made: Manifest = {
    version: 1,
    source: `${source}@bruno`,
    runId: 'run-1',
    startedAt,
    finishedAt: startedAt,
    parts: [{ name: `${name}.part-00001`, size: 100_064, sha256: 'a'.repeat(64) }],
    producers: [{ name: 'dump', exitCode: 0, signal: null }],
    facts,
  };
  const folder = source.toLowerCase().replace(/[^a-z0-9._]+/g, '-');
  return [
    `file 0 100000 ${folder}/${name}/${name}.part-00001`,
    `file 0 900 ${folder}/${name}/${name}.manifest.json`,
    `manifest 0 ${Buffer.from(renderManifest(made).trimEnd()).toString('base64')}`,
  ];
};
const lines = [
  ...stored('pg/Immich-0a1b2c3d', { kind: 'postgres', database: 'Immich!' }),
  ...stored('pg/globals', { kind: 'postgres-globals' }),
  ...stored('my/shop', { kind: 'mysql', database: 'shop' }),
  ...stored('lite/forgejo.db', { kind: 'sqlite' }),
  ...stored('pgx/other', { kind: 'postgres', database: 'other' }),
  'read 0',
  '',
];
const listings = readListings(lines.join('\n'), [{ name: 'eva' }], []);

describe('a source that stands for many', () => {
  test('is apart from those that are named one by one', () => {
    expect(described.plan.sources.map(({ name }) => name)).toEqual(['vaults']);
    expect(described.groups.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'every-postgres pg',
      'every-mysql my',
      'every-sqlite lite',
    ]);
    const only = { ...plan, sources: [plan.sources[1]] };
    expect(parseDescribed(only, vault, 'bruno').plan.sources).toEqual([]);
    const refusal = (sources: readonly object[]) => () => parseDescribed({ ...plan, sources }, vault, 'bruno');
    expect(refusal([])).toThrow('sources is empty');
    expect(refusal([{ kind: 'every-sqlite', name: 'lite', path: 'relative' }])).toThrow('is not absolute');
    expect(refusal([{ kind: 'every-mysql', name: 'my', container: '--privileged' }])).toThrow('no plain name');
    expect(refusal([{ kind: 'every-postgres', name: 'pg', password: 'in the open' }])).toThrow('must be a reference');
  });

  test('is known by what it has stored, when its server is gone', () => {
    expect(storedPlan(described, listings).sources.slice(1)).toEqual([
      { kind: 'sqlite', name: 'lite/forgejo.db', path: '/srv/apps/forgejo.db' },
      { kind: 'mysql', name: 'my/shop', database: 'shop', container: 'maria' },
      {
        kind: 'postgres',
        name: 'pg/Immich-0a1b2c3d',
        database: 'Immich!',
        runAs: 'postgres',
        password: 'credential:PG',
      },
      { kind: 'postgres-globals', name: 'pg/globals', runAs: 'postgres', password: 'credential:PG' },
    ]);
    expect(() => sourceNamed(storedPlan(described, listings), 'pgx/other')).toThrow('The plan has no source pgx/other');
    const holdings = describeHoldings(
      { ...described, plan: storedPlan(described, listings) },
      listings,
      new Map(),
      new Date('2026-01-31T08:00:00Z'),
    );
    expect(holdings.map(({ source, planned, state }) => `${source} ${planned ? state : 'left the plan'}`)).toEqual([
      'vaults none',
      'lite/forgejo.db fresh',
      'my/shop fresh',
      'pg/Immich-0a1b2c3d fresh',
      'pg/globals fresh',
      'pgx/other left the plan',
    ]);
  });
});
