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
  readonly redact: (text: string) => string;
}

const mostPages = 10_000;

export async function* pages<Item>(
  source: Source,
  first: HttpRequest,
  paging: Paging<Item>,
  task: Task,
): AsyncGenerator<Page<Item>, void, undefined> {
  const asked = new Set<string>();
  // A list changes while it is read, but a whole page that comes again means that the server ignores what was asked.
  const seen = new Set<string>();
  let wanted = first;
  for (let number = 1; ; number += 1) {
    const { body, headers } = await source.request(wanted, task);
    const page: Page<Item> = { items: paging.items(body), number, body };
    const next = following(source, first, paging, page, headers['link']);
    const fingerprint = page.items.length === 0 ? undefined : hash(page.items);
    if (fingerprint !== undefined && seen.has(fingerprint)) {
      throw endless(source, first, `page ${number} is one that was read already`);
    }
    if (fingerprint !== undefined) seen.add(fingerprint);
    yield page;
    if (next === undefined) return;
    if (asked.has(next.mark))
      throw endless(source, first, `after page ${number} it points back to one that was read already`);
    if (number === mostPages) throw endless(source, first, `it has more than ${mostPages} pages`);
    asked.add(next.mark);
    wanted = next.request;
  }
}

interface Next {
  /** The same for the same page. */
  readonly mark: string;
  readonly request: HttpRequest;
}

function following<Item>(
  source: Source,
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
      return target === undefined ? undefined : linked(source, first, target);
    }
  }
}

function withQuery(first: HttpRequest, added: Query): Next {
  return { mark: JSON.stringify(added), request: { ...first, query: { ...first.query, ...added } } };
}

/**
 * The link is asked with the credential, so it must stay at the service. A service behind a proxy may know itself by
 * another address: then the query of its link is taken, if it is about the same list.
 */
function linked({ baseUrl, redact }: Source, first: HttpRequest, target: string): Next {
  const base = new URL(baseUrl);
  const list = new URL(`${baseUrl}${first.path}`);
  const url = URL.canParse(target, list.href) ? new URL(target, list.href) : undefined;
  const root = base.pathname.replace(/\/$/, '');
  const stays = url !== undefined && url.origin === base.origin && url.pathname.startsWith(`${root}/`);
  const sameList = url !== undefined && url.pathname.endsWith(list.pathname.slice(root.length));
  if (url === undefined || (!stays && !sameList)) {
    throw new Failure({
      code: 'foreign_link',
      subject: redact(`${first.method} ${first.path}`),
      message: redact(`The link to the next page of ${first.path} leads away from ${baseUrl}, so it was not followed`),
      nextStep: 'Let the base URL be the address under which the service knows itself, or correct its public URL.',
    });
  }
  const query: Record<string, string[]> = {};
  for (const [name, value] of url.searchParams) (query[name] ??= []).push(value);
  // Its path was encoded by the service and parsed here, so it is one.
  const path = stays ? (url.pathname.slice(root.length) as Path) : first.path;
  return { mark: JSON.stringify([path, url.search]), request: { ...first, path, query } };
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

function endless({ redact }: Source, { method, path }: HttpRequest, why: string): Failure {
  return new Failure({
    code: 'endless_list',
    subject: redact(`${method} ${path}`),
    message: redact(`The list ${path} does not end as it should: ${why}`),
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
