import { inspect } from 'node:util';
import { boxKey, lockBox, openBox } from '../../../../lib/secrets/box';
import { SealedText } from '../../../../lib/secrets/sealed';

const key = boxKey('the client secret', 'rotation');
const box = lockBox(key, new SealedText('planted ü value'), 'DB_PASSWORD');

test('a box gives back what was put in, sealed, and shows nothing of it', () => {
  const opened = openBox(key, box, 'DB_PASSWORD');
  expect(opened.reveal()).toBe('planted ü value');
  expect(inspect(opened)).not.toContain('planted');
  expect(Buffer.from(box, 'base64').toString('latin1')).not.toContain('planted');
  expect(lockBox(key, new SealedText('planted ü value'), 'DB_PASSWORD')).not.toBe(box);
});

test.each([
  ['another credential', boxKey('another secret', 'rotation'), box, 'DB_PASSWORD'],
  ['another purpose', boxKey('the client secret', 'last known copy'), box, 'DB_PASSWORD'],
  ['another label', key, box, 'OTHER'],
  ['a changed box', key, `${box.slice(0, -4)}AAA=`, 'DB_PASSWORD'],
  ['half a box', key, box.slice(0, 20), 'DB_PASSWORD'],
  ['no box at all', key, '', 'DB_PASSWORD'],
])('with %s it stays closed', (_, other, given, about) => {
  expect(() => openBox(other, given, about)).toThrow('cannot be opened with this credential, or was changed');
});
