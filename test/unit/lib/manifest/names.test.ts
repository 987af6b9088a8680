import fc from 'fast-check';
import {
  backupName,
  backupOfManifestFile,
  backupTime,
  isPartName,
  manifestFile,
  partFile,
} from '../../../../lib/manifest/names';

const moments = fc.date({
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59Z'),
  noInvalidDate: true,
});

test('a name is the moment in UTC, to the second, and reads back as that', () => {
  expect(backupName(new Date('2026-01-31T02:00:00.999+01:00'))).toBe('2026-01-31T010000Z');
  fc.assert(
    fc.property(moments, (moment) => {
      const seconds = Math.floor(moment.getTime() / 1000) * 1000;
      expect(backupTime(backupName(moment))?.getTime()).toBe(seconds);
    }),
  );
});

test('names sort as their moments do', () => {
  fc.assert(
    fc.property(moments, moments, (a, b) => {
      if (a.getTime() <= b.getTime()) expect(backupName(a) <= backupName(b)).toBe(true);
    }),
  );
});

test.each([
  '',
  '2026-01-31',
  '2026-01-31T02:00:00Z',
  '2026-02-30T020000Z',
  '2026-01-31T250000Z',
  '2026-01-31T020000',
  'x2026-01-31T020000Z',
  '2026-01-31T020000Z ',
])('%j is no backup name', (name) => {
  expect(backupTime(name)).toBeUndefined();
});

test('the files of a backup begin with its name', () => {
  const name = '2026-01-31T020000Z';
  expect(manifestFile(name)).toBe('2026-01-31T020000Z.manifest.json');
  expect(backupOfManifestFile(manifestFile(name))).toBe(name);
  expect(partFile(name, 1)).toBe('2026-01-31T020000Z.part-00001');
  expect([partFile(name, 10), partFile(name, 9)].sort()).toEqual([partFile(name, 9), partFile(name, 10)]);
  expect(isPartName(partFile(name, 12_345))).toBe(true);
});

test('files of others are not taken for manifests', () => {
  for (const file of ['manifest.json', '.manifest.json', 'notes.manifest.json', '2026-01-31T020000Z.part-00001']) {
    expect(backupOfManifestFile(file)).toBeUndefined();
  }
});
