import { createHash } from 'node:crypto';

import { Failure } from '../failure';
import type { Task } from '../task';
import type { Path, Query } from './path';
import type { Answer, HttpRequest } from './request';

/** What a service says about its next page. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** From 1. */
  readonly number: number;
  readonly body: unknown;
}

interface Listing<Item> {
  /** Finds and parses the items of one page; throws when they are not there. */
  readonly items: (body: unknown) => readonly Item[];
}

export type Paging<Item> = Listing<Item> &
  (
    | {
        /** `?page=2`; the number of the next page, or undefined after the last. */
        readonly by: 'page number';
        readonly parameter?: string;
        readonly next: (page: Page<Item>) => number | undefined;
      }
    /** The header `Link: <...>; rel="next"`. */
    | { readonly by: 'link' }
    | {
        readonly by: 'cursor';
        readonly parameter: string;
        readonly next: (body: unknown) => string | undefined;
      }
  );

export interface Some<Item> {
  readonly items: readonly Item[];
  /** There are more than the limit allowed. */
  readonly more: boolean;
}

interface Source {
  readonly request: (request: HttpRequest, task: Task) => Promise<Answer<unknown>>;
  readonly baseUrl: string;
}

const mostPages = 10_000;

export async function* pages<Item>(
  { request, baseUrl }: Source,
  first: HttpRequest,
  paging: Paging<Item>,
  task: Task,
): AsyncGenerator<Page<Item>, void, undefined> {
  const asked = new Set<string>();
  let previous: string | undefined;
  let wanted = first;
  for (let number = 1; ; number += 1) {
    const { body, headers } = await request(wanted, task);
    const page: Page<Item> = { items: paging.items(body), number, body };
    const next = following(baseUrl, first, paging, page, headers['link']);
    const fingerprint = page.items.length === 0 ? undefined : hash(page.items);
    if (fingerprint !== undefined && fingerprint === previous)
      throw endless(first, `page ${number} is the one before it again`);
    yield page;
    if (next === undefined) return;
    if (asked.has(next.mark)) throw endless(first, `after page ${number} it points back to one that was read already`);
    if (number === mostPages) throw endless(first, `it has more than ${mostPages} pages`);
    asked.add(next.mark);
    previous = fingerprint;
    wanted = next.request;
  }
}

interface Next {
  /** The same for the same page. */
  readonly mark: string;
  readonly request: HttpRequest;
}

function following<Item>(
  baseUrl: string,
  first: HttpRequest,
  paging: Paging<Item>,
  page: Page<Item>,
  link: string | undefined,
): Next | undefined {
  switch (paging.by) {
    case 'page number': {
      const number = paging.next(page);
      return number === undefined ? undefined : withQuery(first, { [paging.parameter ?? 'page']: number });
    }
    case 'cursor': {
      const cursor = paging.next(page.body);
      return cursor === undefined || cursor === '' ? undefined : withQuery(first, { [paging.parameter]: cursor });
    }
    case 'link': {
      const target = nextLink(link);
      return target === undefined ? undefined : linked(baseUrl, first, target);
    }
  }
}

function withQuery(first: HttpRequest, added: Query): Next {
  return { mark: JSON.stringify(added), request: { ...first, query: { ...first.query, ...added } } };
}

/** The service's link is taken only where it stays at the service: it is asked with the credential. */
function linked(baseUrl: string, first: HttpRequest, target: string): Next {
  const base = new URL(baseUrl);
  const url = URL.canParse(target, `${baseUrl}${first.path}`) ? new URL(target, `${baseUrl}${first.path}`) : undefined;
  const root = base.pathname.replace(/\/$/, '');
  if (url === undefined || url.origin !== base.origin || !url.pathname.startsWith(`${root}/`)) {
    throw new Failure({
      code: 'foreign_link',
      subject: `${first.method} ${first.path}`,
      message: `The link to the next page leads away from ${baseUrl}, so it was not followed`,
      nextStep: 'Let the base URL be the address under which the service knows itself, or correct its public URL.',
    });
  }
  const query: Record<string, string[]> = {};
  for (const [name, value] of url.searchParams) (query[name] ??= []).push(value);
  return { mark: url.href, request: { ...first, path: url.pathname.slice(root.length) as Path, query } };
}

/** RFC 8288: the target of the first link whose relations contain `next`. */
export function nextLink(header: string | undefined): string | undefined {
  for (const [, target, parameters] of (header ?? '').matchAll(
    /<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:"[^"]*"|[^\s";,]+))?)*)/g,
  )) {
    const [, quoted, plain] = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s";,]+))/i.exec(parameters ?? '') ?? [];
    if ((quoted ?? plain ?? '').toLowerCase().split(/\s+/).includes('next')) return target;
  }
  return undefined;
}

function hash(items: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(items)).digest('base64');
}

function endless({ method, path }: HttpRequest, why: string): Failure {
  return new Failure({
    code: 'endless_list',
    subject: `${method} ${path}`,
    message: `The list ${path} does not end as it should: ${why}`,
    nextStep: 'Report it to the makers of the service; what was read so far is not the whole list.',
  });
}

export async function allItems<Item>(
  source: Source,
  first: HttpRequest,
  paging: Paging<Item>,
  task: Task,
  limit = Infinity,
): Promise<Some<Item>> {
  const items: Item[] = [];
  if (limit <= 0) return { items, more: true };
  for await (const page of pages(source, first, paging, task)) {
    items.push(...page.items);
    // One more than wanted proves that there is more; at exactly the limit only the next page tells.
    if (items.length > limit) return { items: items.slice(0, limit), more: true };
  }
  return { items, more: false };
}
