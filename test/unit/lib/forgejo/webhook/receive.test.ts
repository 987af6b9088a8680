import fc from 'fast-check';

import { deliveryMemory } from '../../../../../lib/forgejo/webhook/deliveries';
import { NO_FILTER } from '../../../../../lib/forgejo/webhook/filter';
import { type Expected, receive } from '../../../../../lib/forgejo/webhook/receive';
import { bodyOf, headersOf, recorded, sampleOf } from './samples';

const secret = 'a secret of decent length';
const before = 'the secret that was used before';

function expecting(change: Partial<Expected> = {}): Expected {
  return {
    trigger: 'workflow/node',
    secrets: [
      { generation: 2, secret },
      { generation: 1, secret: before },
    ],
    mostBytes: 1_000_000,
    filter: NO_FILTER,
    memory: deliveryMemory(),
    ...change,
  };
}

const push = sampleOf('woodpecker-forgejo-PushMulti');
const body = bodyOf(push);
const headers = headersOf(push, body, secret);

test.each(recorded.samples.map((sample) => [sample.id, sample] as const))(
  '%s is accepted when it is signed',
  (_, sample) => {
    const raw = bodyOf(sample);
    const incoming = { headers: headersOf(sample, raw, secret), rawBody: raw };
    expect(receive(incoming, expecting())).toMatchObject({ kind: 'accepted', event: { event: sample.event_type } });
  },
);

test.each(recorded.samples.map((sample) => [sample.id, sample] as const))(
  '%s is refused when it is not',
  (_, sample) => {
    const raw = bodyOf(sample);
    const expected = expecting();
    expect(
      receive({ headers: headersOf(sample, raw, 'some other secret, also long'), rawBody: raw }, expected),
    ).toEqual({
      kind: 'refused',
      status: 401,
      reason: 'its signature is wrong',
    });
    const { 'x-hub-signature-256': _hub, 'x-gitea-signature': _gitea, ...unsigned } = headersOf(sample, raw, secret);
    const { 'x-forgejo-signature': _forgejo, 'x-gogs-signature': _gogs, ...bare } = unsigned;
    expect(receive({ headers: bare, rawBody: raw }, expected)).toEqual({
      kind: 'refused',
      status: 401,
      reason: 'it is not signed',
    });
  },
);

test('without a secret everything is refused', () => {
  expect(receive({ headers, rawBody: body }, expecting({ secrets: [] }))).toMatchObject({
    kind: 'refused',
    status: 401,
  });
});

test('the same delivery starts the workflow once, another one with the same content again', () => {
  const expected = expecting();
  const other = headersOf(push, body, secret, '00000000-0000-4000-8000-000000000001');
  expect(receive({ headers, rawBody: body }, expected).kind).toBe('accepted');
  expect(receive({ headers, rawBody: body }, expected).kind).toBe('duplicate');
  expect(receive({ headers: other, rawBody: body }, expected).kind).toBe('accepted');
});

test('while a hook is replaced, the old and the new one start the workflow once together', () => {
  const expected = expecting();
  const old = headersOf(push, body, before, '00000000-0000-4000-8000-000000000001');
  expect(receive({ headers: old, rawBody: body }, expected).kind).toBe('accepted');
  expect(receive({ headers, rawBody: body }, expected).kind).toBe('duplicate');
});

test('two triggers of the same process get the same delivery', () => {
  const memory = deliveryMemory();
  expect(receive({ headers, rawBody: body }, expecting({ memory, trigger: 'a' })).kind).toBe('accepted');
  expect(receive({ headers, rawBody: body }, expecting({ memory, trigger: 'b' })).kind).toBe('accepted');
});

test('a refused delivery does not use up its id', () => {
  const expected = expecting();
  const forged = { ...headers, 'x-forgejo-signature': '0'.repeat(64) };
  expect(receive({ headers: forged, rawBody: body }, expected).kind).toBe('refused');
  expect(receive({ headers, rawBody: body }, expected).kind).toBe('accepted');
});

test.each([
  ['no body', { rawBody: undefined }, 400],
  ['an empty body', { rawBody: Buffer.alloc(0) }, 400],
  ['a form', { headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' } }, 415],
  ['no event type', { headers: { ...headers, 'x-forgejo-event-type': '' } }, 400],
  ['an unknown event type', { headers: { ...headers, 'x-forgejo-event-type': 'constructor' } }, 400],
  ['no delivery id', { headers: { ...headers, 'x-forgejo-delivery': '7' } }, 400],
])('%s is refused', (_, change, status) => {
  expect(receive({ headers, rawBody: body, ...change }, expecting())).toMatchObject({ kind: 'refused', status });
});

test('an oversized body is refused before anything of it is looked at', () => {
  const large = Buffer.alloc(1_000_001, '{');
  expect(receive({ headers, rawBody: large }, expecting())).toMatchObject({ kind: 'refused', status: 413 });
});

test('a signed body that is malformed is refused without its content', () => {
  const malformed = Buffer.from('{"ref": "a secret branch"');
  const result = receive({ headers: headersOf(push, malformed, secret), rawBody: malformed }, expecting());
  expect(result).toMatchObject({ kind: 'refused', status: 400 });
  expect(JSON.stringify(result)).not.toContain('branch');
});

test('the memory forgets what is old, and keeps no more than it may', () => {
  let now = 0;
  const memory = deliveryMemory({ now: () => now, windowMs: 1000, most: 4 });
  const delivery = (id: string) => ({ trigger: 't', id, content: id, generation: 1 });
  expect(memory.isNew(delivery('a'))).toBe(true);
  now = 999;
  expect(memory.isNew(delivery('a'))).toBe(false);
  now = 1000;
  expect(memory.isNew(delivery('a'))).toBe(true);
  for (const id of ['b', 'c', 'd']) expect(memory.isNew(delivery(id))).toBe(true);
  expect(memory.isNew(delivery('a'))).toBe(true);
});

test('whatever headers and bytes come, nothing is accepted and nothing is thrown', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...Object.keys(headers)), fc.string()),
      fc.uint8Array(),
      (some, bytes) => {
        const incoming = { headers: { ...headers, ...some }, rawBody: Buffer.from(bytes) };
        expect(receive(incoming, expecting()).kind).toBe('refused');
      },
    ),
  );
});
