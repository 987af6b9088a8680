import { path } from '../../../../lib/http/path';
import { bearer } from '../../../../lib/http/settings';
import { client, closeAll, serve, task } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

const credentials = {
  authentication: () => ({ authorization: 'Bearer token-1', 'x-auth-key': 'key-1' }),
  headers: { cookie: 'session=1', 'x-default': 'd' },
};
const get = { method: 'GET', path: path('/start') } as const;

test('a redirect within the service is followed with the credential', async () => {
  const server = await serve(({ url }) =>
    url === '/start' ? { status: 302, headers: { location: '/end?x=1' } } : { json: 'end' },
  );
  const answer = await client(server.url, credentials).request(get, task());
  expect(answer.body).toBe('end');
  expect(server.seen.map(({ url, headers }) => [url, headers.authorization])).toEqual([
    ['/start', 'Bearer token-1'],
    ['/end?x=1', 'Bearer token-1'],
  ]);
});

test('another origin gets nothing that says who we are, and neither does the service when it leads back', async () => {
  const server = await serve(({ url }) =>
    url === '/start' ? { status: 307, headers: { location: `${stranger.url}/there` } } : { json: 'back' },
  );
  const stranger = await serve(() => ({
    status: 302,
    headers: { location: `${server.url}/delete-all`, 'set-cookie': 'a=b' },
  }));
  const answer = await client(server.url, credentials).request(
    { ...get, headers: { 'X-Own': 'o', Range: 'bytes=0-' } },
    task(),
  );
  expect(answer.body).toBe('back');
  const harmless = {
    accept: 'application/json',
    'accept-encoding': 'gzip, deflate, br',
    connection: 'keep-alive',
    range: 'bytes=0-',
    'user-agent': 'n8n-nodes-selfhost',
  };
  expect(stranger.seen).toEqual([
    { method: 'GET', url: '/there', headers: { ...harmless, host: `127.0.0.1:${stranger.port}` }, body: '' },
  ]);
  expect(server.seen[0]?.headers).toMatchObject({
    authorization: 'Bearer token-1',
    'x-auth-key': 'key-1',
    cookie: 'session=1',
  });
  expect(server.seen[1]?.headers).toEqual({ ...harmless, host: `127.0.0.1:${server.port}` });
});

test('a user and password in the location are not used as a login', async () => {
  const stranger = await serve(() => ({ json: 1 }));
  const location = stranger.url.replace('://', '://me:word@');
  const server = await serve(() => ({ status: 302, headers: { location } }));
  await client(server.url).request(get, task());
  expect(stranger.seen[0]?.headers.authorization).toBeUndefined();
});

test.each(['POST', 'PUT', 'PATCH', 'DELETE'] as const)(
  'a redirect of a %s is a failure and nothing is sent on',
  async (method) => {
    const server = await serve(() => ({ status: 308, headers: { location: '/elsewhere?token=t' } }));
    const failure = await failureOf(client(server.url).request({ method, path: path('/start') }, task()));
    expect(failure).toMatchObject({
      code: 'redirected',
      message: `Example answered 308 to ${method} /start: a redirect to ${server.url}/elsewhere, which was not followed`,
    });
    expect(server.seen).toHaveLength(1);
  },
);

test('at most five redirects are followed', async () => {
  const server = await serve(({ url }) => ({ status: 302, headers: { location: `${url}x` } }));
  const failure = await failureOf(client(server.url).request(get, task()));
  expect(failure.message).toBe(
    `Example answered 302 to GET /start: a redirect to ${server.url}/startxxxxxx, the 6th in a row, which was not followed`,
  );
  expect(server.seen).toHaveLength(6);
});

test('a redirect is a failure where the caller wants none, or where it leads nowhere', async () => {
  const server = await serve(({ url }) => ({ status: 301, headers: url === '/nowhere' ? {} : { location: '/login' } }));
  const { request } = client(server.url, { authentication: bearer('token-1') });
  expect((await failureOf(request({ ...get, followRedirects: false }, task()))).code).toBe('redirected');
  expect((await failureOf(request({ method: 'GET', path: path('/nowhere') }, task()))).message).toContain(
    'without saying where to',
  );
  expect(server.seen).toHaveLength(2);
});

test('a redirect from https to http is not followed', async () => {
  const { fixture } = await import('./server');
  const plain = await serve(() => ({ json: 1 }));
  const server = await serve(() => ({ status: 302, headers: { location: plain.url } }), 'valid');
  const failure = await failureOf(
    client(server.url, { privateAuthority: fixture('authority.crt') }).request(get, task()),
  );
  expect(failure.message).toContain(`a redirect from https to unprotected http (127.0.0.1:${plain.port})`);
  expect(plain.seen).toEqual([]);
});
