import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { http } from '../../../../lib/health/probes/http';
import { look } from '../../../../lib/health/probes/probe';
import { redis } from '../../../../lib/health/probes/redis';
import { ssh } from '../../../../lib/health/probes/ssh';
import { tcp } from '../../../../lib/health/probes/tcp';
import { tls } from '../../../../lib/health/probes/tls';
import { here, type Vantage } from '../../../../lib/health/vantage';
import { within } from '../../../../lib/health/watch';
import { quietTask } from '../../../shared/task';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<{ host: string; port: number }> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

const says = (talk: (socket: Socket) => void) =>
  listen(
    createServer((socket) => {
      socket.on('error', () => undefined);
      talk(socket);
    }),
  );
const good = (text: unknown) => ({ outcome: 'ok', says: text, latencyMs: expect.any(Number) as number });
const fixture = (name: string) => readFileSync(join(__dirname, '../../../fixtures/tls', name), 'utf8');

test('what listens is well, and what does not is wrong', async () => {
  const address = await says(() => undefined);
  expect(await look(tcp, address, here, quietTask())).toEqual(good('it listens'));
  servers.pop()?.close();
  expect(await look(tcp, address, here, quietTask())).toEqual({ outcome: 'wrong', says: 'nothing listens there' });
});

test('an SSH server is told from what only listens', async () => {
  const real = await says((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'));
  const other = await says((socket) => socket.write('220 mail\r\n'));
  const silent = await says((socket) => socket.end());
  expect(await look(ssh, real, here, quietTask())).toEqual(good('SSH-2.0-OpenSSH_9.2'));
  expect(await look(ssh, other, here, quietTask())).toMatchObject({ says: 'what listens there is no SSH server' });
  expect(await look(ssh, silent, here, quietTask())).toMatchObject({ says: 'it hung up without a word' });
});

test.each([
  ['+PONG\r\n', good('it answers')],
  ['-NOAUTH Authentication required.\r\n', good('it answers, and asks for a password')],
  ['-LOADING Redis is loading\r\n', { outcome: 'wrong', says: 'it refuses: LOADING Redis is loading' }],
  ['HTTP/1.1 400\r\n', { outcome: 'wrong', says: 'what listens there is no Redis' }],
])('Redis that says %j', async (answer, expected) => {
  const address = await says((socket) => socket.once('data', () => socket.write(answer)));
  expect(await look(redis, address, here, quietTask())).toEqual(expected);
});

const page = { method: 'GET', headers: {}, statuses: [200] } as const;

test('an address is judged by its status, its text and where it sends to', async () => {
  const address = await listen(
    createHttp((request, response) => {
      if (request.url === '/public') response.writeHead(302, { location: 'https://login.example/?next=' });
      response.end('hello');
    }),
  );
  const url = `http://127.0.0.1:${address.port}`;
  const at = (changes: object) => look(http, { ...address, ...page, url: `${url}/`, ...changes }, here, quietTask());
  expect(await at({ contains: 'ell' })).toEqual(good('it answers 200'));
  expect(await at({ contains: 'bye' })).toMatchObject({ says: 'its answer lacks the text that it must have' });
  expect(await at({ url: `${url}/public` })).toMatchObject({ says: 'it answers 302' });
  expect(await at({ url: `${url}/public`, statuses: [302] })).toEqual(good('it answers 302'));
  expect(await at({ url: `${url}/public`, statuses: [302], forbiddenLocation: 'login.' })).toMatchObject({
    says: 'it sends to https://login.example/?next=',
  });
});

test.each([
  ['valid', { outcome: 'ok' }],
  ['expired', { outcome: 'wrong', says: 'certificate has expired' }],
  ['self-signed', { outcome: 'wrong', says: 'self-signed certificate' }],
  ['wrong-name', { outcome: 'wrong', says: expect.stringContaining('does not match') as string }],
])('a certificate that is %s', async (name, expected) => {
  const server = createHttps({ cert: fixture(`${name}.crt`), key: fixture(`${name}.key`) }, (_, response) => {
    response.end('hello');
  });
  const { port } = await listen(server);
  const target = { host: '127.0.0.1', port, serverName: 'localhost', daysLeft: 1, authority: fixture('authority.crt') };
  expect(await look(tls, target, here, quietTask())).toMatchObject(expected);
  const url = `https://localhost:${port}/`;
  const asked = await look(http, { ...target, ...page, url }, here, quietTask());
  expect(asked).toMatchObject(expected);
});

test('a certificate that ends soon is wrong before it has ended', async () => {
  const { port } = await listen(createHttps({ cert: fixture('valid.crt'), key: fixture('valid.key') }));
  const target = {
    host: '127.0.0.1',
    port,
    serverName: 'localhost',
    daysLeft: 1e6,
    authority: fixture('authority.crt'),
  };
  expect(await look(tls, target, here, quietTask())).toMatchObject({
    says: expect.stringMatching(/^its certificate ends in \d+ days$/) as string,
  });
});

test('what accepts and then says nothing is wrong when its deadline is over, and its line is cut', async () => {
  const closed: Promise<unknown>[] = [];
  const address = await says((socket) => closed.push(once(socket.resume(), 'close')));
  const finding = await within(100, (task) => look(ssh, address, here, task), quietTask());
  expect(finding).toEqual({ outcome: 'wrong', says: 'it does not answer in time' });
  await Promise.all(closed);
});

test('a vantage point that is not reached in time has seen nothing', async () => {
  const slow: Vantage = {
    name: 'eva',
    direct: false,
    open: (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
  };
  const deaf: Vantage = { ...slow, open: () => new Promise(() => undefined) };
  const target = { host: '127.0.0.1', port: 1 };
  expect(await within(50, (task) => look(tcp, target, slow, task), quietTask())).toEqual({
    outcome: 'unknown',
    says: 'not looked at from eva: stopped',
  });
  expect(await within(50, (task) => look(tcp, target, deaf, task), quietTask())).toEqual({
    outcome: 'unknown',
    says: 'the look did not end within 50 ms',
  });
});

test('a vantage point that cannot be reached itself says nothing about the target', async () => {
  const away: Vantage = { name: 'eva', direct: false, open: () => Promise.reject(new Error('no way to eva')) };
  expect(await look(tcp, { host: '127.0.0.1', port: 1 }, away, quietTask())).toEqual({
    outcome: 'unknown',
    says: 'not looked at from eva: no way to eva',
  });
});
