import fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import { canonicalJson } from '../../../lib/canonical-json';
import { isFailure } from '../../../lib/failure';
import type { Json } from '../../../lib/json';

const json = fc.jsonValue({ depthSize: 'medium' }).map((value) => value as Json);

function refusal(value: unknown): string {
  try {
    return canonicalJson(value as Json);
  } catch (error) {
    if (isFailure(error, 'not_json')) return error.message;
    throw error;
  }
}

/** The same value with the fields of every object put in by the opposite order. */
function reversed(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, Json>)
      .reverse()
      .map(([name, item]) => [name, reversed(item)]),
  );
}

test('the example of RFC 8785 comes out as it is printed there', () => {
  const text =
    '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
    '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}';
  expect(canonicalJson(JSON.parse(text) as Json)).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('fields are sorted by their UTF-16 units, as RFC 8785 asks', () => {
  const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
  const value = Object.fromEntries(names.map((name) => [name, 0]));
  expect(Object.keys(JSON.parse(canonicalJson(value)) as object)).toEqual(
    // An object puts "1" first by itself; the rest is in the order of the text.
    ['1', '\r', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33'],
  );
  expect(canonicalJson({ b: 1, a: 2, 10: 3, 9: 4 })).toBe('{"10":3,"9":4,"a":2,"b":1}');
});

test('the text reads back as the same value, whatever it is', () => {
  fc.assert(
    fc.property(json, (value) => expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))),
  );
});

test('the order in which fields were put in does not show', () => {
  fc.assert(fc.property(json, (value) => expect(canonicalJson(reversed(value))).toBe(canonicalJson(value))));
});

test('two values have one text only when they are equal', () => {
  fc.assert(
    fc.property(json, json, (a, b) => {
      const same = canonicalJson(a) === canonicalJson(b);
      let equal = true;
      try {
        expect(JSON.parse(JSON.stringify(a))).toEqual(JSON.parse(JSON.stringify(b)));
      } catch {
        equal = false;
      }
      expect(same).toBe(equal);
    }),
  );
});

test('a written text is its own canonical text', () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(JSON.parse(text) as Json)).toBe(text);
    }),
  );
});

test('what JSON cannot say is refused with its place', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  expect(refusal({ a: [1, { 'b/c': undefined }] })).toBe(
    'JSON has no way to write the field /a/1/b~1c: undefined is not a JSON type',
  );
  expect(refusal(Number.NaN)).toBe('JSON has no way to write the value: NaN is not a JSON number');
  expect(refusal([Number.POSITIVE_INFINITY])).toContain('/0: Infinity is not a JSON number');
  expect(refusal(10n)).toContain('bigint is not a JSON type');
  expect(refusal({ f: () => 1 })).toContain('function is not a JSON type');
  expect(refusal(new Date(0))).toContain('neither a plain object nor a list');
  expect(refusal(new Map())).toContain('neither a plain object nor a list');
  // eslint-disable-next-line no-sparse-arrays -- The hole is what is tested.
  expect(refusal([1, , 2])).toContain('/1: undefined is not a JSON type');
  expect(refusal('\ud800')).toContain('half a character');
  expect(refusal({ '\udc00': 1 })).toContain('half a character');
  expect(refusal(cycle)).toContain('holds itself');
});

test('plain objects of another realm are plain', () => {
  expect(canonicalJson(runInNewContext('({ b: [1], a: null })') as Json)).toBe('{"a":null,"b":[1]}');
});
