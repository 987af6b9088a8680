import type { AddressInfo } from 'node:net';
import * as net from 'node:net';

import { path } from '../../../../lib/http/path';
import { client, closeAll, quickClock, serve, task, until } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

const quick = { timeouts: { answerMs: 150, connectMs: 150 } };

test('a GET that fails is repeated until it succeeds', async () => {
  const server = await serve((_, response) => {
    if (server.seen.length === 1) return { status: 500, text: '' };
    if (server.seen.length === 2) {
      response.destroy();
      return undefined;
    }
    if (server.seen.length === 3) return { headers: { 'content-length': 100 }, text: '{"cut' };
    return { json: 'at last' };
  });
  const clock = quickClock();
  // The third answer is announced longer than it is, so it is cut off by closing the connection.
  const watch = setInterval(() => server.seen.length === 3 && server.sockets.forEach((socket) => socket.destroy()), 20);
  const answer = await client(server.url, {}, clock).request({ method: 'GET', path: path('/') }, task());
  clearInterval(watch);
  expect(answer.body).toBe('at last');
  expect(server.seen).toHaveLength(4);
  expect(clock.waits).toEqual([125, 250, 500]);
});

test('a POST that gets no answer in time is not repeated: its outcome is unknown', async () => {
  const server = await serve(() => undefined);
  const post = client(server.url, quick, quickClock()).request(
    { method: 'POST', path: path('/servers'), body: { json: {} } },
    task(),
  );
  expect(await failureOf(post)).toMatchObject({
    code: 'outcome_unknown',
    subject: 'Example: POST /servers',
    message: 'Whether Example carried out POST /servers is not known: it was sent, and no answer came in time',
    nextStep: 'Look whether it took effect before you do it again: repeating it may do it twice.',
    details: { reason: 'ETIMEDOUT', attempts: 1 },
  });
  expect(server.seen).toHaveLength(1);
});

test.each(['POST', 'PATCH'] as const)('a %s whose connection breaks after sending is not repeated', async (method) => {
  const server = await serve((_, response) => void response.destroy());
  const failure = await failureOf(client(server.url, {}, quickClock()).request({ method, path: path('/x') }, task()));
  expect(failure.code).toBe('outcome_unknown');
  expect(server.seen).toHaveLength(1);
});

test('a POST behind a gateway that lost its server is not repeated', async () => {
  const server = await serve(() => ({ status: 504, headers: { 'cf-ray': 'r' }, text: '' }));
  const failure = await failureOf(
    client(server.url, {}, quickClock()).request({ method: 'POST', path: path('/x') }, task()),
  );
  expect(failure).toMatchObject({ code: 'outcome_unknown', details: { status: 504, correlation: { 'cf-ray': 'r' } } });
  expect(server.seen).toHaveLength(1);
});

test('a POST marked as safe, a PUT and a DELETE are repeated after a timeout', async () => {
  const server = await serve(() => (server.seen.length % 2 === 1 ? undefined : { json: 'done' }));
  const { request } = client(server.url, quick, quickClock());
  for (const one of [{ method: 'POST', idempotent: true }, { method: 'PUT' }, { method: 'DELETE' }] as const) {
    expect((await request({ ...one, path: path('/x') }, task())).body).toBe('done');
  }
  expect(server.seen.map(({ method }) => method)).toEqual(['POST', 'POST', 'PUT', 'PUT', 'DELETE', 'DELETE']);
});

test('a POST is repeated where the server did nothing: 429, and 503 with Retry-After', async () => {
  const answers = [
    { status: 429, headers: { 'retry-after': '7' }, text: '' },
    { status: 503, headers: { 'retry-after': '2' }, text: '' },
    { json: 'done' },
  ];
  const server = await serve(() => answers[server.seen.length - 1]);
  const clock = quickClock(0);
  const told = task();
  const answer = await client(server.url, {}, clock).request(
    { method: 'POST', path: path('/x'), body: { json: 1 } },
    told,
  );
  expect(answer.body).toBe('done');
  expect(server.seen.map(({ body }) => body)).toEqual(['1', '1', '1']);
  expect(clock.waits).toEqual([7_000, 2_000]);
  expect(told.told).toEqual([{ message: 'Trying Example again in 7 s' }, { message: 'Trying Example again in 2 s' }]);
});

test('a POST to a port where nobody listens yet is sent once somebody does', async () => {
  const placeholder = net.createServer();
  await new Promise<void>((resolve) => placeholder.listen(0, '127.0.0.1', resolve));
  const { port } = placeholder.address() as AddressInfo;
  await new Promise((resolve) => placeholder.close(resolve));
  const http = await import('node:http');
  let received = 0;
  const server = http.createServer((request, response) => {
    received += 1;
    request.resume();
    response.end('"created"');
  });
  const wait = () =>
    new Promise<void>((resolve) => (server.listening ? resolve() : server.listen(port, '127.0.0.1', resolve)));
  const answer = await client(`http://127.0.0.1:${port}`, {}, { wait }).request(
    { method: 'POST', path: path('/x') },
    task(),
  );
  await new Promise((resolve) => server.close(resolve));
  expect([answer.body, received]).toEqual(['created', 1]);
});

test('Retry-After beyond the deadline is not waited for, and the answer says how long it would be', async () => {
  const server = await serve(() => ({ status: 429, headers: { 'retry-after': '3600' }, text: '' }));
  const failure = await failureOf(client(server.url).request({ method: 'GET', path: path('/') }, task()));
  expect(failure).toMatchObject({
    code: 'rate_limited',
    nextStep: 'Run it again in 3600 s.',
    details: { retryAfterSeconds: 3600 },
  });
  expect(server.seen).toHaveLength(1);
});

test('the deadline ends the whole call with its retries', async () => {
  const server = await serve(() => undefined);
  const started = Date.now();
  const get = client(server.url).request({ method: 'GET', path: path('/'), deadlineMs: 80 }, task());
  expect(await failureOf(get)).toMatchObject({ code: 'timeout', details: { attempts: 1 } });
  const post = client(server.url).request({ method: 'POST', path: path('/'), deadlineMs: 80 }, task());
  expect(await failureOf(post)).toMatchObject({ code: 'outcome_unknown' });
  expect(Date.now() - started).toBeLessThan(1_000);
});

test('Stop is heard at once: while an answer is awaited, before a retry, and in the queue', async () => {
  const server = await serve(({ url }) =>
    url === '/busy' ? { status: 429, headers: { 'retry-after': '60' }, text: '' } : undefined,
  );
  const { request } = client(server.url, { concurrency: 1 });

  const first = task();
  const second = task();
  const answers = [
    request({ method: 'GET', path: path('/hangs') }, first),
    request({ method: 'GET', path: path('/queued') }, second),
  ];
  await until(() => server.seen.length === 1, 'the first request arrives');
  second.stop();
  expect(await failureOf(answers[1] as Promise<unknown>)).toMatchObject({
    code: 'cancelled',
    message: 'Stopped: Example: GET /queued',
  });
  first.stop();
  expect(await failureOf(answers[0] as Promise<unknown>)).toMatchObject({ code: 'cancelled' });
  await until(() => server.sockets.size === 0, 'the connection is closed');

  const third = task();
  const retrying = failureOf(request({ method: 'GET', path: path('/busy') }, third));
  await until(() => third.told.length > 0, 'it waits for its retry');
  third.stop();
  expect((await retrying).code).toBe('cancelled');

  const over = task();
  over.stop();
  expect((await failureOf(request({ method: 'GET', path: path('/never') }, over))).code).toBe('cancelled');
  expect(server.seen.map(({ url }) => url)).toEqual(['/hangs', '/busy']);
});

test('a POST that is stopped after sending says that it may have happened', async () => {
  const server = await serve(() => undefined);
  const mine = task();
  const failure = failureOf(client(server.url).request({ method: 'POST', path: path('/x') }, mine));
  await until(() => server.seen.length === 1, 'it arrives');
  mine.stop();
  expect(await failure).toMatchObject({
    code: 'cancelled',
    message: 'Stopped after POST /x was sent: whether Example carried it out is not known',
  });
});

test('what may not be sent twice never takes a used connection, reads share one', async () => {
  const ports: (number | undefined)[] = [];
  const server = await serve((_, response) => {
    ports.push(response.socket?.remotePort);
    return { json: 1 };
  });
  const { request } = client(server.url);
  for (const method of ['GET', 'GET', 'POST', 'POST'] as const) await request({ method, path: path('/') }, task());
  expect(new Set(ports.slice(0, 2)).size).toBe(1);
  expect(new Set(ports).size).toBe(3);
});
