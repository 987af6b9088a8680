import { jsonOf, type StandIn, startStandIn } from '../../../../lab/standins/http';

const heard: [string, number | undefined][] = [];
let standIn: StandIn;

beforeEach(async () => {
  heard.splice(0);
  let count = 0;
  standIn = await startStandIn({
    basePath: '/api',
    routes: [
      { method: 'GET', template: '/things/first', handle: () => ({ status: 200, text: 'the first' }) },
      {
        method: 'GET',
        template: '/things/{id}',
        handle: ({ params, query }) => ({ status: 200, json: [params, [...query]] }),
      },
      {
        method: 'POST',
        template: '/things',
        handle: (asked) => ({ status: 201, json: { at: (count += 1), was: jsonOf(asked) } }),
      },
      { method: 'GET', template: '/count', handle: () => ({ status: 200, json: count }) },
    ],
    around: async (_, next) => {
      const reply = await next();
      return { ...reply, headers: { 'x-by': 'stand-in' } };
    },
    onExchange: ({ method, url }, answer) => void heard.push([`${method} ${url}`, answer?.status]),
  });
});

afterEach(() => standIn.close());

const ask = (path: string, method = 'GET', body?: string) =>
  fetch(`${standIn.url}${path}`, {
    method,
    ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
  });
const count = async () => (await ask('/count')).json();

test('a request goes to the first route that fits, with its parameters, and everything is kept', async () => {
  expect(await (await ask('/things/first')).text()).toBe('the first');
  expect(await (await ask('/things/a%2Fb?x=1')).json()).toEqual([{ id: 'a/b' }, [['x', '1']]]);
  const posted = await ask('/things', 'POST', '{"a":1}');
  expect([posted.status, posted.headers.get('x-by'), await posted.json()]).toEqual([
    201,
    'stand-in',
    { at: 1, was: { a: 1 } },
  ]);
  expect((await ask('/nothing')).status).toBe(404);
  expect((await fetch(new URL('/elsewhere', standIn.url))).status).toBe(404);
  expect(standIn.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
    ['GET', '/things/first', undefined],
    ['GET', '/things/a%2Fb?x=1', undefined],
    ['POST', '/things', { a: 1 }],
    ['GET', '/nothing', undefined],
    ['GET', '/elsewhere', undefined],
  ]);
  expect(heard.map(([, status]) => status)).toEqual([200, 200, 201, 404]);
});

test('an answer on demand hits the requests that it is meant for, as often as it says', async () => {
  standIn.fail({
    kind: 'answer',
    method: 'POST',
    after: 1,
    times: 2,
    reply: { status: 429, headers: { 'retry-after': '3' } },
  });
  const statuses = [];
  for (let index = 0; index < 4; index += 1) statuses.push((await ask('/things', 'POST', '{}')).status);
  expect(statuses).toEqual([201, 429, 429, 201]);
  // What a fault answers is no answer of the service.
  expect(heard.map(([, status]) => status)).toEqual([201, undefined, undefined, 201]);
});

test('a connection breaks before anything is done, or after it was done', async () => {
  standIn.fail({ kind: 'break before', path: /^\/things$/ });
  await expect(ask('/things', 'POST', '{}')).rejects.toThrow('fetch failed');
  expect(await count()).toBe(0);
  standIn.fail({ kind: 'break after', path: /^\/things$/ });
  await expect(ask('/things', 'POST', '{}')).rejects.toThrow('fetch failed');
  expect(await count()).toBe(1);
});

test('a late answer is done at once', async () => {
  standIn.fail({ kind: 'late', milliseconds: 200, method: 'POST' });
  const begun = performance.now();
  const late = ask('/things', 'POST', '{}').then(() => performance.now() - begun);
  while ((await count()) === 0);
  expect(heard).not.toContainEqual(['POST /things', 201]);
  expect(await late).toBeGreaterThan(150);
});

test('a mistake in a route shows itself instead of looking like a bad connection', async () => {
  await standIn.close();
  standIn = await startStandIn({
    routes: [{ method: 'GET', template: '/', handle: () => Promise.reject(new Error('a slip of the pen')) }],
  });
  const answer = await ask('/');
  expect([answer.status, await answer.text()]).toEqual([599, expect.stringContaining('a slip of the pen')]);
});
