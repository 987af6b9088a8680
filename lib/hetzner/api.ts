import { createHash } from 'node:crypto';

import { createHttpClient, type HttpClient } from '../http/client';
import { type Path, path, type PathValue, type Query } from '../http/path';
import type { Answer, HttpRequest } from '../http/request';
import { bearer, realSurroundings, type Surroundings } from '../http/settings';
import { isObject } from '../json';
import type { Task } from '../task';
import { readAction } from './action';
import { explain } from './explain';
import { createPoller, type Poller } from './poller';
import { unexpected } from './shape';

/** Hetzner's two APIs: the cloud with its DNS zones, and the storage boxes. One token is good for both. */
export type Side = 'cloud' | 'storage';

export interface HetznerSettings {
  readonly token: string;
  readonly cloudUrl: string;
  readonly storageUrl: string;
}

export interface HetznerApi {
  readonly request: (side: Side, request: HttpRequest, task: Task) => Promise<Answer<unknown>>;
  /** The entries of all pages, or the first `limit`. */
  readonly list: (side: Side, list: ListRequest, task: Task) => Promise<readonly unknown[]>;
  readonly actions: Readonly<Record<Side, Poller>>;
  /** What the clock of Hetzner showed at a moment of ours, as far as its answers told. */
  readonly theirTime: (ourTime: number) => number;
  /** Actions that are the answer to a write of ours; none of them is the answer to another one. */
  readonly claims: Claims;
  readonly surroundings: Surroundings;
}

export interface Claims {
  readonly has: (action: number) => boolean;
  readonly add: (action: number) => void;
}

export interface ListRequest {
  readonly path: Path;
  /** The name of the list in the answer: `servers`. */
  readonly name: string;
  readonly query?: Query;
  readonly limit?: number;
  /** Absent where the list does not come in pages. */
  readonly perPage?: number;
}

export const defaultCloudUrl = 'https://api.hetzner.cloud/v1';
export const defaultStorageUrl = 'https://api.hetzner.com/v1';

const actionPaths = { cloud: path('/actions'), storage: path('/storage_boxes/actions') } as const;

export function createHetznerApi(settings: HetznerSettings, surroundings = realSurroundings): HetznerApi {
  const clients: Readonly<Record<Side, HttpClient>> = {
    cloud: clientOf('Hetzner Cloud', settings.cloudUrl, settings.token, surroundings),
    storage: clientOf('Hetzner Storage Boxes', settings.storageUrl, settings.token, surroundings),
  };
  let theirClockAhead = 0;

  const request: HetznerApi['request'] = async (side, wanted, task) => {
    const answer = await clients[side].request(wanted, task);
    const theirs = Date.parse(answer.headers['date'] ?? '');
    if (!Number.isNaN(theirs)) theirClockAhead = theirs - surroundings.now();
    return answer;
  };

  const list: HetznerApi['list'] = async (side, { path: of, name, query, limit, perPage }, task) => {
    const { items } = await clients[side].allItems(
      { method: 'GET', path: of, query: { ...query, ...(perPage !== undefined && { per_page: perPage }) } },
      { by: 'page number', items: (body) => entriesOf(body, name), next: ({ body }) => nextPage(body) },
      task,
      limit,
    );
    return items;
  };

  const poller = (side: Side) =>
    createPoller({
      now: surroundings.now,
      wait: surroundings.wait,
      fetch: async (ids, task) => {
        const query = { id: ids };
        const { body } = await request(side, { method: 'GET', path: actionPaths[side], query }, task);
        return entriesOf(body, 'actions').map(readAction);
      },
    });

  return {
    request,
    list,
    actions: { cloud: poller('cloud'), storage: poller('storage') },
    theirTime: (ourTime) => ourTime + theirClockAhead,
    claims: createClaims(),
    surroundings,
  };
}

const mostClaims = 5_000;

function createClaims(): Claims {
  const claimed = new Set<number>();
  return {
    has: (action) => claimed.has(action),
    add: (action) => {
      claimed.add(action);
      const oldest = claimed.values().next();
      if (claimed.size > mostClaims && oldest.done !== true) claimed.delete(oldest.value);
    },
  };
}

function clientOf(service: string, baseUrl: string, token: string, surroundings: Surroundings): HttpClient {
  return createHttpClient(
    { service, baseUrl, authentication: bearer(token), refill: 'gradual', explain },
    surroundings,
  );
}

/** A path that was put together from a resource's template and where the item stands. */
export function pathOf(template: string, values: Readonly<Record<string, PathValue>>): Path {
  const fill: (template: string, values: Readonly<Record<string, PathValue>>) => Path = path;
  return fill(template, values);
}

export function entriesOf(body: unknown, name: string): readonly unknown[] {
  const entries = isObject(body) ? body[name] : undefined;
  if (!Array.isArray(entries)) throw unexpected(name, 'a list');
  return entries;
}

/** Lists that fit on one page have no `meta` at some places of the API. */
function nextPage(body: unknown): number | undefined {
  const meta = isObject(body) ? body['meta'] : undefined;
  const pagination = isObject(meta) ? meta['pagination'] : undefined;
  const next = isObject(pagination) ? pagination['next_page'] : undefined;
  return typeof next === 'number' ? next : undefined;
}

const known = new Map<string, HetznerApi>();
const mostKnown = 20;

/** The same for the same settings, so that the actions of all items and executions are asked for together. */
export function sharedApi(settings: HetznerSettings): HetznerApi {
  const { token, cloudUrl, storageUrl } = settings;
  const key = createHash('sha256')
    .update(JSON.stringify([token, cloudUrl, storageUrl]))
    .digest('base64');
  const found = known.get(key) ?? createHetznerApi(settings);
  known.delete(key);
  known.set(key, found);
  const oldest = known.keys().next();
  if (known.size > mostKnown && oldest.done !== true) known.delete(oldest.value);
  return found;
}
