import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { exchange } from '../../../../lib/health/probes/http-exchange';

const URL_ = new URL('http://photos.kua.cl:8080/a?b=c');

/** A server that has its answer ready, and hands it over in these pieces. */
function answering(bytes: Buffer, cuts: readonly number[], stays = false): { line: Duplex; sent: () => string } {
  const sent: Buffer[] = [];
  const line = new Duplex({
    read: () => undefined,
    write: (part: Buffer, _, done) => {
      sent.push(part);
      done();
    },
  });
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    if (to > from) line.push(bytes.subarray(from, to));
    from = to;
  }
  if (!stays) line.push(null);
  return { line, sent: () => Buffer.concat(sent).toString() };
}

const get = { url: URL_, method: 'GET', headers: {} };

test('a request is what it was asked to be', async () => {
  const { line, sent } = answering(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'), []);
  await exchange(line, { url: URL_, method: 'POST', headers: { Host: 'inside', 'x-a': 'b' }, body: 'ü' });
  expect(sent()).toBe(
    'POST /a?b=c HTTP/1.1\r\nuser-agent: n8n-nodes-selfhost\r\naccept: */*\r\ncontent-length: 2\r\nHost: inside\r\nx-a: b\r\nconnection: close\r\n\r\nü',
  );
});

test('no header brings a second request with it', async () => {
  const bad: readonly Readonly<Record<string, string>>[] = [
    { 'x-a': 'b\r\nGET / HTTP/1.1' },
    { 'x a': 'b' },
    { 'x-a: b\r\nx': 'c' },
  ];
  for (const headers of bad) {
    const { line, sent } = answering(Buffer.from(''), [], true);
    await expect(exchange(line, { ...get, headers })).rejects.toThrow('cannot be sent');
    expect(sent()).toBe('');
  }
});

test('an answer is the same in whatever pieces it arrives and however its end is told', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        status: fc.constantFrom(200, 301, 404, 503),
        body: fc.string({ unit: fc.constantFrom('a', 'ü', '\r\n', '0\r\n\r\n', '😀'), maxLength: 40 }),
        way: fc.constantFrom('length', 'chunks', 'end'),
        early: fc.boolean(),
        cuts: fc.array(fc.nat(2_000), { maxLength: 12 }),
        chunk: fc.integer({ min: 1, max: 9 }),
      }),
      async ({ status, body, way, early, cuts, chunk }) => {
        const bytes = Buffer.from(body);
        const chunks = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, index) => {
          const part = bytes.subarray(index * chunk, (index + 1) * chunk);
          return Buffer.concat([Buffer.from(`${part.length.toString(16)};x=y\r\n`), part, Buffer.from('\r\n')]);
        });
        const [header, sent] = {
          length: [`Content-Length: ${bytes.length}\r\n`, bytes] as const,
          chunks: ['Transfer-Encoding: chunked\r\n', Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')])] as const,
          end: ['', bytes] as const,
        }[way];
        const hints = early ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' : '';
        const head = `${hints}HTTP/1.1 ${status} Whatever\r\nSet-Cookie: a\r\nset-cookie:  b \r\n${header}\r\n`;
        const { line } = answering(Buffer.concat([Buffer.from(head), sent]), cuts, way !== 'end');
        const answer = await exchange(line, get);
        expect([answer.status, answer.headers.get('set-cookie'), answer.body]).toEqual([status, 'a, b', body]);
        expect(['data', 'end', 'error', 'close'].map((event) => line.listenerCount(event))).toEqual([0, 0, 0, 0]);
      },
    ),
    { numRuns: 200 },
  );
});

test.each([
  ['', 'it hung up without a word'],
  ['220 mail\r\n', 'what listens there is no HTTP server'],
  ['HTTP/2 200\r\n\r\n', 'what listens there is no HTTP server'],
  ['HTTP/1.1 200 OK\r\nContent-', 'its answer breaks off'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort', 'its answer breaks off'],
  ['HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n', 'its answer does not say how long it is'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n', 'its answer is larger than 1 MiB'],
  ['HTTP/1.1 200 OK\r\nno header\r\n\r\n', 'its answer has a header that cannot be read'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', 'its answer is in pieces that cannot be read'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab', 'its answer breaks off'],
  [`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1_200_000)}`, 'its answer is larger than 1 MiB'],
  [`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(70_000)}`, 'what listens there is no HTTP server'],
])('what is no answer is refused in words (%#)', async (bytes, message) => {
  await expect(exchange(answering(Buffer.from(bytes), []).line, get)).rejects.toThrow(message);
});

test('the answer to HEAD has no body, whatever length it names', async () => {
  const { line } = answering(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n'), [], true);
  expect(await exchange(line, { ...get, method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
});
