import fc from 'fast-check';

import { isFailure } from '../../../../../lib/failure';
import type { ForgejoEvent } from '../../../../../lib/forgejo/webhook/event';
import {
  EVENT_TYPES,
  type EventType,
  sentTypes,
  subscriptionsOf,
} from '../../../../../lib/forgejo/webhook/event-types';
import { parseEvent } from '../../../../../lib/forgejo/webhook/parse';
import { bodyOf, DELIVERY, recorded, sampleOf } from './samples';

function parsed(id: string, change: Readonly<Record<string, unknown>> = {}): ForgejoEvent {
  const sample = sampleOf(id);
  return parseEvent(sample.event_type, DELIVERY, bodyOf({ payload: { ...sample.payload, ...change } }));
}

function flat(event: ForgejoEvent): Partial<ForgejoEvent> {
  const { payload: _, ...rest } = event;
  return rest;
}

test('there are recordings of every kind of payload', () => {
  const kinds = new Set(recorded.samples.map(({ event_type }) => EVENT_TYPES[event_type].kind));
  expect([...kinds].sort()).toEqual([...new Set(Object.values(EVENT_TYPES).map(({ kind }) => kind))].sort());
});

test.each(recorded.samples.map((sample) => [sample.id, sample] as const))('%s is read', (_, sample) => {
  const event = parseEvent(sample.event_type, DELIVERY, bodyOf(sample));
  const { secret, ...payload } = sample.payload;
  expect(event).toMatchObject({
    event: sample.event_type,
    action: sample.action ?? null,
    delivery: DELIVERY,
    pusher: expect.stringMatching(/./),
    payload,
  });
  if (sample.event_type !== 'package') expect(event.repo).toMatch(/^[^/]+\/[^/]+$/);
  if (typeof secret === 'string' && secret !== '') expect(JSON.stringify(event)).not.toContain(secret);
});

test('a push says what a deploy needs', () => {
  expect(flat(parsed('woodpecker-forgejo-PushMulti'))).toMatchSnapshot();
});

test('a new branch is a creation, and nothing was overwritten', () => {
  expect(parsed('woodpecker-forgejo-PushBranch')).toMatchObject({
    branch: 'fdsafdsa',
    before: null,
    after: '28c3613ae62640216bea5e7dc71aa65356e4298b',
    isCreation: true,
    isDeletion: false,
    forced: false,
    changedPaths: [],
  });
});

test.each([40, 64])('a push to %i zeros is a deletion', (length) => {
  const event = parsed('woodpecker-forgejo-PushMulti', { after: '0'.repeat(length), commits: null, total_commits: 0 });
  expect(event).toMatchObject({ after: null, isDeletion: true, isCreation: false, forced: false });
});

test('whether a push was forced is not in the payload, and not guessed', () => {
  expect(parsed('woodpecker-forgejo-PushMulti').forced).toBeNull();
});

test('a push with more commits than are listed says that its paths are not all', () => {
  expect(parsed('woodpecker-forgejo-PushMulti', { total_commits: 500 }).changedPathsComplete).toBe(false);
});

test('a pushed tag is a tag', () => {
  expect(parsed('woodpecker-forgejo-PushMulti', { ref: 'refs/tags/v1/rc' })).toMatchObject({
    ref: 'refs/tags/v1/rc',
    branch: null,
    tag: 'v1/rc',
    isTag: true,
  });
});

test('short and whole names of new and deleted references are the same', () => {
  const long = parsed('woodpecker-forgejo-Tag', { ref: 'refs/tags/v1.0.0' });
  expect(flat(long)).toEqual(flat(parsed('woodpecker-forgejo-Tag')));
  expect(long).toMatchObject({ ref: 'refs/tags/v1.0.0', tag: 'v1.0.0', isTag: true, isCreation: true });
  expect(parsed('go-scm-branch_delete')).toMatchObject({
    ref: 'refs/heads/feature',
    branch: 'feature',
    isDeletion: true,
  });
});

test('a pull request has the branch it goes into', () => {
  expect(flat(parsed('woodpecker-forgejo-PullRequestMerged'))).toMatchSnapshot();
});

test('a run has its repository and who began it', () => {
  expect(flat(parsed('constructed-action_run_failure-first'))).toMatchSnapshot();
});

test('a run of a tag is told from one of a branch by the event that began it', () => {
  const { run } = sampleOf('constructed-action_run_success').payload as { run: Record<string, unknown> };
  const began = JSON.stringify({ ref: 'refs/tags/v2' });
  expect(
    parsed('constructed-action_run_success', { run: { ...run, prettyref: 'v2', event_payload: began } }),
  ).toMatchObject({
    tag: 'v2',
    branch: null,
  });
  expect(parsed('constructed-action_run_success', { run: { ...run, prettyref: '#7' } })).toMatchObject({
    ref: '#7',
    tag: null,
    branch: null,
  });
});

test('a package has a name and a version, and a repository only when it is linked to one', () => {
  expect(flat(parsed('constructed-package'))).toMatchSnapshot();
});

test('one type of reviews brings all three, and is said so', () => {
  expect(subscriptionsOf(['push', 'pull_request_review_approved', 'issues'])).toEqual([
    'issues_only',
    'pull_request_review',
    'push',
  ]);
  expect(sentTypes(['push', 'pull_request_review_approved'])).toEqual([
    'pull_request_review_approved',
    'pull_request_review_comment',
    'pull_request_review_rejected',
    'push',
  ]);
});

const types = Object.keys(EVENT_TYPES) as EventType[];

function outcomeOf(type: EventType, body: Buffer): 'read' | 'refused' {
  try {
    parseEvent(type, DELIVERY, body);
    return 'read';
  } catch (error) {
    if (isFailure(error, 'invalid_payload')) return 'refused';
    throw error;
  }
}

test('whatever bytes come, they are refused in our words', () => {
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array(), (type, bytes) => {
      expect(outcomeOf(type, Buffer.from(bytes))).toBe('refused');
    }),
  );
});

test('whatever JSON comes, it is read or refused in our words', () => {
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.json(), (type, text) => {
      expect(['read', 'refused']).toContain(outcomeOf(type, Buffer.from(text)));
    }),
    { numRuns: 1000 },
  );
});

test('whatever is changed in a recorded payload, it is read or refused, and no value stands in the refusal', () => {
  const marker = 'MARKER-OF-CONTENT';
  const places = recorded.samples.flatMap((sample) => pathsIn(sample.payload).map((path) => ({ sample, path })));
  fc.assert(
    fc.property(
      fc.constantFrom(...places),
      fc.oneof(fc.constant(marker), fc.constant([marker]), fc.constant({ a: marker }), fc.anything({ maxDepth: 1 })),
      ({ sample, path }, value) => {
        const payload = structuredClone(sample.payload) as Record<string, unknown>;
        set(payload, path, value);
        const text = JSON.stringify(payload, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one));
        try {
          parseEvent(sample.event_type, DELIVERY, Buffer.from(text));
        } catch (error) {
          if (!isFailure(error, 'invalid_payload')) throw error;
          expect(error.message).not.toContain(marker);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

function pathsIn(value: unknown, depth = 0): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null || depth > 3) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [key],
    ...pathsIn(inner, depth + 1).map((rest) => [key, ...rest]),
  ]);
}

function set(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) target[first] = value;
  else set(target[first] as Record<string, unknown>, rest, value);
}
