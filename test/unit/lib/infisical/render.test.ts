import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { isFailure } from '../../../../lib/failure';
import { entriesOf, type Format, readRendered, render } from '../../../../lib/infisical/render';
import { parseSecret } from '../../../../lib/infisical/secret';

const awkward = [
  "'",
  '"',
  '`',
  '\\',
  '$',
  '#',
  '=',
  ' ',
  '\n',
  '\t',
  '!',
  '&',
  '%',
  ';',
  '*',
  '~',
  '(',
  '{',
  'ñ',
  '🔑',
  'a',
  'n',
  'r',
];
const anyText = fc.oneof(
  fc.string({ unit: fc.constantFrom(...awkward), maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !text.includes('\0')),
);
const name = fc.stringMatching(/^K[A-Z0-9_]{0,6}$/);
const entries = fc.uniqueArray(fc.record({ key: name, value: anyText }), { selector: ({ key }) => key, maxLength: 5 });

const folder = mkdtempSync(join(tmpdir(), 'render-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is refused is refused by name; everything else comes back as it was. */
function roundTrips(format: Format, readBack: (text: string) => Record<string, string>, runs = 300) {
  let rendered = 0;
  fc.assert(
    fc.property(entries, (some) => {
      let text: string;
      try {
        text = render(some, format);
      } catch (error) {
        return isFailure(error, 'secret_not_renderable');
      }
      rendered += 1;
      expect(readBack(text)).toEqual(Object.fromEntries(some.map(({ key, value }) => [key, value])));
      expect(readRendered(text, format)).toEqual(new Map(some.map(({ key, value }) => [key, value])));
      return true;
    }),
    { numRuns: runs },
  );
  expect(rendered).toBeGreaterThan(runs / 10);
}

/** Sources the file with nothing else in the environment, and prints it. */
function sourced(shell: string, text: string): Record<string, string> {
  const file = join(folder, 'secrets.sh');
  writeFileSync(file, text);
  const { stdout, stderr, status } = spawnSync(`/bin/${shell}`, ['-c', 'set -eu; . "$1"; exec env -0', 'sh', file], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
  });
  if (status !== 0) throw new Error(stderr.toString());
  const all = stdout
    .toString()
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  return Object.fromEntries(all.filter(([key]) => key.startsWith('K')));
}

test('Node reads back every dotenv file that is written', () => {
  roundTrips('dotenv', (text) => ({ ...parseEnv(text) }) as Record<string, string>);
});

test.each(['bash', 'sh'])('%s reads back every shell file that is written', (shell) => {
  roundTrips('shell', (text) => sourced(shell, text), 60);
});

test('an environment file comes back by the rules of systemd', () => {
  roundTrips('systemd', systemdRules);
});

/** The states of systemd's parser as far as such files reach them, independent of our own reader. */
function systemdRules(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at < text.length;) {
    const equals = text.indexOf('=', at);
    let value = '';
    let position = equals + 2;
    expect(text[equals + 1]).toBe('"');
    for (; text[position] !== '"'; position += 1) {
      if (text[position] !== '\\') value += text[position] ?? '';
      else {
        position += 1;
        const escaped = text[position] ?? '';
        if (escaped !== '\n') value += /["\\`$]/.test(escaped) ? escaped : `\\${escaped}`;
      }
    }
    expect(text[position + 1]).toBe('\n');
    found[text.slice(at, equals)] = value;
    at = position + 2;
  }
  return found;
}

test('JSON comes back', () => {
  roundTrips('json', (text) => JSON.parse(text) as Record<string, string>);
});

test('YAML comes back, and holds nothing that YAML forbids in a file', () => {
  roundTrips('yaml', (text) => {
    expect(
      Array.from(text).filter((character) => character !== '\n' && /[\p{Cc}\u2028\u2029\ufeff]/u.test(character)),
    ).toEqual([]);
    return Object.fromEntries(readRendered(text, 'yaml') ?? []);
  });
});

test('a Docker env file is read line by line, quotes and all', () => {
  roundTrips('docker', (text) => {
    const lines = text.split('\n').slice(0, -1);
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  });
});

test('a Compose env file comes back by the rules of its parser', () => {
  roundTrips('compose', composeRules);
});

/** The scanner of Compose, character by character as its source has it, independent of our own reader. */
function composeRules(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  let at = 0;
  while (at < text.length) {
    const equals = text.indexOf('=', at);
    const key = text.slice(at, equals);
    const quote = text[equals + 1] ?? '';
    expect([`'`, `"`]).toContain(quote);
    let value = '';
    let escaping = false;
    let position = equals + 2;
    for (; ; position += 1) {
      const character = text[position];
      if (character === undefined) throw new Error('The quote does not end');
      if (character !== quote) {
        if (!escaping && character === '\\') {
          escaping = true;
          continue;
        }
        if (escaping) {
          escaping = false;
          value += '\\';
        }
        value += character;
        continue;
      }
      if (!escaping) break;
      escaping = false;
      value += character;
    }
    if (quote === '"') {
      value = value
        .replace(/\\([abcfnrtv$"\\])/g, (whole, one: string) =>
          one === '$'
            ? '$$'
            : ((JSON.parse(`{"n":"\\n","r":"\\r","\\\\":"\\\\","\\"":"\\""}`) as Record<string, string>)[one] ?? whole),
        )
        .replace(/\$(\$|\{|[A-Za-z_])/g, (_, next: string) => {
          if (next === '$') return '$';
          throw new Error('A variable would be put in');
        });
    }
    found[key] = value;
    expect(text[position + 1]).toBe('\n');
    at = position + 2;
  }
  return found;
}

test('what a format cannot hold is refused with the name and never with the value', () => {
  const refused = (format: Format, key: string, value: string) => {
    try {
      render([{ key, value }], format);
    } catch (error) {
      if (isFailure(error)) return { code: error.code, message: error.message };
    }
    return undefined;
  };
  expect(refused('docker', 'KEY', 'planted\nsecret')).toEqual({
    code: 'secret_not_renderable',
    message: 'KEY cannot be written as a Docker env file: its value holds a line end, which the format cannot hold',
  });
  expect(refused('dotenv', 'KEY', "planted'`")?.message).toBe(
    'KEY cannot be written as dotenv: it holds both single quotes and backticks, and the format has no escapes',
  );
  expect(refused('shell', 'a-b', 'x')?.message).toBe(
    'a-b cannot be written as shell: its name is no name of an environment variable',
  );
  expect(refused('json', 'a b', '\0')).toBeUndefined();
});

test('dotenv: a backslash at the end would hide the quote behind it, so such a value has none or is refused', () => {
  expect(render([{ key: 'A', value: "C:\\it's here\\" }], 'dotenv')).toBe("A=C:\\it's here\\\n");
  expect(() => render([{ key: 'A', value: 'planted #1\\' }], 'dotenv')).toThrow(
    'A cannot be written as dotenv: it ends in a backslash and holds what would need quotes',
  );
});

test('the order of secrets does not change the file', () => {
  const [a, b] = [
    { key: 'A', value: '1' },
    { key: 'B', value: '2' },
  ] as const;
  expect(render([b, a], 'dotenv')).toBe("A='1'\nB='2'\n");
  expect(render([a, b], 'dotenv')).toBe(render([b, a], 'dotenv'));
});

test('files by hand are read where they are clear, and said not to be read where they are not', () => {
  expect(readRendered('# note\nexport A=plain # why\nB="x\\ny"\n', 'compose')).toEqual(
    new Map([
      ['A', 'plain'],
      ['B', 'x\ny'],
    ]),
  );
  expect(readRendered('if true; then export A=1; fi\n', 'shell')).toBeUndefined();
  expect(readRendered('{"a":1}', 'json')).toBeUndefined();
  expect(readRendered('a: [b]\n', 'yaml')).toBeUndefined();
});

test('two secrets of one name with different values do not become one', () => {
  const secret = (path: string, value: string) =>
    parseSecret(
      { id: path, secretKey: 'A', secretValue: value, version: 1 },
      { path, environment: 'prod', imported: false },
    );
  expect(() => entriesOf([secret('/', 'one'), secret('/web', 'other')])).toThrow(
    'A has different values in / and /web, and the file can hold one',
  );
  expect(entriesOf([secret('/', 'one'), secret('/web', 'one')])).toEqual([{ key: 'A', value: 'one' }]);
});
