import { path } from '../../../../lib/http/path';
import { basic, bearer, headerAuthentication } from '../../../../lib/http/settings';
import { client, closeAll, quickClock, serve, task } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

test('a GET is sent exactly as asked, and its JSON comes back', async () => {
  const server = await serve(() => ({ json: { servers: [] }, headers: { 'x-extra': 'yes' } }));
  const { request } = client(`${server.url}/forge/api/`, {
    authentication: bearer('token-1'),
    headers: { 'X-Default': 'd' },
  });
  const answer = await request(
    { method: 'GET', path: path('/servers/{name}', { name: 'a/b' }), query: { label: ['x=1', 'y'], none: undefined } },
    task(),
  );
  expect(answer).toMatchObject({ status: 200, headers: { 'x-extra': 'yes' }, body: { servers: [] } });
  expect(server.seen).toEqual([
    {
      method: 'GET',
      url: '/forge/api/servers/a%2Fb?label=x%3D1&label=y',
      headers: {
        accept: 'application/json',
        'accept-encoding': 'gzip, deflate, br',
        authorization: 'Bearer token-1',
        connection: 'keep-alive',
        host: `127.0.0.1:${server.port}`,
        'user-agent': 'n8n-nodes-selfhost',
        'x-default': 'd',
      },
      body: '',
    },
  ]);
});

test('bodies go as JSON, as a form, as bytes, or not at all', async () => {
  const server = await serve(() => ({ status: 201, json: { id: 1 } }));
  const { request } = client(server.url, { authentication: headerAuthentication('X-Api-Key', 'key-1') });
  const post = { method: 'POST', path: path('/things') } as const;
  await request({ ...post, body: { json: { name: 'ä', size: null } } }, task());
  await request({ ...post, body: { form: { a: 'b c', d: [1, 2] } } }, task());
  await request({ ...post, body: { bytes: 'plain', contentType: 'text/plain' } }, task());
  await request(post, task());
  expect(server.seen.map(({ headers, body }) => [headers['content-type'], headers['content-length'], body])).toEqual([
    ['application/json', '25', '{"name":"ä","size":null}'],
    ['application/x-www-form-urlencoded', '15', 'a=b%20c&d=1&d=2'],
    ['text/plain', '5', 'plain'],
    [undefined, '0', ''],
  ]);
  expect(server.seen.map(({ headers }) => headers['x-api-key'])).toEqual(['key-1', 'key-1', 'key-1', 'key-1']);
});

test('every method arrives, and an empty answer is null', async () => {
  const server = await serve(() => ({ status: 204 }));
  const { request } = client(server.url, { authentication: basic('me', 'word') });
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'] as const) {
    expect((await request({ method, path: path('/') }, task())).body).toBeNull();
  }
  expect(server.seen.map(({ method }) => method)).toEqual(['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE']);
  expect(server.seen[0]?.headers.authorization).toBe('Basic bWU6d29yZA==');
});

test('packed answers are unpacked, and text is text', async () => {
  const { gzipSync, brotliCompressSync, deflateSync } = await import('node:zlib');
  const packers = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync };
  const server = await serve(({ url }) => {
    const name = url.slice(1) as keyof typeof packers;
    return { headers: { 'content-encoding': name }, text: packers[name]('{"long":"answer"}') };
  });
  const { request, text } = client(server.url);
  for (const name of Object.keys(packers)) {
    expect((await request({ method: 'GET', path: path('/{name}', { name }) }, task())).body).toEqual({
      long: 'answer',
    });
  }
  expect((await text({ method: 'GET', path: path('/gzip') }, task())).body).toBe('{"long":"answer"}');
});

test('a web page where JSON was asked for asks whether the base URL is right', async () => {
  const server = await serve(() => ({
    headers: { 'content-type': 'text/html' },
    text: '<!doctype html><title>Login</title>',
  }));
  const failure = await failureOf(client(server.url).request({ method: 'GET', path: path('/api') }, task()));
  expect(failure).toMatchObject({
    code: 'web_page_answered',
    subject: 'Example: GET /api',
    message: 'The address of Example answers GET /api with a web page; is the base URL right?',
    details: { status: 200 },
  });
});

test('broken JSON is a failure, and so is an answer that is too large, announced or not, packed or not', async () => {
  const { gzipSync } = await import('node:zlib');
  const large = JSON.stringify('x'.repeat(5000));
  const server = await serve(({ url }, response) => {
    if (url === '/broken') return { text: '{"half":' };
    if (url === '/announced') return { text: large, headers: { 'content-length': large.length } };
    if (url === '/packed') return { text: gzipSync(large), headers: { 'content-encoding': 'gzip' } };
    response.write(large);
    response.end();
    return undefined;
  });
  const { request } = client(server.url, { maxResponseBytes: 1000 });
  const codes = [];
  for (const name of ['broken', 'announced', 'packed', 'chunked']) {
    codes.push((await failureOf(request({ method: 'GET', path: path('/{name}', { name }) }, task()))).code);
  }
  expect(codes).toEqual(['invalid_json', 'answer_too_large', 'answer_too_large', 'answer_too_large']);
  expect(server.seen).toHaveLength(4);
});

test.each<[number, string, string]>([
  [400, 'invalid_request', 'it did not accept the values'],
  [401, 'unauthorized', 'the login or token is not valid'],
  [403, 'forbidden', 'this login may not do that'],
  [404, 'not_found', 'it does not exist, or this login may not see it'],
  [409, 'conflict', 'it does not fit the present state'],
  [418, 'unexpected_status', 'this was not expected'],
  [422, 'invalid_request', 'it did not accept the values'],
  [429, 'rate_limited', 'too many requests'],
  [500, 'service_error', 'the service failed'],
  [503, 'service_error', 'the service failed'],
])('%i becomes %s, in one sentence with a next step', async (status, code, meaning) => {
  const server = await serve(() => ({ status, text: '' }));
  const settings = { retry: { attempts: 1 } };
  const failure = await failureOf(client(server.url, settings).request({ method: 'GET', path: path('/x') }, task()));
  expect(failure).toMatchObject({
    code,
    subject: 'Example: GET /x',
    message: `Example answered ${status} to GET /x: ${meaning}`,
  });
  expect(failure.nextStep).toMatch(/^[A-Z].*\.$/);
  expect(failure.details).toEqual({ status, attempts: 1 });
});

test('the service explains its own errors, and its correlation id is kept', async () => {
  const server = await serve(() => ({
    status: 422,
    headers: { 'X-Correlation-Id': 'abc', 'cf-ray': 'ray-1' },
    json: { error: { code: 'uniqueness_error', message: 'name is taken' } },
  }));
  const request = { method: 'POST', path: path('/servers'), body: { json: {} } } as const;
  const plain = await failureOf(client(server.url).request(request, task()));
  expect(plain.message).toBe('Example answered 422 to POST /servers: name is taken');
  expect(plain.details).toEqual({
    status: 422,
    attempts: 1,
    correlation: { 'x-correlation-id': 'abc', 'cf-ray': 'ray-1' },
  });

  const explain = (body: unknown, status: number) => ({
    code: 'name_taken',
    message: `${status}: ${JSON.stringify(body)}`,
    nextStep: 'Choose another name.',
  });
  expect(await failureOf(client(server.url, { explain }).request(request, task()))).toMatchObject({
    code: 'name_taken',
    message:
      'Example answered 422 to POST /servers: 422: {"error":{"code":"uniqueness_error","message":"name is taken"}}',
    nextStep: 'Choose another name.',
  });
});

test('no secret is in a failure, whatever the server repeats of it', async () => {
  const server = await serve(({ headers, url }) => ({
    status: 400,
    headers: { 'x-request-id': headers.authorization },
    json: { message: `bad ${headers.authorization} at ${url}` },
  }));
  const { request } = client(server.url, { authentication: bearer('token-secret-1'), secrets: ['bot:42/secret-2'] });
  const failures = [
    await failureOf(
      request({ method: 'GET', path: path('/{bot}/send', { bot: 'bot:42/secret-2' }), query: { t: 'q' } }, task()),
    ),
  ];
  await server.close();
  const again = client(server.url, { authentication: bearer('token-secret-1'), retry: { attempts: 1 } });
  failures.push(await failureOf(again.request({ method: 'GET', path: path('/') }, task())));
  for (const failure of failures) {
    const { inspect } = await import('node:util');
    const everything = inspect(failure, { depth: 20, showHidden: true }) + JSON.stringify(failure);
    expect(everything).not.toMatch(/token-secret|secret-2|Bearer/);
    expect(failure.cause).toBeUndefined();
  }
  expect(failures[0]?.subject).toBe('Example: GET /[secret]/send');
  expect(failures.map(({ code }) => code)).toEqual(['invalid_request', 'connection_refused']);
});

test('a name that DNS does not know and a port where nothing listens each say so', async () => {
  const gone = await serve(() => ({}));
  await gone.close();
  const surroundings = quickClock();
  const refused = client(gone.url, {}, surroundings).request({ method: 'POST', path: path('/') }, task());
  expect(await failureOf(refused)).toMatchObject({
    code: 'connection_refused',
    message: `Nothing accepts connections for Example at 127.0.0.1:${gone.port}`,
    details: { reason: 'ECONNREFUSED', attempts: 4 },
  });
  expect(surroundings.waits).toEqual([125, 250, 500]);
  const unknown = client('http://no-such-name.invalid', { retry: { attempts: 1 } }).request(
    { method: 'GET', path: path('/') },
    task(),
  );
  expect(await failureOf(unknown)).toMatchObject({
    code: 'name_not_found',
    message: 'The name of Example, no-such-name.invalid, was not found in DNS',
  });
});

test.each(['nonsense', 'ftp://example.org', 'https://me:word@example.org', 'https://example.org/?a=b'])(
  'the base URL %s is refused without being repeated',
  (baseUrl) => {
    expect(() => client(baseUrl)).toThrow(
      expect.objectContaining({ code: 'invalid_base_url', message: expect.not.stringContaining(baseUrl) }),
    );
  },
);

test('what is not HTTP is told apart from a service that fails', async () => {
  const net = await import('node:net');
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const settings = { retry: { attempts: 1 } };
  const failure = await failureOf(
    client(`http://127.0.0.1:${port}`, settings).request({ method: 'GET', path: path('/') }, task()),
  );
  server.close();
  expect(failure.code).toBe('not_http');
});

test('connections are given through a socket of the caller when there is one', async () => {
  const net = await import('node:net');
  const { Duplex } = await import('node:stream');
  const server = await serve(() => ({ json: 'through' }));
  // A plain stream, as an SSH channel is one: without setTimeout, setKeepAlive, ref and unref.
  const openSocket = async () => Duplex.from(net.connect(server.port, '127.0.0.1'));
  const { request } = client('http://docker.socket/v1.51', { openSocket });
  expect((await request({ method: 'GET', path: path('/info') }, task())).body).toBe('through');
  expect(server.seen[0]).toMatchObject({ url: '/v1.51/info', headers: { host: 'docker.socket' } });
});
