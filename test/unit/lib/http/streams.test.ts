import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { path } from '../../../../lib/http/path';
import { client, closeAll, quickClock, serve, task, until } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

const get = { method: 'GET', path: path('/file') } as const;
const chunk = Buffer.alloc(64 * 1024, 'x');

/** Answers with endless data, as fast as it is taken, and counts it. */
async function endlessServer() {
  const sent = { bytes: 0 };
  const server = await serve((_, response) => {
    const more = () => {
      while (!response.destroyed) {
        sent.bytes += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on('drain', more);
    more();
  });
  return { ...server, sent };
}

async function sizeOf(stream: Readable): Promise<number> {
  let size = 0;
  for await (const part of stream) size += (part as Buffer).length;
  return size;
}

test('a download comes as a stream, as it is, with its headers', async () => {
  const server = await serve(() => ({ headers: { 'content-length': chunk.length }, text: chunk }));
  const { status, headers, body } = await client(server.url).stream(get, task());
  expect([status, headers['content-length'], await sizeOf(body)]).toEqual([200, '65536', 65536]);
  expect(server.seen[0]?.headers['accept-encoding']).toBe('identity');
});

test('a server is held back by a reader that stops, and its silence is not blamed on it', async () => {
  const server = await endlessServer();
  const { body } = await client(server.url, { timeouts: { idleMs: 150 } }).stream(get, task());
  let before = -1;
  const stalled = () => {
    const same = before === server.sent.bytes;
    before = server.sent.bytes;
    return same;
  };
  // The buffers of both kernels fill up, and then nothing moves any more.
  for (let calm = 0; calm < 10; calm = stalled() ? calm + 1 : 0)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(body.destroyed).toBe(false);
  expect(server.sent.bytes).toBeLessThan(32 * 1024 * 1024);
  const held = server.sent.bytes;
  body.resume();
  await until(() => server.sent.bytes > held + 4 * 1024 * 1024, 'it flows again');
  body.destroy();
  await until(() => server.sockets.size === 0, 'the connection is closed');
});

test('Stop ends a download at once and closes the connection', async () => {
  const server = await endlessServer();
  const mine = task();
  const { body } = await client(server.url).stream(get, mine);
  const reading = failureOf(pipeline(body, new Writable({ write: (_part, _encoding, done) => done() })));
  await until(() => server.sent.bytes > 1024 * 1024, 'it flows');
  mine.stop();
  expect(await reading).toMatchObject({ code: 'cancelled', message: 'Stopped: Example: GET /file' });
  await until(() => server.sockets.size === 0, 'the connection is closed');
});

test('a download that breaks off or falls silent is a failure, never a short file', async () => {
  const server = await serve(({ url }, response) => {
    response.writeHead(200, url === '/chunked' ? {} : { 'content-length': 1000 });
    response.write('only this', () => {
      if (url !== '/silent') response.destroy();
    });
  });
  const { stream } = client(server.url, { timeouts: { idleMs: 300 } });
  const ends = [];
  for (const name of ['announced', 'chunked', 'silent']) {
    const { body } = await stream({ method: 'GET', path: path('/{name}', { name }) }, task());
    ends.push(await failureOf(sizeOf(body)));
  }
  expect(ends.map(({ code, message }) => [code, message])).toEqual([
    ['connection_lost', 'The answer of Example to GET /announced broke off before its end'],
    ['connection_lost', 'The answer of Example to GET /chunked broke off before its end'],
    ['timeout', 'Example fell silent in the middle of its answer to GET /silent'],
  ]);
});

test('an error answer to a download is a failure with what the service says', async () => {
  const server = await serve(() => ({ status: 404, json: { message: 'no such backup' } }));
  const failure = await failureOf(client(server.url).stream(get, task()));
  expect(failure).toMatchObject({ code: 'not_found', message: 'Example answered 404 to GET /file: no such backup' });
});

test('the deadline of a call ends with the head of a download, not with its body', async () => {
  const server = await serve((_, response) => {
    response.writeHead(200, { 'content-length': 4 });
    response.write('ab');
    setTimeout(() => response.end('cd'), 700);
  });
  const { body } = await client(server.url).stream({ ...get, deadlineMs: 500 }, task());
  expect(await sizeOf(body)).toBe(4);
});

const upload = (stream: Readable, length: number) =>
  ({ method: 'PUT', path: path('/file'), body: { stream, length, contentType: 'application/x-tar' } }) as const;

test('an upload is streamed with its length and is sent once, even where a PUT would be repeated', async () => {
  const server = await serve(() =>
    server.seen.length === 1 ? { json: 'kept' } : { status: 503, headers: { 'retry-after': '0' }, text: '' },
  );
  const { request } = client(server.url, {}, quickClock());
  const parts = () => Readable.from([Buffer.from('first '), Buffer.from('second')]);
  expect((await request(upload(parts(), 12), task())).body).toBe('kept');
  expect(server.seen[0]).toMatchObject({
    method: 'PUT',
    headers: { 'content-length': '12', 'content-type': 'application/x-tar' },
    body: 'first second',
  });
  expect(await failureOf(request(upload(parts(), 12), task()))).toMatchObject({
    code: 'service_error',
    details: { attempts: 1 },
  });
  expect(server.seen).toHaveLength(2);
});

test('an upload whose source fails or is shorter than announced is not taken for whole', async () => {
  const server = await serve(() => ({ json: 'kept' }));
  const { request } = client(server.url);
  const failing = new Readable({
    read() {
      this.push('part');
      this.destroy(new Error('disk gone'));
    },
  });
  expect(await failureOf(request(upload(failing, 100), task()))).toMatchObject({ code: 'upload_source_failed' });
  expect(await failureOf(request(upload(Readable.from([Buffer.from('short')]), 100), task()))).toMatchObject({
    code: 'upload_source_failed',
    message: 'What was to be sent with PUT /file is not as long as was announced',
  });
  expect(await failureOf(request(upload(Readable.from([Buffer.from('too long')]), 3), task()))).toMatchObject({
    details: { reason: 'TOO_LONG', attempts: 1 },
  });
  expect(server.seen).toEqual([]);
});

test('an upload whose source is closed already, or fails while it waits, sends nothing', async () => {
  const server = await serve(() => ({ json: 'kept' }));
  const { request } = client(server.url, { concurrency: 1 });
  const closed = Readable.from(['x']).destroy();
  expect((await failureOf(request(upload(closed, 1), task()))).code).toBe('upload_source_failed');

  const source = new Readable({ read: () => undefined });
  const waiting = failureOf(request(upload(source, 1), task()));
  source.destroy(new Error('disk gone'));
  expect((await waiting).code).toBe('upload_source_failed');
  expect(server.seen).toEqual([]);
});

test('an upload that the server stops taking ends as unknown, one that moves slowly goes on', async () => {
  const http = await import('node:http');
  const { listen } = await import('./server');
  const deaf = await listen(http.createServer(() => undefined));
  const settings = { timeouts: { idleMs: 400, connectMs: 100, answerMs: 400 } };
  const endless = new Readable({
    read() {
      this.push(chunk);
    },
  });
  expect(await failureOf(client(deaf.url, settings).request(upload(endless, 1e12), task()))).toMatchObject({
    code: 'outcome_unknown',
    details: { reason: 'ETIMEDOUT' },
  });
  expect(endless.destroyed).toBe(true);

  const server = await serve(() => ({ json: 'kept' }));
  const slow = Readable.from(
    (async function* () {
      for (let part = 0; part < 6; part += 1) {
        await new Promise((resolve) => setTimeout(resolve, 80));
        yield Buffer.from('x');
      }
    })(),
  );
  expect((await client(server.url, settings).request(upload(slow, 6), task())).body).toBe('kept');
});

test('Stop during an upload closes the source and the connection', async () => {
  const server = await serve(() => undefined);
  const mine = task();
  const source = new Readable({ read: () => undefined });
  source.push('begin');
  const failure = failureOf(client(server.url).request(upload(source, 100), mine));
  await until(() => server.sockets.size === 1, 'it connects');
  mine.stop();
  expect((await failure).code).toBe('cancelled');
  expect(source.destroyed).toBe(true);
  await until(() => server.sockets.size === 0, 'the connection is closed');
});
