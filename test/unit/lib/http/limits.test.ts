import { path } from '../../../../lib/http/path';
import { bearer } from '../../../../lib/http/settings';
import { pause } from '../../../../lib/task';
import { client, closeAll, serve, task, until } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

// Eight of its seconds pass in one of ours, for the server and for the client.
const speed = 8;
const started = Date.now();
const fastNow = () => started + (Date.now() - started) * speed;
const fast = {
  now: fastNow,
  wait: (milliseconds: number, signal: AbortSignal, subject: string) => pause(milliseconds / speed, signal, subject),
};

/** A server that enforces a fixed window and counts how often it had to. */
async function limitedServer(limit: number, windowMs: number, reset: 'seconds' | 'unix') {
  let windowEnds = 0;
  let used = 0;
  const counts = { refused: 0, answered: 0 };
  const server = await serve(async () => {
    const now = fastNow();
    if (now >= windowEnds) {
      windowEnds = now + windowMs;
      used = 0;
    }
    used += 1;
    const left = (windowEnds - now) / 1000;
    const headers: Record<string, number | string> = {
      Date: new Date(now).toUTCString(),
      'RateLimit-Limit': limit,
      'RateLimit-Remaining': Math.max(0, limit - used),
      'RateLimit-Reset': reset === 'seconds' ? Math.ceil(left) : Math.floor(windowEnds / 1000),
    };
    const refused = used > limit;
    counts[refused ? 'refused' : 'answered'] += 1;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    return refused
      ? { status: 429, headers: { ...headers, 'Retry-After': Math.ceil(left) }, text: '' }
      : { headers, json: 1 };
  });
  return { ...server, counts };
}

test.each(['seconds', 'unix'] as const)(
  '200 calls at once over a limit of 80 in 4 s are all answered, without one 429 (reset in %s)',
  async (reset) => {
    const warnings: string[] = [];
    const warn = (warning: Error) => warnings.push(warning.name);
    process.on('warning', warn);
    const server = await limitedServer(80, 4_000, reset);
    const { request } = client(server.url, { concurrency: 50, authentication: bearer('token-1') }, fast);
    const mine = task();
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => request({ method: 'GET', path: path('/') }, mine)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(200).fill(200));
    expect(server.counts).toEqual({ refused: 0, answered: 200 });
    process.off('warning', warn);
    expect(warnings).toEqual([]);
  },
  20_000,
);

test('two clients with the same credential share one budget, another credential has its own', async () => {
  const server = await limitedServer(5, 60_000, 'seconds');
  const first = client(server.url, { authentication: bearer('same') }, fast);
  const second = client(server.url, { authentication: bearer('same') }, fast);
  const get = { method: 'GET', path: path('/'), deadlineMs: 5_000 } as const;
  for (let sent = 0; sent < 5; sent += 1) await first.request(get, task());
  const failure = await failureOf(second.request(get, task()));
  expect(failure).toMatchObject({ code: 'rate_limited', details: { attempts: 0 } });
  expect(failure.message).toMatch(
    /^The requests that Example allows are used up until 2\d{3}-.*Z, longer than GET \/ may wait$/,
  );
  expect(server.seen).toHaveLength(5);
  await failureOf(
    client(server.url, { authentication: bearer('other'), retry: { attempts: 1 } }, fast).request(get, task()),
  );
  expect(server.seen).toHaveLength(6);
});

test('Stop is heard while a call waits for the budget, and the wait is told', async () => {
  const server = await limitedServer(1, 20_000, 'seconds');
  const { request } = client(server.url, {}, fast);
  await request({ method: 'GET', path: path('/') }, task());
  const mine = task();
  const waiting = failureOf(request({ method: 'GET', path: path('/') }, mine));
  await until(() => mine.told.length > 0, 'it waits');
  mine.stop();
  expect((await waiting).code).toBe('cancelled');
  expect(mine.told).toEqual([
    { message: expect.stringMatching(/^Waiting up to 2[01] s for the rate limit of Example$/) },
  ]);
  expect(server.seen).toHaveLength(1);
});

test('after a 429 every call of the credential holds back, not only the one that got it', async () => {
  const arrivals: number[] = [];
  const server = await serve(() => {
    arrivals.push(Date.now());
    return arrivals.length === 1 ? { status: 429, headers: { 'retry-after': '1' }, text: '' } : { json: 1 };
  });
  const { request } = client(server.url);
  await Promise.all(Array.from({ length: 20 }, () => request({ method: 'GET', path: path('/') }, task())));
  expect(arrivals).toHaveLength(21);
  expect((arrivals[1] as number) - (arrivals[0] as number)).toBeGreaterThanOrEqual(990);
});

test('never more calls at once than allowed, and owners take turns', async () => {
  let underWay = 0;
  let most = 0;
  const order: string[] = [];
  const server = await serve(async ({ url }) => {
    order.push(url);
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setTimeout(resolve, 5));
    underWay -= 1;
    return { json: 1 };
  });
  const { request } = client(server.url, { concurrency: 1 });
  const call = (owner: string) => request({ method: 'GET', path: path('/{owner}', { owner }) }, task(owner));
  await Promise.all([...Array.from({ length: 5 }, () => call('a')), call('b'), call('b')]);
  expect(most).toBe(1);
  expect(order).toEqual(['/a', '/a', '/b', '/a', '/b', '/a', '/a']);

  most = 0;
  const wide = client(server.url, { concurrency: 4 });
  await Promise.all(Array.from({ length: 30 }, () => wide.request({ method: 'GET', path: path('/') }, task())));
  expect(most).toBe(4);
});
