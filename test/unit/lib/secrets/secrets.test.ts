import { Failure } from '../../../../lib/failure';
import { parseNamedSecrets, resolveSecret } from '../../../../lib/secrets/named-secrets';
import { redact, withoutSecrets } from '../../../../lib/secrets/redact';
import { parseReference } from '../../../../lib/secrets/reference';

describe('parseNamedSecrets', () => {
  it('takes everything behind the first = as it stands, and JSON strings for line ends', () => {
    const text = '# database\nDB_PASSWORD= pa=ss #word \r\n\nKEY="-----BEGIN\\nEND"\nEMPTY=';
    expect([...parseNamedSecrets(text)]).toEqual([
      ['DB_PASSWORD', ' pa=ss #word '],
      ['KEY', '-----BEGIN\nEND'],
      ['EMPTY', ''],
    ]);
  });

  it.each(['planted', 'A=1\nA=planted', 'A="planted', 'A B=planted'])('refuses %j without repeating it', (text) => {
    expect(() => parseNamedSecrets(text)).toThrow(
      expect.objectContaining({ code: 'named_secrets_invalid', message: expect.not.stringContaining('planted') }),
    );
  });
});

describe('a secret reference', () => {
  it('names a secret of the credential', () => {
    const secrets = parseNamedSecrets('DB=planted');
    expect(resolveSecret(parseReference(' credential:DB '), secrets)).toBe('planted');
    expect(() => resolveSecret(parseReference('credential:NO'), secrets)).toThrow('has no secret NO');
    expect(() => resolveSecret(parseReference('credential:DB'), undefined)).toThrow('no Named Secrets credential');
  });

  it('is never repeated when it cannot be read: it may be the secret', () => {
    expect(() => parseReference('planted-password')).toThrow(
      expect.objectContaining({
        code: 'secret_reference_invalid',
        message: expect.not.stringContaining('planted'),
      }),
    );
  });
});

describe('redact', () => {
  it('takes secrets out of everything, the longest first, also as JSON shows them', () => {
    expect(
      redact({ a: 'x planted"1 y', b: ['planted\\"1', { c: 'planted' }], d: 7, e: null, f: true }, [
        'planted',
        'planted"1',
      ]),
    ).toEqual({ a: 'x [secret] y', b: ['[secret]', { c: '[secret]' }], d: 7, e: null, f: true });
  });

  it('leaves text alone where a secret is too short to be told apart', () => {
    expect(redact('banana', ['an', ''])).toBe('banana');
  });

  it('cleans a Failure on its way out', async () => {
    const work = withoutSecrets(['planted'], () =>
      Promise.reject(
        new Failure({
          code: 'x',
          subject: 's planted',
          message: 'm planted',
          nextStep: 'n planted',
          details: { a: 'planted' },
        }),
      ),
    );
    await expect(work).rejects.toMatchObject({
      code: 'x',
      subject: 's [secret]',
      message: 'm [secret]',
      nextStep: 'n [secret]',
      details: { a: '[secret]' },
    });
  });
});
