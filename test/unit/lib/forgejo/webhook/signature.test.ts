import fc from 'fast-check';

import { sign, verifySignature } from '../../../../../lib/forgejo/webhook/signature';
import { acceptedSecrets, newChain, nextOf, OVERLAP_MS, secretOf } from '../../../../../lib/forgejo/webhook/secrets';
import { recorded } from './samples';

const secret = 'a secret of decent length';
const body = Buffer.from('{"ref":"refs/heads/main"}');
const right = sign(body, secret);

test.each(recorded.signature_vectors.map((vector) => [vector.file, vector] as const))(
  'the recorded signature of %s is right, and no other is',
  (_, vector) => {
    const raw = Buffer.from(vector.raw_body);
    const headers = { 'x-gitea-signature': vector.x_gitea_signature };
    expect(verifySignature(raw, headers, [vector.secret])).toEqual({ kind: 'valid', secret: 0 });
    expect(verifySignature(raw, headers, [`${vector.secret}!`])).toEqual({ kind: 'wrong_signature' });
    expect(verifySignature(Buffer.concat([raw, Buffer.from('\n')]), headers, [vector.secret])).toEqual({
      kind: 'wrong_signature',
    });
  },
);

test.each([
  ['x-forgejo-signature', right],
  ['x-gitea-signature', right],
  ['x-gogs-signature', right],
  ['x-hub-signature-256', `sha256=${right}`],
])('%s alone is enough', (header, value) => {
  expect(verifySignature(body, { [header]: value }, [secret])).toEqual({ kind: 'valid', secret: 0 });
});

test('headers that contradict each other prove nothing', () => {
  const headers = { 'x-forgejo-signature': right, 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
  expect(verifySignature(body, headers, [secret])).toEqual({ kind: 'wrong_signature' });
});

test('SHA-1 alone proves nothing', () => {
  expect(verifySignature(body, { 'x-hub-signature': 'sha1=aaaa' }, [secret])).toEqual({ kind: 'unsigned' });
});

test('the empty headers of a hook without a secret are no signature', () => {
  const headers = { 'x-forgejo-signature': '', 'x-hub-signature-256': 'sha256=' };
  expect(verifySignature(body, headers, [secret])).toEqual({ kind: 'unsigned' });
  expect(verifySignature(body, {}, [secret])).toEqual({ kind: 'unsigned' });
});

test.each([[[]], [['']], [['short']]])('with the secrets %j nothing is valid, however it is signed', (secrets) => {
  const headers = { 'x-forgejo-signature': sign(body, secrets[0] ?? '') };
  expect(verifySignature(body, headers, secrets)).toEqual({ kind: 'no_secret' });
});

test('of several secrets it says which one signed', () => {
  expect(verifySignature(body, { 'x-forgejo-signature': right }, ['another secret, long enough', secret])).toEqual({
    kind: 'valid',
    secret: 1,
  });
});

test('no header that was not made with the secret is ever valid', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant(right.toUpperCase()), fc.constant(`${right} `)),
      fc.constantFrom('x-forgejo-signature', 'x-gitea-signature', 'x-gogs-signature', 'x-hub-signature-256'),
      (value, header) => {
        fc.pre(value !== right);
        expect(verifySignature(body, { [header]: value }, [secret]).kind).not.toBe('valid');
      },
    ),
    { numRuns: 2000 },
  );
});

test('any changed byte of any body makes the signature wrong', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (bytes, at, by) => {
        const original = Buffer.from(bytes);
        const headers = { 'x-forgejo-signature': sign(original, secret) };
        const changed = Buffer.from(bytes);
        const place = at % changed.length;
        changed[place] = (changed[place] ?? 0) ^ by;
        expect(verifySignature(original, headers, [secret]).kind).toBe('valid');
        expect(verifySignature(changed, headers, [secret]).kind).toBe('wrong_signature');
      },
    ),
  );
});

test('a rotation is heard of too late or too early, and no delivery is lost', () => {
  const first = newChain(0);
  const second = nextOf(first, 1000);
  const knows = (chain: typeof first, now: number) => acceptedSecrets(chain, now).map(({ secret: one }) => one);
  // The new hook sends, and this process still has the old state; and the other way round.
  expect(knows(first, 2000)).toContain(secretOf(second));
  expect(knows(second, 2000)).toContain(secretOf(first));
  expect(knows(second, 1000 + OVERLAP_MS)).not.toContain(secretOf(first));
  expect(knows(second, 1000 + OVERLAP_MS)).toContain(secretOf(second));
});
