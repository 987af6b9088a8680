import * as fc from 'fast-check';

import { createRedaction, redactJson, secretsOfHeaders } from '../../../../lib/http/redact';

test('a secret is masked in every form in which it travels', () => {
  const redact = createRedaction(['p@ss "word"']);
  for (const form of [
    'p@ss "word"',
    'p%40ss%20%22word%22',
    'p@ss \\"word\\"',
    Buffer.from('p@ss "word"').toString('base64'),
  ]) {
    expect(redact(`before ${form} after`)).toBe('before [secret] after');
  }
});

test('the token of a header is a secret, the password of a basic login too', () => {
  const secrets = secretsOfHeaders({
    authorization: `Basic ${Buffer.from('me:hunter22').toString('base64')}`,
    'x-key': 'abcdef',
  });
  const redact = createRedaction(secrets);
  expect(redact('hunter22 abcdef me')).toBe('[secret] [secret] me');
});

test('whatever the secret and the text around it, it is gone', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8 }), fc.string(), fc.string(), (secret, before, after) => {
      fc.pre(!'[secret]'.includes(secret));
      expect(createRedaction([secret])(`${before}${secret}${after}`).split('[secret]').join('')).not.toContain(secret);
    }),
  );
});

test('details are masked at every depth', () => {
  const redact = createRedaction(['token-1']);
  expect(redactJson({ a: ['x token-1', { 'token-1': 5 }], b: null }, redact)).toEqual({
    a: ['x [secret]', { '[secret]': 5 }],
    b: null,
  });
});
