import fc from 'fast-check';

import { Failure } from '../../../../../lib/failure';
import { deliveryMemory } from '../../../../../lib/forgejo/webhook/deliveries';
import { NO_FILTER } from '../../../../../lib/forgejo/webhook/filter';
import { type Expected, receive } from '../../../../../lib/forgejo/webhook/receive';
import { bodyOf, DELIVERY, headersOf, recorded, sampleOf } from './samples';

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
  async (_, sample) => {
    const raw = bodyOf(sample);
    const incoming = { headers: headersOf(sample, raw, secret), rawBody: raw };
    expect(await receive(incoming, expecting())).toMatchObject({
      kind: 'accepted',
      event: { event: sample.event_type },
    });
  },
);

test.each(recorded.samples.map((sample) => [sample.id, sample] as const))(
  '%s is refused when it is not',
  async (_, sample) => {
    const raw = bodyOf(sample);
    const expected = expecting();
    expect(
      await receive({ headers: headersOf(sample, raw, 'some other secret, also long'), rawBody: raw }, expected),
    ).toEqual({
      kind: 'refused',
      status: 401,
      reason: 'its signature is wrong',
    });
    const { 'x-hub-signature-256': _hub, 'x-gitea-signature': _gitea, ...unsigned } = headersOf(sample, raw, secret);
    const { 'x-forgejo-signature': _forgejo, 'x-gogs-signature': _gogs, ...bare } = unsigned;
    expect(await receive({ headers: bare, rawBody: raw }, expected)).toEqual({
      kind: 'refused',
      status: 401,
      reason: 'it is not signed',
    });
  },
);

test('without a secret everything is refused', async () => {
  expect(await receive({ headers, rawBody: body }, expecting({ secrets: [] }))).toMatchObject({
    kind: 'refused',
    status: 401,
  });
});

test('the same delivery starts the workflow once, another one with the same content again', async () => {
  const expected = expecting();
  const other = headersOf(push, body, secret, '00000000-0000-4000-8000-000000000001');
  expect((await receive({ headers, rawBody: body }, expected)).kind).toBe('accepted');
  expect((await receive({ headers, rawBody: body }, expected)).kind).toBe('duplicate');
  expect((await receive({ headers: other, rawBody: body }, expected)).kind).toBe('accepted');
});

test('while a hook is replaced, the old and the new one start the workflow once together', async () => {
  const expected = expecting();
  const old = headersOf(push, body, before, '00000000-0000-4000-8000-000000000001');
  expect((await receive({ headers: old, rawBody: body }, expected)).kind).toBe('accepted');
  expect((await receive({ headers, rawBody: body }, expected)).kind).toBe('duplicate');
});

test('two triggers of the same process get the same delivery', async () => {
  const memory = deliveryMemory();
  expect((await receive({ headers, rawBody: body }, expecting({ memory, trigger: 'a' }))).kind).toBe('accepted');
  expect((await receive({ headers, rawBody: body }, expecting({ memory, trigger: 'b' }))).kind).toBe('accepted');
});

test('a refused delivery does not use up its id', async () => {
  const expected = expecting();
  const forged = { ...headers, 'x-forgejo-signature': '0'.repeat(64) };
  expect((await receive({ headers: forged, rawBody: body }, expected)).kind).toBe('refused');
  expect((await receive({ headers, rawBody: body }, expected)).kind).toBe('accepted');
});

test.each([
  ['no body', { rawBody: undefined }, 400],
  ['an empty body', { rawBody: Buffer.alloc(0) }, 400],
  ['a form', { headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' } }, 415],
  ['no event type', { headers: { ...headers, 'x-forgejo-event-type': '' } }, 400],
  ['an unknown event type', { headers: { ...headers, 'x-forgejo-event-type': 'constructor' } }, 400],
  ['no delivery id', { headers: { ...headers, 'x-forgejo-delivery': '7' } }, 400],
])('%s is refused', async (_, change, status) => {
  expect(await receive({ headers, rawBody: body, ...change }, expecting())).toMatchObject({ kind: 'refused', status });
});

test('an oversized body is refused before anything of it is looked at', async () => {
  const large = Buffer.alloc(1_000_001, '{');
  expect(await receive({ headers, rawBody: large }, expecting())).toMatchObject({ kind: 'refused', status: 413 });
});

test('a signed body that is malformed is refused without its content', async () => {
  const malformed = Buffer.from('{"ref": "a secret branch"');
  const result = await receive({ headers: headersOf(push, malformed, secret), rawBody: malformed }, expecting());
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

test('what was sent before a rotation is another event when it comes again long after it', () => {
  let now = 0;
  const memory = deliveryMemory({ now: () => now, overlapMs: 1000 });
  const sent = (id: string, generation: number) => memory.isNew({ trigger: 't', id, content: 'same', generation });
  expect(sent('a', 1)).toBe(true);
  now = 999;
  expect(sent('b', 2)).toBe(false);
  now = 1000;
  expect(sent('c', 2)).toBe(true);
  expect(sent('d', 1)).toBe(false);
});

test('while nobody can say whether a delivery came before, it starts nothing and may come again', async () => {
  const lost = new Failure({
    code: 'database_lost',
    subject: 'db',
    message: 'The connection broke',
    nextStep: 'Wait.',
  });
  const memory = {
    isNew: () => {
      throw lost;
    },
  };
  expect(await receive({ headers, rawBody: body }, expecting({ memory }))).toEqual({
    kind: 'unknown',
    delivery: DELIVERY,
    failure: lost,
  });
});

const someHeaders = fc.dictionary(fc.constantFrom(...Object.keys(headers)), fc.string());

test('whatever headers and bytes come, nothing is accepted and nothing is thrown', async () => {
  await fc.assert(
    fc.asyncProperty(someHeaders, fc.uint8Array(), async (some, bytes) => {
      const incoming = { headers: { ...headers, ...some }, rawBody: Buffer.from(bytes) };
      expect((await receive(incoming, expecting())).kind).toBe('refused');
    }),
  );
});

test('whatever a server signs, it is accepted or refused in our words, and its content is never in them', async () => {
  const marker = 'MARKER-OF-CONTENT';
  const types = recorded.samples.map(({ event_type }) => event_type);
  const leaf = fc.oneof(fc.constant(marker), fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom('ref', 'before', 'commits', 'repository', 'full_name', 'sender', 'login', 'action', 'run'),
        tie('tree'),
        { maxKeys: 6 },
      ),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...types), tree, someHeaders, async (type, content, some) => {
      const raw = Buffer.from(JSON.stringify(content));
      const signed = { ...headersOf(push, raw, secret), 'x-forgejo-event-type': type };
      const answers = [
        await receive({ headers: signed, rawBody: raw }, expecting()),
        await receive({ headers: { ...signed, ...some }, rawBody: raw }, expecting()),
      ];
      for (const answer of answers) {
        expect(['accepted', 'refused']).toContain(answer.kind);
        if (answer.kind === 'refused') expect(answer.reason).not.toContain(marker);
      }
    }),
    { numRuns: 500 },
  );
});
