import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkNow } from '../../../../lib/health/check-now';
import { look } from '../../../../lib/health/probes/probe';
import { redis } from '../../../../lib/health/probes/redis';
import { ssh } from '../../../../lib/health/probes/ssh';
import { tcp } from '../../../../lib/health/probes/tcp';
import { tls } from '../../../../lib/health/probes/tls';
import { parseTargets, USUAL_DEFAULTS } from '../../../../lib/health/target';
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
  expect(await look(ssh, silent, here, quietTask())).toMatchObject({ says: 'it hung up' });
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

/** An address, written as in a workflow. */
function page(written: Readonly<Record<string, unknown>>) {
  return prepared('http', written).look(here, {}, quietTask(AbortSignal.timeout(10_000)));
}

function prepared(kind: string, written: Readonly<Record<string, unknown>>) {
  const [target] = parseTargets({ name: 'it', kind, ...written }, USUAL_DEFAULTS);
  if (target === undefined) throw new Error('no target');
  return target;
}

describe('an address is judged by', () => {
  let url = '';
  beforeEach(async () => {
    const { port } = await listen(
      createHttp((request, response) => {
        if (request.url === '/public') {
          response.writeHead(302, { location: 'https://login.example/?next=' }).end();
          return;
        }
        if (request.url === '/slow') {
          setTimeout(() => response.end('late'), 60);
          return;
        }
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({ says: 'hello', queue: { jobs: [{ waiting: 7 }] }, asked: request.headers.authorization }),
        );
      }),
    );
    url = `http://127.0.0.1:${port}`;
  });

  test.each([
    [{}, 'it answers 200'],
    [{ statuses: ['200', '204'] }, 'it answers 200'],
    [{ contains: 'hello' }, 'it answers 200'],
    [{ lacks: 'bye', matches: '"says":"h.llo"' }, 'it answers 200'],
    [{ json: { path: 'says', equals: 'hello' } }, 'it answers 200'],
    [{ json: { path: 'queue.jobs[0].waiting', max: 10, min: 1 } }, 'it answers 200'],
    [{ mustHave: { 'Content-Type': '^application/json' }, mustNotHave: { server: '.' } }, 'it answers 200'],
    [{ url: '/public', statuses: [301, 302] }, 'it answers 302'],
    [{ url: '/public', statuses: ['3xx'], mustNotHave: { location: 'https://auth\\.' } }, 'it answers 302'],
    [{ maxLatencyMs: 60_000 }, 'it answers 200'],
  ])('%j: well', async (written, says) => {
    const target = { ...written, url: `${url}${'url' in written ? written.url : '/'}` };
    expect(await page(target)).toEqual(good(says));
  });

  test.each([
    [{ statuses: [204] }, 'it answers 200'],
    [{ contains: 'bye' }, 'its answer lacks the text that it must have'],
    [{ lacks: 'hello' }, 'its answer has the text that it must not have'],
    [{ matches: '^x' }, 'its answer does not match'],
    [{ json: { path: 'says', equals: 'bye' } }, 'its says is hello'],
    [{ json: { path: 'queue.jobs[0].waiting', max: 5 } }, 'its queue.jobs[0].waiting is 7'],
    [{ json: { path: 'queue.jobs[3].waiting', max: 5 } }, 'it has no queue.jobs[3].waiting'],
    [{ json: { path: 'says', max: 5 } }, 'its says is hello'],
    [{ mustHave: { 'Content-Type': '^text/html' } }, 'its header content-type is application/json'],
    [{ mustHave: { 'Strict-Transport-Security': '.' } }, 'its answer has no header strict-transport-security'],
    [{ url: '/public' }, 'it answers 302'],
    [
      { url: '/public', statuses: ['3xx'], mustNotHave: { location: 'login' } },
      'it sends to https://login.example/?next=',
    ],
    [{ url: '/slow', maxLatencyMs: 30 }, expect.stringMatching(/^it takes \d+ ms, and 30 are allowed$/) as string],
  ])('%j: wrong', async (written, says) => {
    const target = { ...written, url: `${url}${'url' in written ? written.url : '/'}` };
    expect(await page(target)).toEqual({ outcome: 'wrong', says });
  });

  test('a secret header is sent, and its value is in no evidence', async () => {
    const [target] = parseTargets(
      {
        name: 'it',
        kind: 'http',
        url,
        secretHeaders: { authorization: 'credential:TOKEN' },
        json: { path: 'asked', equals: 'something else' },
      },
      USUAL_DEFAULTS,
    );
    const surroundings = {
      hostOf: () => {
        throw new Error('no host is asked for');
      },
      secretOf: (reference: string) => Promise.resolve(`the value of ${reference}`),
    };
    const [news] = await checkNow(target === undefined ? [] : [target], surroundings, 1, quietTask());
    expect(news).toMatchObject({ status: 'wrong', evidence: 'n8n: its asked is [secret]' });
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
  const { authority } = target;
  const asked = await page({ url: `https://localhost:${port}/`, connectTo: '127.0.0.1', authority });
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
