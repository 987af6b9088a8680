import http from 'node:http';
import * as net from 'node:net';

import { path } from '../../../../lib/http/path';
import { bearer } from '../../../../lib/http/settings';
import { client, closeAll, fixture, listen, quickClock, serve, task, until } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

interface Proxied {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly otherHeaders: string[];
}

/** A real proxy: every name leads to `target` on loopback. */
async function startProxy(target: number, refuseWith?: number) {
  const asked: Proxied[] = [];
  const note = ({ method, url, headers }: http.IncomingMessage) =>
    asked.push({
      line: `${method} ${url}`,
      authorization: headers['proxy-authorization'],
      otherHeaders: Object.keys(headers).filter((name) => name !== 'proxy-authorization' && name !== 'host'),
    });
  const server = http.createServer((request, response) => {
    note(request);
    const { pathname, search } = new URL(request.url ?? '');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = http.request({
      host: '127.0.0.1',
      port: target,
      method: request.method,
      path: pathname + search,
      headers,
    });
    onward.on('response', (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 0, answer.headers)));
    request.pipe(onward);
  });
  server.on('connect', (request, socket, head) => {
    note(request);
    if (refuseWith !== undefined) return socket.end(`HTTP/1.1 ${refuseWith} No\r\n\r\n`);
    const onward = net.connect(target, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nX-Proxy: p\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [onward, socket]) end.on('error', () => undefined);
    return onward;
  });
  return { ...(await listen(server)), asked };
}

const get = { method: 'GET', path: path('/v1/x') } as const;
const trusted = { privateAuthority: fixture('authority.crt'), authentication: bearer('token-1') };

test('https goes through a CONNECT tunnel that sees neither path nor credential', async () => {
  const server = await serve(() => ({ json: 'through' }), 'valid');
  const proxy = await startProxy(server.port);
  const environment = { HTTPS_PROXY: proxy.url.replace('://', '://me:w%40rd@') };
  const { request } = client('https://service.test:8443', trusted, { environment });
  expect((await request(get, task())).body).toBe('through');
  expect((await request(get, task())).body).toBe('through');
  expect(proxy.asked).toEqual([
    {
      line: 'CONNECT service.test:8443',
      authorization: `Basic ${Buffer.from('me:w@rd').toString('base64')}`,
      otherHeaders: [],
    },
  ]);
  expect(
    server.seen.map(({ url, headers }) => [url, headers.host, headers.authorization, headers['proxy-authorization']]),
  ).toEqual(Array(2).fill(['/v1/x', 'service.test:8443', 'Bearer token-1', undefined]));
});

test('http is handed to the proxy with its whole address', async () => {
  const server = await serve(() => ({ json: 'through' }));
  const proxy = await startProxy(server.port);
  const environment = { http_proxy: proxy.url.replace('://', '://me:word@') };
  const { request } = client('http://service.test/api', {}, { environment });
  expect((await request({ ...get, query: { a: 'b c' } }, task())).body).toBe('through');
  expect(proxy.asked[0]).toMatchObject({
    line: 'GET http://service.test/api/v1/x?a=b%20c',
    authorization: `Basic ${Buffer.from('me:word').toString('base64')}`,
  });
  expect(server.seen[0]).toMatchObject({ url: '/api/v1/x?a=b%20c', headers: { host: 'service.test' } });
});

test('NO_PROXY and loopback go past it, whatever agent is installed for the whole process', async () => {
  const server = await serve(() => ({ json: 'direct' }));
  const proxy = await startProxy(server.port);
  const installed = http.globalAgent;
  http.globalAgent = new http.Agent({ host: 'nowhere.invalid' });
  try {
    const { request } = client(server.url, {}, { environment: { HTTP_PROXY: proxy.url } });
    expect((await request(get, task())).body).toBe('direct');
  } finally {
    http.globalAgent = installed;
  }
  expect(proxy.asked).toEqual([]);
});

test.each<[number, string]>([
  [403, 'The proxy 127.0.0.1:PORT refused to connect to service.test (403)'],
  [407, 'The proxy 127.0.0.1:PORT wants a login before it passes anything on to service.test'],
])('a proxy that answers %i is named as the one that refused', async (status, message) => {
  const proxy = await startProxy(1, status);
  const post = client('https://service.test', trusted, { environment: { HTTPS_PROXY: proxy.url } }).request(
    { ...get, method: 'POST' },
    task(),
  );
  expect(await failureOf(post)).toMatchObject({
    code: 'proxy_refused',
    message: message.replace('PORT', String(proxy.port)),
    details: { proxyStatus: status, attempts: 1 },
  });
});

test('a proxy that is not there is told apart from a service that is not there', async () => {
  const gone = await serve(() => ({}));
  await gone.close();
  for (const url of ['https://service.test', 'http://service.test']) {
    const environment = { HTTPS_PROXY: gone.url, HTTP_PROXY: gone.url };
    const failure = await failureOf(client(url, {}, { ...quickClock(), environment }).request(get, task()));
    expect(failure).toMatchObject({
      code: 'proxy_unreachable',
      message: `The proxy 127.0.0.1:${gone.port}, through which service.test is reached, cannot be reached itself`,
    });
  }
});

test('a silent proxy is left when the time to connect is over, and at once on Stop', async () => {
  const silent = net.createServer((socket) => void socket.on('error', () => undefined).resume());
  const proxy = await listen(silent);
  let connections = 0;
  silent.on('connection', () => (connections += 1));
  const environment = { HTTPS_PROXY: proxy.url };
  const settings = { timeouts: { connectMs: 50 }, retry: { attempts: 1 } };
  const late = client('https://service.test', settings, { environment }).request({ ...get, method: 'POST' }, task());
  expect(await failureOf(late)).toMatchObject({ code: 'proxy_unreachable', details: { reason: 'ETIMEDOUT' } });
  const mine = task();
  const stopped = failureOf(client('https://service.test', {}, { environment }).request(get, mine));
  await until(() => connections === 2, 'it connects to the proxy');
  mine.stop();
  expect((await stopped).code).toBe('cancelled');
  await until(() => proxy.sockets.size === 0, 'both are hung up');
});
