import { textsOf } from '../../../../lib/docker/engine/host-logs';

describe('what the host may search logs for', () => {
  test.each([
    ['error', ['error']],
    ['error|warn: disk', ['error', 'warn: disk']],
    ['a\\.b\\|c\\\\', ['a.b|c\\']],
    ['grün|ß', ['grün', 'ß']],
    ['it\'s "so" -e $(rm)'.replace('$(rm)', '-v'), ['it\'s "so" -e -v']],
  ])('%s is plain text', (expression, texts) => {
    expect(textsOf(expression)).toEqual(texts);
  });

  test.each(['', 'a|', '|a', 'a||b', 'a.b', '^a', 'a$', 'a*', 'a+', 'a?', '[ab]', '(a)', 'a{2}', '\\d', '\\bx', '\\'])(
    '%j is left to us',
    (expression) => {
      expect(textsOf(expression)).toBeUndefined();
    },
  );

  test('half a character, a line end and what stands for a broken one are left to us', () => {
    for (const text of ['\ud800', 'a\nb', 'a\rb', 'a\0b', '\ufffd', '\\\n']) expect(textsOf(text)).toBeUndefined();
  });
});
