import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contents, longTests, readProof } from '../../../../lab/proofs/contents';
import { proofFolder } from '../../../../lab/proofs/page';

const first = join(proofFolder, 'README.md');

if (process.env['REWRITE'] === 'docs') writeFileSync(first, contents());

test('every long test was seen to pass, and its page is there', () => {
  expect(longTests().filter((name) => readProof(name)?.name !== name)).toEqual([]);
});

test('no page speaks of a test that is gone', () => {
  const pages = readdirSync(proofFolder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && file !== 'README.md' && !file.startsWith('bench'))
    .map((file) => file.slice(0, -'.md'.length));
  expect(pages.toSorted()).toEqual(longTests());
});

test('the first page is current; if it is not, run `npm run docs`', () => {
  expect(readFileSync(first, 'utf8')).toBe(contents());
});
