import fc from 'fast-check';
import { folderOfPrefix, keyOfPath, pathOfKey } from '../../../../lib/state/file-name';

const name = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => !text.includes('/')),
  fc.constantFrom('.', '..', '~', '=', '%2E', '.json', '-rf', '*', 'a'.repeat(200), 'a'.repeat(201), 'é'.repeat(300)),
);
const key = fc
  .array(name, { minLength: 1, maxLength: 4 })
  .map((names) => `domain/${names.join('/')}`)
  .filter((text) => text.length <= 500 && !/\p{Surrogate}/u.test(text));

test('every key has a path of its own, from which it is read back', () => {
  fc.assert(
    fc.property(key, (one) => expect(keyOfPath(pathOfKey(one))).toBe(one)),
    { numRuns: 1000 },
  );
});

test('a path has safe names only, none longer than a file system takes', () => {
  fc.assert(
    fc.property(key, (one) => {
      const path = pathOfKey(one);
      expect(path).toMatch(/^domain\/[A-Za-z0-9_%=~/-]+\.json$/);
      expect(path.length).toBeLessThan(3000);
      for (const part of path.split('/')) {
        expect(part.length).toBeGreaterThan(0);
        expect(part.length).toBeLessThanOrEqual(206);
      }
    }),
  );
});

test('no key has the path of a folder that another one needs', () => {
  fc.assert(
    fc.property(key, key, (one, other) => {
      expect(`${pathOfKey(other)}/`.startsWith(`${pathOfKey(one)}/`)).toBe(one === other);
    }),
  );
});

test('plain keys can be read in the folder as they are', () => {
  expect(pathOfKey('incident/bruno/disk_full-1')).toBe('incident/bruno/disk_full-1.json');
  expect(pathOfKey('dedupe/a.b c/日本')).toBe('dedupe/a%2Eb%20c/=5pel5pys.json');
});

test('the folder of a prefix holds every key that begins with it', () => {
  fc.assert(
    fc.property(key, fc.nat(), (one, at) => {
      const slash = one.indexOf('/');
      const prefix = one.slice(0, slash + 1 + (at % (one.length - slash)));
      fc.pre(!/\p{Surrogate}/u.test(prefix));
      expect(pathOfKey(one).startsWith(`${folderOfPrefix(prefix)}/`)).toBe(true);
    }),
  );
});

test('files of others are no keys', () => {
  for (const path of [
    'domain/a',
    'domain/.new-0123456789ab',
    'domain/a.b.json',
    'domain/=.json',
    'domain/%zz.json',
    '.lock',
  ]) {
    expect(keyOfPath(path)).toBeUndefined();
  }
});
