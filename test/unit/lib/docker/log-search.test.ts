import { searchOf } from '../../../../lib/docker/engine/log-search';

describe('what the host may search logs for', () => {
  test.each([
    ['error', ['error']],
    ['error|warn: disk', ['error', 'warn: disk']],
    ['a\\.b\\|c\\\\', ['a.b|c\\']],
    ['grün|ß', ['grün', 'ß']],
    ['it\'s "so" -e -v', ['it\'s "so" -e -v']],
  ])('%s is plain text', (expression, texts) => {
    expect(searchOf(expression)).toEqual({ kind: 'texts', wanted: texts });
  });

  test.each([
    ...[
      'a|',
      '|a',
      'a||b',
      'a.b',
      '^a',
      'a$',
      'a*',
      'a+',
      'a?',
      'a+?',
      '[ab]',
      '[^a-z\\d_.-]',
      '(a)',
      '(?:a|b)+',
      'a{2}',
    ],
    ...[
      'a{2,}',
      'a{2,5}?',
      '\\d',
      '\\bx\\b',
      '\\[x\\]+',
      'x{3} .. error$',
      '^\\S+ - - \\[.*\\] "GET /(api|health)[^"]*" 5\\d\\d',
    ],
  ])('%j means the same on the host, in lines of ASCII', (expression) => {
    expect(searchOf(expression)).toEqual({ kind: 'expression', wanted: [expression] });
  });

  test.each([
    ...['', '\\', '(', 'a**', 'a++', 'a{2}+', 'a{,3}', 'a{', '}', ']', '[]', '[^]', '[[:alpha:]]', '[a&&b]]', '(?i)a'],
    ...[
      '(?=a)',
      '(?!a)',
      '(?<=a)b',
      '(?<name>a)',
      '(?>a)',
      '(a)\\1',
      '\\k<name>',
      '\\p{L}',
      '\\u0061',
      '\\x61',
      '\\cA',
    ],
    ...['\\n', '\\R', '\\h', '\\K', '\\A', '\\Qa.b\\E', 'grün.', '[ß]'],
  ])('%j is left to us', (expression) => {
    expect(searchOf(expression)).toBeUndefined();
  });

  test('half a character, a line end and what stands for a broken one are left to us', () => {
    for (const text of ['\ud800', 'a\nb', 'a\rb', 'a\0b', '\ufffd', '\\\n', '.\n'])
      expect(searchOf(text)).toBeUndefined();
  });
});
