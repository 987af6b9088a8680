import type { Field } from '../../../../nodes/declaration';
import {
  binaryProperty,
  choice,
  choices,
  color,
  json,
  keyValues,
  list,
  number,
  optional,
  pick,
  searchable,
  secretText,
  text,
  toggle,
} from '../../../../nodes/declaration';
import { titleCase } from '../../../../nodes/declaration/field';

const place = { label: 'Port', itemIndex: 3 };
const search = searchable('none', () => Promise.resolve({ results: [] }));

function messageFrom(field: Field<unknown>, raw: unknown): string {
  try {
    field.read(raw, place);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('it was accepted');
}

const port = number({ default: 22, min: 1, max: 65535, integer: true });
const finish = choice({ options: { raw: 'Raw', painted: 'Painted' }, default: 'raw' });
const several = choices({ options: { red: 'Red', blue: 'Blue' } });
const parsedPort = json({
  parse: (value) => {
    if (typeof value !== 'number') throw new Error('it must be one number');
    return value;
  },
});

test.each<[string, Field<unknown>, unknown, unknown]>([
  ['text is trimmed', text(), ' a b ', 'a b'],
  ['text keeps its ends when asked to', text({ noTrim: true }), ' a\n', ' a\n'],
  ['a number becomes text', text(), 8080, '8080'],
  ['nothing becomes empty text', text(), undefined, ''],
  ['hostile text stays what it is', text(), `'; rm -rf "$(x)" --`, `'; rm -rf "$(x)" --`],
  ['a secret is read like text', secretText(), ' s3cret ', 's3cret'],
  ['a number stays one', port, 22, 22],
  ['a number written as text becomes one', port, ' 22 ', 22],
  ['true is true', toggle(), true, true],
  ['the text false is false', toggle(), 'false', false],
  ['a choice is one of its values', finish, 'painted', 'painted'],
  ['several choices may be given in one text', several, 'red, blue', ['red', 'blue']],
  ['the same choice twice counts once', several, ['red', 'red'], ['red']],
  ['a list has one entry per line', list(), 'a\n b \r\n\nc', ['a', 'b', 'c']],
  ['a list from an expression', list(), ['a', 1], ['a', '1']],
  ['a verbatim list keeps empty entries', list({ verbatim: true }), ['', ' a'], ['', ' a']],
  ['pairs from the form', keyValues(), { pairs: [{ key: 'a', value: 1 }] }, { a: '1' }],
  ['pairs from an object', keyValues(), { a: '1', pairs: 'x' }, { a: '1', pairs: 'x' }],
  ['pairs from JSON text', keyValues(), '{"a":true}', { a: 'true' }],
  ['JSON text is parsed', parsedPort, '22', 22],
  ['JSON from an expression is taken as it is', parsedPort, 22, 22],
  ['a picked value', pick(search), { __rl: true, mode: 'list', value: 'x' }, 'x'],
  ['a picked value from an expression', pick(search), 'x', 'x'],
  ['nothing picked where nothing is needed', pick(search, { required: false }), { mode: 'list', value: '' }, ''],
  ['a colour, in small letters', color({ default: '#00aabb' }), ' #00AABB', '#00aabb'],
  ['the name of a binary field', binaryProperty(), 'data', 'data'],
  ['only the options that were added', optional({ port, finish }), { port: '2222' }, { port: 2222 }],
])('%s', (_promise, field, raw, value) => {
  expect(field.read(raw, place)).toEqual(value);
});

test.each<[string, Field<unknown>, unknown, string]>([
  ['an empty required text', text({ required: true }), '  ', 'Port of item 3 is empty'],
  ['an object for text', text(), {}, 'Port of item 3 must be text, not an object'],
  [
    'text off its pattern',
    text({ pattern: { matches: /^\d+$/, says: 'digits' } }),
    'x',
    "Port of item 3 must be digits, not 'x'",
  ],
  ['text for a number', port, 'abc', "Port of item 3 must be a whole number from 1 to 65535, not 'abc'"],
  ['nothing for a number', port, null, 'Port of item 3 must be a whole number from 1 to 65535, not empty'],
  ['a fraction', port, 1.5, "Port of item 3 must be a whole number from 1 to 65535, not '1.5'"],
  ['a number out of range', port, 70000, "Port of item 3 must be a whole number from 1 to 65535, not '70000'"],
  ['no real number', port, Number.NaN, "Port of item 3 must be a whole number from 1 to 65535, not 'NaN'"],
  ['a word for yes or no', toggle(), 'yes', "Port of item 3 must be true or false, not 'yes'"],
  ['an unknown choice', finish, 'toString', "Port of item 3 must be raw or painted, not 'toString'"],
  ['one unknown of several', several, ['red', 'green'], "Port of item 3 must be any of red, blue, not 'green'"],
  ['a list of objects', list(), [{}], 'Port of item 3 must be text, not an object'],
  ['an empty required list', list({ required: true }), '\n', 'Port of item 3 is empty'],
  [
    'a name twice',
    keyValues(),
    { pairs: [{ key: 'a' }, { key: 'a' }] },
    "Port of item 3 must be a list in which every name stands once, not 'a'",
  ],
  ['a list for names and values', keyValues(), '[1]', 'Port of item 3 must be an object of names and values'],
  ['broken JSON, which is not quoted', parsedPort, '{s3cret', 'Port of item 3 must be valid JSON'],
  ['JSON the parser refuses', parsedPort, '"22"', 'Port of item 3 is not usable: it must be one number'],
  ['no colour', color({ default: '#00aabb' }), 'red', "Port of item 3 must be a colour such as #00aabb, not 'red'"],
  ['nothing picked', pick(search), { mode: 'list', value: '' }, 'Port of item 3 is empty'],
  ['a bad option', optional({ finish }), { finish: 'x' }, "Finish of item 3 must be raw or painted, not 'x'"],
])('refused: %s', (_what, field, raw, message) => {
  expect(messageFrom(field, raw)).toBe(message);
});

// n8n would ask for it even of operations that do not have it, and start none of them.
test('an option that must be given is no option', () => {
  expect(() => optional({ port: text({ required: true }) })).toThrow('The option port cannot be required');
});

test('a name from an object cannot reach the prototype', () => {
  const value = keyValues().read('{"__proto__":"x"}', place);
  expect(Object.entries(value)).toEqual([['__proto__', 'x']]);
});

test.each([
  ['maxOutputBytes', 'Max Output Bytes'],
  ['hostId', 'Host ID'],
  ['itemsInParallel', 'Items in Parallel'],
  ['waitUntilRunning', 'Wait Until Running'],
])('the label of %s is %s', (name, label) => {
  expect(titleCase(name)).toBe(label);
});
