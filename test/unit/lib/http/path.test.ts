import * as fc from 'fast-check';

import { isFailure } from '../../../../lib/failure';
import { encodeQuery, path } from '../../../../lib/http/path';

const anyText = fc.string({ unit: 'binary', minLength: 1 });
const isWellFormed = (text: string) => Buffer.from(text).toString() === text;

test('a path without parameters stays as it is', () => {
  expect(path('/servers')).toBe('/servers');
});

test('parameters are encoded, numbers and lists of segments too', () => {
  expect(path('/repos/{owner}/contents/{file}', { owner: 'a/b?c#d', file: ['docs', 'ä b.md'] })).toBe(
    '/repos/a%2Fb%3Fc%23d/contents/docs/%C3%A4%20b.md',
  );
  expect(path('/servers/{id}', { id: 42 })).toBe('/servers/42');
});

test('whatever the value, the server reads exactly it from exactly its segment', () => {
  fc.assert(
    fc.property(anyText, (value) => {
      fc.pre(value !== '.' && value !== '..' && isWellFormed(value));
      const url = new URL(`https://example.org/v1${path('/servers/{id}/actions', { id: value })}`);
      expect([url.origin, url.search, url.hash]).toEqual(['https://example.org', '', '']);
      const segments = url.pathname.split('/').slice(1);
      expect(segments.map(decodeURIComponent)).toEqual(['v1', 'servers', value, 'actions']);
    }),
  );
});

test.each(['', '.', '..'])('the value %j is refused, as it would name another address', (value) => {
  expect(() => path('/servers/{id}', { id: value })).toThrow(
    expect.objectContaining({ code: 'invalid_path_parameter', subject: '/servers/{id}' }),
  );
  expect(() => path('/files/{file}', { file: ['a', value] })).toThrow(/cannot stand in the address/);
});

test('an empty list and broken Unicode are refused', () => {
  expect(() => path('/files/{file}', { file: [] })).toThrow(/it is empty/);
  try {
    path('/files/{file}', { file: '\ud800' });
    throw new Error('it was taken');
  } catch (error) {
    expect(isFailure(error, 'invalid_path_parameter')).toBe(true);
  }
});

test('a query leaves out what is undefined and repeats lists', () => {
  expect(encodeQuery({ name: 'a b', label: ['x=1', 'y&z'], page: 2, none: undefined, empty: [], on: false })).toBe(
    'name=a%20b&label=x%3D1&label=y%26z&page=2&on=false',
  );
});

test('whatever the names and values, the server reads the same query', () => {
  const text = fc.string({ unit: 'binary' }).filter(isWellFormed);
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.array(text)), { maxLength: 6 }), (entries) => {
      const query = Object.fromEntries(entries);
      const read = new URL(`https://example.org/?${encodeQuery(query)}`).searchParams;
      for (const [name, values] of Object.entries(query)) expect(read.getAll(name)).toEqual(values);
      expect([...read]).toHaveLength(Object.values(query).flat().length);
    }),
  );
});
