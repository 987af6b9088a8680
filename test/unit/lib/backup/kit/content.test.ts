import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  drillWord,
  fingerprintOf,
  isSame,
  isWord,
  wordFingerprint,
  type KitContent,
} from '../../../../../lib/backup/kit/content';
import { RESTORE_PAGE } from '../../../../../lib/backup/kit/restore-page';

const content: KitContent = {
  estate: 'kua.cl',
  rcloneConf: '[vault]\npassword = x\n',
  keys: { a: 'one', b: 'two' },
  inventory: { hosts: ['bruno'] },
};

describe('what a recovery kit holds', () => {
  const root = join(__dirname, '../../../../..');

  test('is the restore page of the docs, word for word', () => {
    const page = readFileSync(join(root, 'docs/restore-without-n8n.md'), 'utf8');
    if (process.env.REWRITE === 'restore-page') {
      const file = join(root, 'lib/backup/kit/restore-page.ts');
      const [head = ''] = readFileSync(file, 'utf8').split('export const');
      const lines = page.split('\n').map((line) => `  ${JSON.stringify(line)},\n`);
      writeFileSync(file, `${head}export const RESTORE_PAGE = [\n${lines.join('')}].join('\\n');\n`);
      return;
    }
    expect(RESTORE_PAGE).toBe(page);
  });

  test('is recognised again whatever the order of its keys, and a change of any of it is noticed', () => {
    const before = fingerprintOf(content, 'salt');
    expect(isSame(before, fingerprintOf({ ...content, keys: { b: 'two', a: 'one' } }, 'salt'))).toBe(true);
    for (const changed of [
      { ...content, keys: { ...content.keys, b: 'three' } },
      { ...content, rcloneConf: `${content.rcloneConf} ` },
      { ...content, inventory: { hosts: [] } },
    ])
      expect(isSame(before, fingerprintOf(changed, 'salt'))).toBe(false);
    expect(isSame(before, fingerprintOf(content, 'other'))).toBe(false);
  });

  test('has a word that only its reader can tell', () => {
    const word = drillWord();
    expect(word).toMatch(/^[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}$/);
    expect(isWord(` ${word.toUpperCase()}\n`, wordFingerprint(word, 'salt'))).toBe(true);
    expect(isWord(drillWord(), wordFingerprint(word, 'salt'))).toBe(false);
  });
});
