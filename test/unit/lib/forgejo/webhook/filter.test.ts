import fc from 'fast-check';

import { type EventFilter, NO_FILTER, unwantedBecause } from '../../../../../lib/forgejo/webhook/filter';
import { matchesAny, matchesGlob } from '../../../../../lib/forgejo/webhook/glob';
import { parseEvent } from '../../../../../lib/forgejo/webhook/parse';
import { bodyOf, DELIVERY, sampleOf } from './samples';

test.each([
  ['main', 'main', true],
  ['main', 'maintenance', false],
  ['release/*', 'release/1', true],
  ['release/*', 'release/1/2', false],
  ['release/**', 'release/1/2', true],
  ['**/*.ts', 'a.ts', true],
  ['**/*.ts', 'lib/x/a.ts', true],
  ['**/*.ts', 'lib/x/a.tsx', false],
  ['v?', 'v1', true],
  ['v?', 'v/', false],
  ['*', '', true],
  ['*', 'a/b', false],
  ['**', 'a/b', true],
  ['a.b', 'axb', false],
  ['[main]', 'm', false],
  ['docs/**', 'docs', false],
  ['💚/*', '💚/x', true],
])('%s and %s: %s', (pattern, text, fits) => {
  expect(matchesGlob(pattern, text)).toBe(fits);
});

test('the last pattern that fits decides', () => {
  expect(matchesAny(['release/*', '!release/old'], 'release/old')).toBe(false);
  expect(matchesAny(['!release/old'], 'main')).toBe(true);
  expect(matchesAny(['!docs/**', 'docs/api/**'], 'docs/api/x')).toBe(true);
});

test('a text fits itself, and no pattern takes long', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(!/[*?]/.test(text));
      expect(matchesGlob(text, text)).toBe(true);
    }),
  );
  expect(matchesGlob('*a'.repeat(30), `${'a'.repeat(2000)}b`)).toBe(false);
});

function unwanted(id: string, filter: Partial<EventFilter>, change: Readonly<Record<string, unknown>> = {}) {
  const sample = sampleOf(id);
  const event = parseEvent(sample.event_type, DELIVERY, bodyOf({ payload: { ...sample.payload, ...change } }));
  return unwantedBecause(event, { ...NO_FILTER, ...filter });
}

const push = 'woodpecker-forgejo-PushMulti';
const tag = 'woodpecker-forgejo-Tag';
const comment = 'go-playground-issue-comment';

test('without a filter everything is wanted', () => {
  expect([push, tag, comment, 'constructed-package'].map((id) => unwanted(id, {}))).toEqual(Array(4).fill(undefined));
});

test('who names branches does not want tags, and the other way round; an issue has neither', () => {
  expect(unwanted(push, { branches: ['main'] })).toBeUndefined();
  expect(unwanted(push, { branches: ['dev*'] })).toBe('branch');
  expect(unwanted(tag, { branches: ['**'] })).toBe('tag');
  expect(unwanted(push, { tags: ['v*'] })).toBe('branch');
  expect(unwanted(tag, { tags: ['v*'], branches: ['main'] })).toBeUndefined();
  expect(unwanted(comment, { branches: ['main'] })).toBeUndefined();
});

test('a push is wanted when one of its paths is', () => {
  const commits = (paths: readonly string[]) => [{ id: '1', added: null, removed: [], modified: paths }];
  const change = (paths: readonly string[]) => ({ commits: commits(paths), total_commits: 1 });
  expect(unwanted(push, { paths: ['deploy/**'] }, change(['README.md', 'deploy/a/b']))).toBeUndefined();
  expect(unwanted(push, { paths: ['deploy/**'] }, change(['README.md']))).toBe('paths');
  expect(unwanted(push, { paths: ['**', '!docs/**'] }, change(['docs/a']))).toBe('paths');
});

test('a push whose commits are not all listed is not lost', () => {
  expect(unwanted(push, { paths: ['nowhere'] }, { total_commits: 500 })).toBeUndefined();
});

test('actor, action, repository and event are filtered', () => {
  expect(unwanted(comment, { actions: ['created'] })).toBeUndefined();
  expect(unwanted(comment, { actions: ['deleted'] })).toBe('action');
  expect(unwanted(push, { actions: ['deleted'] })).toBeUndefined();
  expect(unwanted(push, { actors: ['!*'] })).toBe('actor');
  expect(unwanted(push, { repositories: ['nobody/*'] })).toBe('repository');
  const { package: found } = sampleOf('constructed-package').payload as { package: Record<string, unknown> };
  const unlinked = { package: { ...found, repository: null } };
  expect(unwanted('constructed-package', { repositories: ['**'] }, unlinked)).toBe('repository');
  expect(unwanted(push, { events: ['release'] })).toBe('event');
});
