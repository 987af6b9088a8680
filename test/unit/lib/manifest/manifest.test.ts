import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../../lib/canonical-json';
import { isFailure } from '../../../../lib/failure';
import { isWhole, nameOf, parseManifest, renderManifest, type Manifest } from '../../../../lib/manifest/manifest';

const manifest: Manifest = {
  version: 1,
  source: 'postgres/immich@bruno',
  runId: 'backup-2026-01-31-1',
  startedAt: '2026-01-31T02:00:00.000Z',
  finishedAt: '2026-01-31T02:04:10.500Z',
  parts: [
    { name: '2026-01-31T020000Z.part-00001', size: 67_108_864, sha256: 'a'.repeat(64) },
    { name: '2026-01-31T020000Z.part-00002', size: 0, sha256: 'b'.repeat(64) },
  ],
  producers: [
    { name: 'pg_dump', exitCode: 0, signal: null },
    { name: 'zstd', exitCode: 0, signal: null },
  ],
  facts: { lsn: '0/3000060', tables: { assets: 12_345 } },
};

function codeOf(text: string): string {
  try {
    parseManifest(text);
    return 'fine';
  } catch (error) {
    if (isFailure(error)) return error.code;
    throw error;
  }
}

/** A manifest whose checksum fits, although its content is not what we would write. */
function forged(change: object): string {
  const document = JSON.parse(JSON.stringify({ format: 'selfhost-backup', ...manifest, ...change })) as never;
  const checksum = `sha256:${createHash('sha256').update(canonicalJson(document)).digest('hex')}`;
  return JSON.stringify({ ...(document as object), checksum });
}

test('a manifest is one line of canonical JSON with a checksum, and reads back as it was', () => {
  const text = renderManifest(manifest);
  expect(text).toBe(
    '{"checksum":"sha256:4b85be4030257b78a6aa721cf3f202d50993856670a1a6536f588559fa7243e9",' +
      '"facts":{"lsn":"0/3000060","tables":{"assets":12345}},"finishedAt":"2026-01-31T02:04:10.500Z",' +
      '"format":"selfhost-backup",' +
      `"parts":[{"name":"2026-01-31T020000Z.part-00001","sha256":"${'a'.repeat(64)}","size":67108864},` +
      `{"name":"2026-01-31T020000Z.part-00002","sha256":"${'b'.repeat(64)}","size":0}],` +
      '"producers":[{"exitCode":0,"name":"pg_dump","signal":null},{"exitCode":0,"name":"zstd","signal":null}],' +
      '"runId":"backup-2026-01-31-1","source":"postgres/immich@bruno","startedAt":"2026-01-31T02:00:00.000Z","version":1}\n',
  );
  expect(parseManifest(text)).toEqual(manifest);
  expect(nameOf(manifest)).toBe('2026-01-31T020000Z');
});

test('a manifest that somebody has laid out anew is still the same manifest', () => {
  expect(parseManifest(JSON.stringify(JSON.parse(renderManifest(manifest)), null, 2))).toEqual(manifest);
});

test('any single changed character is noticed', () => {
  const text = renderManifest(manifest).trimEnd();
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('0', '9', 'a', 'f', 'Z', '"', ' '), (at, character) => {
      fc.pre(text[at] !== character);
      expect(codeOf(text.slice(0, at) + character + text.slice(at + 1))).not.toBe('fine');
    }),
    { numRuns: 1000 },
  );
});

test('a manifest that was cut off is unreadable', () => {
  const text = renderManifest(manifest).trimEnd();
  for (let length = 0; length < text.length; length += 7)
    expect(codeOf(text.slice(0, length))).toBe('manifest_unreadable');
});

test('a newer version is refused by its own name, whatever else it holds', () => {
  expect(codeOf('{"format":"selfhost-backup","version":2,"unknown":true}')).toBe('manifest_newer_version');
});

test.each<[string, object]>([
  ['another format', { format: 'other' }],
  ['no version', { version: undefined }],
  ['an unknown field', { comment: 'hello' }],
  ['no source', { source: ' ' }],
  ['a source with a line end', { source: 'a\nb' }],
  ['no run', { runId: '' }],
  ['a local time', { startedAt: '2026-01-31T02:00:00.000+01:00' }],
  ['a day that does not exist', { startedAt: '2026-02-30T02:00:00.000Z' }],
  ['an end before the start', { finishedAt: '2026-01-31T01:59:59.999Z' }],
  ['parts that are no list', { parts: {} }],
  ['no facts', { facts: undefined }],
  ['two parts of one name', { parts: [manifest.parts[0], manifest.parts[0]] }],
  ['a part with a path', { parts: [{ ...manifest.parts[0], name: '../x' }] }],
  ['a hidden part', { parts: [{ ...manifest.parts[0], name: '.x' }] }],
  ['a part of negative size', { parts: [{ ...manifest.parts[0], size: -1 }] }],
  ['a part with a short hash', { parts: [{ ...manifest.parts[0], sha256: 'abc' }] }],
  ['a part with another field', { parts: [{ ...manifest.parts[0], md5: 'x' }] }],
  ['a producer with code and signal', { producers: [{ name: 'x', exitCode: 0, signal: 'SIGKILL' }] }],
  ['a producer with neither', { producers: [{ name: 'x', exitCode: null, signal: null }] }],
  ['a producer without a code', { producers: [{ name: 'x', signal: null }] }],
])('%s is unreadable', (_, change) => {
  expect(codeOf(forged(change))).toBe('manifest_unreadable');
});

test('what could not be read is not written either', () => {
  expect(() => renderManifest({ ...manifest, finishedAt: '2020-01-01T00:00:00.000Z' })).toThrow(
    'The backup manifest cannot be read: it finished before it started',
  );
});

test('a backup is whole only when there are parts and every producer ended with 0', () => {
  expect(isWhole(manifest)).toBe(true);
  expect(isWhole({ ...manifest, parts: [] })).toBe(false);
  expect(isWhole({ ...manifest, producers: [] })).toBe(false);
  const failed = { name: 'pg_dump', exitCode: 1, signal: null };
  const killed = { name: 'pg_dump', exitCode: null, signal: 'SIGPIPE' };
  for (const producer of [failed, killed]) {
    const broken = { ...manifest, producers: [producer, ...manifest.producers] };
    expect(isWhole(broken)).toBe(false);
    expect(parseManifest(renderManifest(broken))).toEqual(broken);
  }
});
