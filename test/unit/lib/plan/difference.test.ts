import fc from 'fast-check';
import type { Json } from '../../../../lib/json';
import { difference, type Difference } from '../../../../lib/plan/difference';

const json = fc.jsonValue({ depthSize: 'small' }).map((value) => JSON.parse(JSON.stringify(value)) as Json);

test('lists every field that was added, removed or changed', () => {
  const before = { name: 'a', ttl: 300, tags: ['x', 'y'], old: null, same: { deep: true }, 'a/b~c': 1 };
  const after = { name: 'a', ttl: 60, tags: ['x', 'z', 'w'], new: null, same: { deep: true }, 'a/b~c': 2 };
  expect(difference(before, after)).toEqual([
    { path: '/a~1b~0c', before: 1, after: 2 },
    { path: '/new', after: null },
    { path: '/old', before: null },
    { path: '/tags/1', before: 'y', after: 'z' },
    { path: '/tags/2', after: 'w' },
    { path: '/ttl', before: 300, after: 60 },
  ]);
});

test('a change of kind is one difference', () => {
  expect(difference([], {})).toEqual([{ path: '', before: [], after: {} }]);
  expect(difference({ a: 1 }, { a: [1] })).toEqual([{ path: '/a', before: 1, after: [1] }]);
  expect(difference({ a: null }, { a: {} })).toEqual([{ path: '/a', before: null, after: {} }]);
});

test('a value does not differ from itself', () => {
  fc.assert(
    fc.property(json, (value) => expect(difference(value, JSON.parse(JSON.stringify(value)) as Json)).toEqual([])),
  );
});

test('the differences are all that is needed to make one value from the other', () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      expect(apply(before, difference(before, after))).toEqual(after);
    }),
    { numRuns: 500 },
  );
});

type Container = Record<string, Json> | Json[];

function apply(start: Json, differences: readonly Difference[]): Json {
  const holder = { root: JSON.parse(JSON.stringify(start)) as Json };
  // From the back, so that taking items off a list leaves the numbers of those before them.
  for (const { path, ...change } of [...differences].sort((a, b) => order(b, a))) {
    const names = ['root', ...path.split('/').slice(1)].map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = names.pop() ?? '';
    const container = names.reduce<Container>(
      (at, name) => (at as Record<string, Json>)[name] as Container,
      holder as unknown as Container,
    );
    if (change.after !== undefined) {
      Object.defineProperty(container, last, {
        value: change.after,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    } else if (Array.isArray(container)) container.splice(Number(last), 1);
    else Reflect.deleteProperty(container, last);
  }
  return holder.root;
}

function order(a: Difference, b: Difference): number {
  return a.path.localeCompare(b.path, 'en', { numeric: true });
}
