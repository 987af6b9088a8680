import type { Readable } from 'node:stream';

import { isFailure } from '../failure';
import { createHttpClient } from '../http/client';
import { path, type PathValue, type Query } from '../http/path';
import type { Some } from '../http/pages';
import type { Answer, Body, HttpRequest } from '../http/request';
import type { Explanation, Surroundings } from '../http/settings';
import { isObject } from '../json';
import type { Task } from '../task';
import type { ForgejoCredential } from './credential';
import type { Endpoint } from './endpoint';
import { fieldsOf, unreadable } from './fields';
import { demandVersion, parseVersion, type ServerVersion } from './version';

export interface Arguments<Name extends string> {
  readonly at: Readonly<Record<Name, PathValue>>;
  readonly query?: Query;
  readonly body?: Body;
  /** For transfers that take longer than a call may. */
  readonly deadlineMs?: number;
}

/** Forgejo's API. The functions of this folder take it. */
export interface ForgejoApi {
  readonly call: <Name extends string, Result>(
    endpoint: Endpoint<Name, Result>,
    given: Arguments<Name>,
    task: Task,
  ) => Promise<Result>;
  /** Every page; `endpoint.read` reads one item. */
  readonly list: <Name extends string, Item>(
    endpoint: Endpoint<Name, Item>,
    given: Arguments<Name>,
    task: Task,
    limit?: number,
  ) => Promise<Some<Item>>;
  /** A list that comes whole; `endpoint.read` reads one item. */
  readonly whole: <Name extends string, Item>(
    endpoint: Endpoint<Name, Item>,
    given: Arguments<Name>,
    task: Task,
  ) => Promise<readonly Item[]>;
  readonly stream: <Name extends string>(
    endpoint: Endpoint<Name, unknown>,
    given: Arguments<Name>,
    task: Task,
  ) => Promise<Answer<Readable>>;
  readonly version: (task: Task) => Promise<ServerVersion>;
  readonly close: () => void;
}

/** The most a server gives in its standard settings. One with a smaller limit gives less, and that is no end. */
const PAGE_SIZE = 50;

export function forgejoApi(
  credential: Pick<ForgejoCredential, 'baseUrl' | 'token' | 'privateAuthority'>,
  surroundings?: Surroundings,
): ForgejoApi {
  const http = createHttpClient(
    {
      service: 'Forgejo',
      baseUrl: `${credential.baseUrl}/api/v1`,
      authentication: () => ({ authorization: `token ${credential.token.trim()}` }),
      ...(credential.privateAuthority !== undefined && { privateAuthority: credential.privateAuthority }),
      explain: explainForgejo,
    },
    surroundings,
  );

  let known: ServerVersion | undefined;
  const version = async (task: Task) => {
    const { body } = await http.request({ method: 'GET', path: path('/version') }, task);
    known = parseVersion(fieldsOf(body, 'the version of the server').text('version'));
    return known;
  };
  const prepared = async <Name extends string>(
    endpoint: Endpoint<Name, unknown>,
    { at, query, body, deadlineMs }: Arguments<Name>,
    task: Task,
  ): Promise<HttpRequest> => {
    if (endpoint.since !== undefined) demandVersion(endpoint.name, known ?? (await version(task)), endpoint.since);
    return {
      method: endpoint.method,
      // The names in the template and the given values agree by their types.
      path: (path as (template: string, values: Readonly<Record<string, PathValue>>) => ReturnType<typeof path>)(
        endpoint.template,
        at,
      ),
      ...(query !== undefined && { query }),
      ...(body !== undefined && { body }),
      ...(endpoint.idempotent !== undefined && { idempotent: endpoint.idempotent }),
      ...(deadlineMs !== undefined && { deadlineMs }),
    };
  };
  return {
    call: async (endpoint, given, task) => {
      const { body } = await http.request(await prepared(endpoint, given, task), task);
      return endpoint.read(body);
    },
    list: async (endpoint, given, task, limit) => {
      const request = await prepared(endpoint, given, task);
      return http.allItems(
        { ...request, query: { limit: PAGE_SIZE, page: 1, ...request.query } },
        {
          by: 'page number',
          items: (body) => itemsOf(body).map(endpoint.read),
          // Only an empty page is the end for certain: the server may give less than was asked for, and not every list
          // says how long it is.
          next: ({ items, number }) => (items.length === 0 ? undefined : number + 1),
        },
        task,
        limit,
      );
    },
    whole: async (endpoint, given, task) => {
      const { body } = await http.request(await prepared(endpoint, given, task), task);
      return itemsOf(body).map(endpoint.read);
    },
    stream: async (endpoint, given, task) => http.stream(await prepared(endpoint, given, task), task),
    version,
    close: http.close,
  };
}

/** A list is a list, or stands in `data` beside `ok` (searches), or in the one field beside a count (Actions). */
function itemsOf(body: unknown): readonly unknown[] {
  if (body === null) return [];
  if (Array.isArray(body)) return body as readonly unknown[];
  if (isObject(body)) {
    if ('data' in body && body['data'] === null) return [];
    const lists = Object.values(body).filter(Array.isArray) as unknown[][];
    const [only] = lists;
    if (lists.length === 1 && only !== undefined) return only;
    if ('total_count' in body && lists.length === 0) return [];
  }
  throw unreadable('a list', 'it is none');
}

/** `{ message, url, errors? }`; the url is that of the documentation. */
function explainForgejo(body: unknown, status: number): Explanation | undefined {
  if (!isObject(body) || typeof body['message'] !== 'string') return undefined;
  const said = body['message'].trim().replace(/\.$/, '').slice(0, 500);
  if (said === '') return undefined;
  const [, scope] = /required[^[]*\[([^\]]+)\]/.exec(said) ?? [];
  if (status === 403 && scope !== undefined) {
    return {
      code: 'scope_missing',
      message: said,
      nextStep: `Make a token with the scope ${scope} under Settings, Applications, and put it into the credential.`,
    };
  }
  return { message: said };
}

/** Null instead of the failure when it is not there. */
export async function orNull<Result>(asked: Promise<Result>): Promise<Result | null> {
  try {
    return await asked;
  } catch (error) {
    if (isFailure(error, 'not_found')) return null;
    throw error;
  }
}
