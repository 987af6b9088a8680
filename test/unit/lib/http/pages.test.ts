import * as fc from 'fast-check';

import { nextLink, type Paging } from '../../../../lib/http/pages';
import { path } from '../../../../lib/http/path';
import { bearer } from '../../../../lib/http/settings';
import { client, closeAll, serve, task, type TestServer } from './server';
import { failureOf } from '../../../shared/failure';

afterEach(closeAll);

type Listed = { readonly items: number[]; readonly next?: number | string };
const list = { method: 'GET', path: path('/things'), query: { label: 'a b' } } as const;
const items = (body: unknown) => (body as Listed).items;
const byNumber: Paging<number> = { by: 'page number', items, next: ({ body }) => (body as { next?: number }).next };
const byCursor: Paging<number> = {
  by: 'cursor',
  parameter: 'cursor',
  items,
  next: (body) => (body as { next?: string }).next,
};
const byLink: Paging<number> = { by: 'link', items };

/** One server with a list in pages, in each of the three ways. */
async function listServer(pageOf: (number: number) => number[], last: () => number): Promise<TestServer> {
  const server = await serve(({ url, headers }) => {
    const asked = new URL(url, 'http://x').searchParams;
    const number = Number(asked.get('page') ?? asked.get('cursor')?.slice(1) ?? asked.get('p') ?? 1);
    const more = number < last();
    const next = { ...(more && { next: headers['x-way'] === 'cursor' ? `c${number + 1}` : number + 1 }) };
    const link = `<${server.url}/api/things?label=a+b&p=1>; rel="first", </api/things?label=a+b&p=${number + 1}>; rel="next"`;
    return { json: { items: pageOf(number), ...next }, headers: more && headers['x-way'] === 'link' ? { link } : {} };
  });
  return server;
}

const ways = [
  ['number', byNumber],
  ['cursor', byCursor],
  ['link', byLink],
] as const;

test('whatever the length of the list and the size of its pages, every item comes once and in order, each way', async () => {
  let all: number[] = [];
  let size = 1;
  const server = await listServer(
    (number) => all.slice((number - 1) * size, number * size),
    () => Math.ceil(all.length / size),
  );
  const property = fc.asyncProperty(
    fc.nat(30),
    fc.integer({ min: 1, max: 12 }),
    fc.option(fc.nat(35), { nil: undefined }),
    fc.constantFrom(...ways),
    async (length, pageSize, limit, [way, paging]) => {
      all = Array.from({ length }, (_, index) => index);
      size = pageSize;
      const before = server.seen.length;
      const { allItems } = client(`${server.url}/api`, { headers: { 'x-way': way }, authentication: bearer('t') });
      expect(await allItems(list, paging, task(), limit)).toEqual({
        items: all.slice(0, limit),
        more: limit === 0 || (limit !== undefined && limit < length),
      });
      expect(server.seen.length - before).toBeLessThanOrEqual(Math.max(1, Math.ceil(length / pageSize)));
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test('pages are asked for one after the other, with everything the first asked for', async () => {
  const server = await listServer(
    (number) => [number],
    () => 3,
  );
  for (const [way, paging] of ways) {
    server.seen.length = 0;
    const numbers = [];
    const { pages } = client(`${server.url}/api`, { headers: { 'x-way': way } });
    for await (const page of pages(list, paging, task())) {
      numbers.push([page.number, page.items]);
      expect(server.seen).toHaveLength(numbers.length);
    }
    expect(numbers).toEqual([
      [1, [1]],
      [2, [2]],
      [3, [3]],
    ]);
    const parameter = { number: 'page=', cursor: 'cursor=c', link: 'p=' }[way];
    expect(server.seen.map(({ url }) => url)).toEqual(
      ['', '2', '3'].map((number) => `/api/things?label=a%20b${number && `&${parameter}${number}`}`),
    );
  }
});

test.each(ways)('a server that repeats itself (%s) ends in a failure, not in an endless list', async (way, paging) => {
  let call = 0;
  const fresh = () => [(call += 1)];
  const pointsBack = await serve(() => ({
    json: { items: fresh(), next: way === 'cursor' ? 'c2' : 2 },
    headers: { link: '</things?p=2>; rel=next' },
  }));
  const settings = { secrets: ['things'] };
  expect(await failureOf(client(pointsBack.url).allItems(list, paging, task()))).toMatchObject({
    code: 'endless_list',
    message: 'The list /things does not end as it should: after page 2 it points back to one that was read already',
  });
  expect(pointsBack.seen).toHaveLength(2);

  const samePage = await listServer(
    () => [1, 2],
    () => Infinity,
  );
  const stuck = client(`${samePage.url}/api`, { ...settings, headers: { 'x-way': way } });
  expect(await failureOf(stuck.allItems(list, paging, task()))).toMatchObject({
    code: 'endless_list',
    message: 'The list /[secret] does not end as it should: page 2 is one that was read already',
  });
  expect(samePage.seen).toHaveLength(2);
});

test('a link that leads away is not followed; one under another name of the service is asked at ours', async () => {
  const links = ['<https://evil.test/steal?p=2>; rel="next"', '<https://public.test/things?p=2>; rel="next"', ''];
  let index = 0;
  const server = await serve(() => ({ json: { items: [index] }, headers: { link: links[index++] } }));
  const { allItems } = client(server.url, { authentication: bearer('token-1') });
  expect(await failureOf(allItems(list, byLink, task()))).toMatchObject({ code: 'foreign_link' });
  expect((await allItems(list, byLink, task())).items).toEqual([1, 2]);
  expect(server.seen.map(({ url }) => url)).toEqual(['/things?label=a%20b', '/things?label=a%20b', '/things?p=2']);
});

test.each<[string | undefined, string | undefined]>([
  ['<https://a.test/?page=2>; rel="next"', 'https://a.test/?page=2'],
  [
    '<https://a.test/?page=1>; rel="prev", <https://a.test/?a=1,2;page=3>; title="x, y"; rel="last next"',
    'https://a.test/?a=1,2;page=3',
  ],
  ['</things?page=2>; rel=next; title="rel=last"', '/things?page=2'],
  ['<https://a.test/?page=9>; rel="last"', undefined],
  ['nonsense', undefined],
  [undefined, undefined],
])('the next page in the Link header %s is %s', (header, expected) => {
  expect(nextLink(header)).toBe(expected);
});

test('Stop ends a list between two pages', async () => {
  const server = await listServer(
    (number) => [number],
    () => 5,
  );
  const mine = task();
  const reading = (async () => {
    for await (const { number } of client(`${server.url}/api`, { headers: { 'x-way': 'number' } }).pages(
      list,
      byNumber,
      mine,
    )) {
      if (number === 2) mine.stop();
    }
  })();
  expect((await failureOf(reading)).code).toBe('cancelled');
  expect(server.seen).toHaveLength(2);
});
