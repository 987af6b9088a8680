import { sentenceOf, troubleOf } from '../../../lab/trouble';

test.each([
  ['npm error code ENOSPC\nnpm error nospc', 'disk_full'],
  ['tar: x: Cannot write: No space left on device', 'disk_full'],
  ['npm error network getaddrinfo EAI_AGAIN registry', 'no_network'],
  ["Err:1 http://deb x InRelease\n  Temporary failure resolving 'deb'", 'no_network'],
  ['make: *** [x.o] Error 1', 'step_failed'],
])('%j is understood', (output, code) => {
  expect(troubleOf('Installing', output, '/log').code).toBe(code);
});

test('a step that failed for a reason of its own is told with its last line and its log', () => {
  expect(sentenceOf(troubleOf('Building', 'gulp\nerror TS2304: Cannot find name x\n', '/log'))).toBe(
    'Building failed: error TS2304: Cannot find name x Read the log: /log',
  );
});
