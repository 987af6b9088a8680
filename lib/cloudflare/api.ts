import { Failure, isFailure } from '../failure';
import { createHttpClient, type HttpClient } from '../http/client';
import type { Path, Query } from '../http/path';
import type { HttpRequest } from '../http/request';
import { bearer, type Surroundings } from '../http/settings';
import type { Task } from '../task';
import { explainCloudflare } from './explain';
import { Fields, unreadable } from './fields';

export const standardBaseUrl = 'https://api.cloudflare.com/client/v4';

export interface CloudflareSettings {
  readonly token: string;
  readonly baseUrl?: string;
}

/** Cloudflare's API: its envelope opened, its lists read to the end. The functions of this folder take it. */
export interface CloudflareApi {
  readonly ask: <Result>(request: HttpRequest, parse: (result: unknown) => Result, task: Task) => Promise<Result>;
  readonly text: (request: HttpRequest, task: Task) => Promise<string>;
  readonly list: <Item extends Identified>(list: List<Item>, task: Task) => Promise<readonly Item[]>;
  readonly close: () => void;
}

export interface Identified {
  readonly id: string;
}

export interface List<Item> {
  readonly path: Path;
  readonly query?: Query;
  /** The largest page that Cloudflare gives of this list; undefined where it has no pages. */
  readonly pageSize: number | undefined;
  readonly parse: (item: unknown) => Item;
  /** The first so many; without it, all. */
  readonly limit?: number;
}

export function cloudflareApi(settings: CloudflareSettings, surroundings?: Surroundings): CloudflareApi {
  const http = createHttpClient(
    {
      service: 'Cloudflare',
      baseUrl: settings.baseUrl ?? standardBaseUrl,
      authentication: bearer(settings.token),
      explain: explainCloudflare,
    },
    surroundings,
  );
  return {
    ask: async (request, parse, task) => {
      const { body } = await http.request(request, task);
      return parse(resultOf(body));
    },
    text: async (request, task) => (await http.text(request, task)).body,
    list: (list, task) => readList(http, list, task),
    close: http.close,
  };
}

function resultOf(body: unknown): unknown {
  const answer = Fields.of(body, 'an answer');
  if (answer.optionalSwitch('success') !== true) {
    throw unreadable('an answer', explainCloudflare(body)?.message ?? 'it says neither success nor what failed');
  }
  return answer.unknown('result');
}

const readings = 3;
const leastPage = 5;

/**
 * A list that changes while its pages are read loses or repeats items, and what is missing from a list may be created
 * or deleted next. So pages that do not add up are read again.
 */
async function readList<Item extends Identified>(
  http: HttpClient,
  list: List<Item>,
  task: Task,
): Promise<readonly Item[]> {
  for (let reading = 1; ; reading += 1) {
    try {
      return await readPages(http, list, task);
    } catch (error) {
      if (!isFailure(error, 'list_changed') || reading === readings) throw error;
    }
  }
}

async function readPages<Item extends Identified>(
  http: HttpClient,
  { path, query, pageSize, parse, limit = Infinity }: List<Item>,
  task: Task,
): Promise<readonly Item[]> {
  const request: HttpRequest = {
    method: 'GET',
    path,
    query: { ...query, ...(pageSize !== undefined && { per_page: Math.min(pageSize, Math.max(limit, leastPage)) }) },
  };
  const items: Item[] = [];
  /** How many items there are, as each page says. */
  const announced = new Set<number>();
  const pages = http.pages(
    request,
    {
      by: 'page number',
      items: (body) => {
        const result = resultOf(body);
        if (!Array.isArray(result)) throw unreadable('a list', 'it is none');
        return (result as unknown[]).map(parse);
      },
      next: ({ body, number }) => {
        const info = Fields.of(body, 'a list').optionalJson('result_info');
        if (info === undefined) return undefined;
        const size = Fields.of(info, 'the size of a list');
        const total = size.optionalNumber('total_count');
        if (total !== undefined) announced.add(total);
        return number < (size.optionalNumber('total_pages') ?? 1) ? number + 1 : undefined;
      },
    },
    task,
  );
  for await (const { items: some } of pages) {
    items.push(...some);
    if (items.length >= limit) return items.slice(0, limit);
  }
  const ids = new Set(items.map(({ id }) => id));
  if (ids.size !== items.length || [...announced].some((total) => total !== items.length)) {
    throw new Failure({
      code: 'list_changed',
      subject: `Cloudflare: GET ${path}`,
      message: `The list ${path} changed while it was read: ${ids.size} items came, announced were ${[...announced].join(', then ')}`,
      nextStep: 'Run it again when nobody else is changing it.',
    });
  }
  return items;
}
