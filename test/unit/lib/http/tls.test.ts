import { path } from '../../../../lib/http/path';
import { client, closeAll, fixture, quickClock, serve, task } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

const get = { method: 'GET', path: path('/') } as const;

test('a service with a certificate of a private authority is trusted when the authority is given', async () => {
  const server = await serve(() => ({ json: 'trusted' }), 'valid');
  const { request } = client(server.url, { privateAuthority: fixture('authority.crt') });
  expect((await request(get, task())).body).toBe('trusted');
  expect((await request({ ...get, method: 'POST' }, task())).body).toBe('trusted');
});

test.each<[string, boolean, string, string]>([
  ['valid', false, 'certificate_authority_unknown', 'comes from an authority that is not known here'],
  [
    'self-signed',
    false,
    'certificate_self_signed',
    'is signed by itself or by a private authority, so it was not trusted',
  ],
  ['expired', true, 'certificate_expired', 'has expired'],
  ['wrong-name', true, 'certificate_wrong_name', 'was made for another name'],
])(
  'the certificate "%s" (authority given: %s) is refused as %s, before anything is sent',
  async (name, given, code, says) => {
    const server = await serve(() => ({ json: 1 }), name);
    const clock = quickClock();
    const settings = given ? { privateAuthority: fixture('authority.crt') } : {};
    const failure = await failureOf(client(server.url, settings, clock).request({ ...get, method: 'POST' }, task()));
    expect(failure).toMatchObject({ code, message: `The certificate of Example at 127.0.0.1:${server.port} ${says}` });
    expect([server.seen, clock.waits]).toEqual([[], []]);
  },
);

test('a private authority that is no certificate says so', async () => {
  const server = await serve(() => ({ json: 1 }), 'valid');
  const failure = await failureOf(client(server.url, { privateAuthority: 'not a certificate' }).request(get, task()));
  expect(failure.code).toBe('invalid_private_authority');
});

test('https to a port that speaks plain http asks whether the URL should begin with http', async () => {
  const server = await serve(() => ({ json: 1 }));
  const failure = await failureOf(client(server.url.replace('http:', 'https:')).request(get, task()));
  expect(failure).toMatchObject({ code: 'tls_failed', nextStep: expect.stringContaining('http://') });
});
