import type { ExchangeAnswer, ExchangeRequest } from '../contract/exchange';
import { type Asked, jsonOf, type Reply, type Route, type StandIn, startStandIn } from '../http';
import * as catalogue from './catalogue';
import { type Collection, collections } from './collections';
import { type Effect, effects, forget } from './effects';
import { createBucket, type Limit } from './limit';
import { filtered, sorted } from './select';
import {
  type ActionPlan,
  ask,
  beginAction,
  listOf,
  newState,
  shownAction,
  type State,
  type StoredAction,
  type Thing,
  thingById,
} from './state';
import { refusedSet, zoneFileOf } from './record-sets';
import { makers } from './things';

export type { ActionPlan } from './state';

type OnExchange = (request: ExchangeRequest, answer: ExchangeAnswer | undefined) => void;

export interface HetznerStandInSettings {
  /** Default `good-token`. */
  readonly token?: string;
  readonly readOnlyToken?: string;
  /** The most entries on a page, however many are asked for. */
  readonly largestPage?: number;
  readonly limit?: Limit;
  /** Actions have ended when their request is answered. */
  readonly instant?: boolean;
  readonly onCloudExchange?: OnExchange;
  readonly onStorageExchange?: OnExchange;
  /** Servers that are real. Who asks for one has to wait for it. */
  readonly machines?: Machines;
}

export interface Machines {
  /** Of the next one. */
  readonly address: string;
  readonly handOut: (name: string, userData: string) => Promise<void>;
  readonly switchOff: (name: string) => Promise<void>;
}

export interface HetznerStandIn {
  readonly cloud: StandIn;
  readonly storage: StandIn;
  readonly state: State;
  /** Puts something there as if it had been created by this request, and then changed. */
  readonly add: (list: string, body: Thing, changes?: Thing, within?: Thing) => Thing;
  /** How the next action with this command goes. */
  readonly plan: (plan: ActionPlan) => void;
  /** The next writes to this thing are answered with `locked`. */
  readonly lock: (list: string, id: unknown, writes: number) => void;
  readonly close: () => Promise<void>;
}

export async function startHetznerStandIn(settings: HetznerStandInSettings = {}): Promise<HetznerStandIn> {
  const state = newState(settings.instant);
  const fixed = {
    server_types: catalogue.serverTypes,
    load_balancer_types: catalogue.loadBalancerTypes,
    locations: catalogue.locations,
    isos: catalogue.isos,
    images: catalogue.systemImages,
    storage_box_types: catalogue.storageBoxTypes,
  };
  for (const [list, things] of Object.entries(fixed)) listOf(state, list).push(...structuredClone(things));
  const start = (side: Collection['side'], onExchange: OnExchange | undefined) =>
    startStandIn({
      basePath: '/v1',
      routes: routesOf(side, state, settings),
      around: guard(state, settings),
      unknown: () => failure(404, 'not_found', 'the requested path does not exist'),
      ...(onExchange !== undefined && { onExchange }),
    });
  const cloud = await start('cloud', settings.onCloudExchange);
  const storage = await start('storage', settings.onStorageExchange);
  return {
    cloud,
    storage,
    state,
    add: (list, body, changes = {}, within) => {
      const thing = { ...makers[list]?.(body, state, within), ...changes };
      listOf(state, list).push(thing);
      return thing;
    },
    plan: (plan) => void state.plans.push(plan),
    lock: (list, id, writes) => void state.locks.set(`${list} ${String(id)}`, writes),
    close: async () => {
      await cloud.close();
      await storage.close();
    },
  };
}

export function failure(status: number, code: string, message: string, details: unknown = null): Reply {
  return { status, json: { error: { code, message, details } } };
}

/** The token and the budget stand before everything. */
function guard(state: State, settings: HetznerStandInSettings) {
  const {
    token = 'good-token',
    readOnlyToken = 'read-only-token',
    limit = { requests: 3600, perSecond: 1 },
  } = settings;
  const bucket = createBucket(limit);
  return async (asked: Asked, next: () => Promise<Reply>): Promise<Reply> => {
    const given = asked.headers['authorization'];
    const answer = async (): Promise<Reply> => {
      if (given !== `Bearer ${token}` && given !== `Bearer ${readOnlyToken}`) {
        return failure(401, 'unauthorized', 'unable to authenticate');
      }
      if (!bucket.take()) return failure(429, 'rate_limit_exceeded', 'rate limit exceeded');
      if (asked.method !== 'GET') {
        if (given !== `Bearer ${token}`) return failure(403, 'token_readonly', 'this token is only allowed to read');
        const locked = lockOf(state, asked.path);
        if (locked) return failure(423, 'locked', 'resource is locked');
      }
      return next();
    };
    const reply = await answer();
    return { ...reply, headers: { ...reply.headers, ...bucket.headers() } };
  };
}

function lockOf(state: State, path: string): boolean {
  const [, list = '', id = ''] = path.split('/');
  const left = state.locks.get(`${list} ${id}`) ?? 0;
  state.locks.set(`${list} ${id}`, Math.max(0, left - 1));
  return left > 0;
}

function routesOf(side: Collection['side'], state: State, settings: HetznerStandInSettings): readonly Route[] {
  const own = collections.filter((one) => one.side === side);
  const prefix = side === 'cloud' ? '' : '/storage_boxes';
  return [
    // Literal paths stand before those with a parameter.
    { method: 'GET', template: `${prefix}/actions`, handle: (asked) => actionsById(state, asked) },
    ...own.flatMap((collection) => collectionRoutes(collection, state, settings)),
    ...(side === 'cloud' ? cloudRoutes(state) : storageRoutes(state)),
    { method: 'GET', template: `${prefix}/actions/{id}`, handle: (asked) => actionById(state, asked) },
  ];
}

function actionsById(state: State, { query }: Asked): Reply {
  const wanted = new Set(query.getAll('id').map(Number));
  if (wanted.size > 25) return failure(400, 'invalid_input', 'at most 25 ids');
  const found = state.actions.filter(({ id }) => wanted.has(id));
  for (const action of found) ask(state, action);
  const left = state.actions.filter(({ id }) => wanted.has(id)).map(shownAction);
  return { status: 200, json: { actions: left, meta: metaOf(1, 25, left.length) } };
}

function actionById(state: State, { params }: Asked): Reply {
  const action = state.actions.find(({ id }) => String(id) === params['id']);
  if (action === undefined) return failure(404, 'not_found', 'action not found');
  return { status: 200, json: { action: shownAction(action) } };
}

function collectionRoutes(
  collection: Collection,
  state: State,
  { largestPage: most, machines }: HetznerStandInSettings,
): readonly Route[] {
  const { path, list } = collection;
  const real = list === 'servers' ? machines : undefined;
  const largestPage = most ?? (list === 'rrsets' ? 100 : 50);
  const member = list === 'rrsets' ? `${path}/{name}/{type}` : `${path}/{id}`;
  const found = (asked: Asked, use: (thing: Thing) => Reply): Reply => {
    const thing = thingAt(collection, state, asked);
    return thing === undefined ? failure(404, 'not_found', `${collection.one} not found`) : use(thing);
  };
  const routes: Route[] = [
    { method: 'GET', template: path, handle: (asked) => listed(collection, state, asked, largestPage) },
    {
      method: 'GET',
      template: member,
      handle: (asked) => found(asked, (thing) => ({ status: 200, json: { [collection.one]: thing } })),
    },
  ];
  if (!collection.writable) return routes;
  const actions = Object.entries(effects[list] ?? {}).map(([name, effect]): Route => ({
    method: 'POST',
    template: `${member}/actions/${name}`,
    handle: (asked) => {
      if (list === 'rrsets' && name === 'add_records') ensureSet(collection, state, asked);
      return found(asked, (thing) => act(collection, state, thing, effect, asked));
    },
  }));
  return [
    ...actions,
    ...(list === 'rrsets' || collection.within !== undefined || list === 'placement_groups' || list === 'ssh_keys'
      ? []
      : [
          {
            method: 'GET',
            template: `${member}/actions`,
            handle: (asked: Asked) => actionsOf(state, asked, collection),
          },
        ]),
    ...routes,
    {
      method: 'POST',
      template: path,
      handle: async (asked) => {
        const reply = create(collection, state, asked);
        if (real !== undefined && reply.status === 201) await handOut(real, state, bodyOf(asked));
        return reply;
      },
    },
    {
      method: 'PUT',
      template: member,
      handle: (asked) =>
        found(asked, (thing) => ({ status: 200, json: { [collection.one]: Object.assign(thing, bodyOf(asked)) } })),
    },
    {
      method: 'DELETE',
      template: member,
      handle: async (asked) => {
        const gone = thingAt(collection, state, asked);
        const reply = found(asked, (thing) => removed(collection, state, thing));
        if (reply.status === 200 && gone !== undefined) await real?.switchOff(String(gone['name']));
        return reply;
      },
    },
  ];
}

/** It has its address at once, and is not there before it is. */
async function handOut(machines: Machines, state: State, body: Thing): Promise<void> {
  const made = listOf(state, 'servers').find(({ name }) => name === body['name']) ?? {};
  const { ipv4 } = made['public_net'] as { readonly ipv4?: Thing };
  Object.assign(ipv4 ?? {}, { ip: machines.address });
  made['status'] = 'initializing';
  const { name, user_data: userData } = body;
  await machines.handOut(String(name), typeof userData === 'string' ? userData : '');
  made['status'] = 'running';
}

/** Adding records to a set that is not there makes it. */
function ensureSet(collection: Collection, state: State, asked: Asked): void {
  if (thingAt(collection, state, asked) !== undefined) return;
  const zone = byIdOrName(state, 'zones', asked.params['zone']);
  const { name, type } = asked.params;
  const { ttl } = bodyOf(asked);
  if (zone !== undefined)
    listOf(state, 'rrsets').push(makers['rrsets']?.({ name, type, ttl, records: [] }, state, zone) ?? {});
}

function bodyOf(asked: Asked): Thing {
  return (jsonOf(asked) ?? {}) as Thing;
}

function insideOf({ within, list }: Collection, state: State, { params }: Asked): readonly Thing[] {
  if (within === undefined) return listOf(state, list);
  const outer = byIdOrName(state, within.list, params[within.parameter]);
  return listOf(state, list).filter((thing) => thing[within.field] === outer?.['id']);
}

function byIdOrName(state: State, list: string, reference: string | undefined): Thing | undefined {
  return thingById(state, list, reference) ?? listOf(state, list).find(({ name }) => name === reference);
}

function thingAt(collection: Collection, state: State, asked: Asked): Thing | undefined {
  const { params } = asked;
  const things = insideOf(collection, state, asked);
  if (collection.list === 'rrsets') {
    return things.find(({ name, type }) => name === params['name'] && type === params['type']);
  }
  if (collection.list === 'zones') return byIdOrName(state, 'zones', params['id']);
  return things.find(({ id }) => String(id) === params['id']);
}

function metaOf(page: number, perPage: number, total: number) {
  const last = Math.max(1, Math.ceil(total / perPage));
  return {
    pagination: {
      page,
      per_page: perPage,
      previous_page: page > 1 ? page - 1 : null,
      next_page: page < last ? page + 1 : null,
      last_page: last,
      total_entries: total,
    },
  };
}

function listed(collection: Collection, state: State, asked: Asked, largestPage: number): Reply {
  const { query } = asked;
  const things = sorted(filtered(insideOf(collection, state, asked), query), query);
  if (!collection.paged) return { status: 200, json: { [collection.list]: things } };
  return pageOf(collection.list, things, query, largestPage);
}

function pageOf(list: string, things: readonly Thing[], query: URLSearchParams, largestPage: number): Reply {
  const perPage = Math.min(largestPage, Number(query.get('per_page') ?? 25));
  const page = Number(query.get('page') ?? 1);
  const some = things.slice((page - 1) * perPage, page * perPage);
  return { status: 200, json: { [list]: some, meta: metaOf(page, perPage, things.length) } };
}

function actionsOf(state: State, asked: Asked, { list, one }: Collection): Reply {
  const owner = list === 'zones' ? byIdOrName(state, list, asked.params['id'])?.['id'] : Number(asked.params['id']);
  const found = state.actions.filter(({ resources }) => resources.some(({ id, type }) => id === owner && type === one));
  const all = sorted(filtered(found.map(shownAction), asked.query), asked.query);
  return pageOf('actions', all, asked.query, 50);
}

function create(collection: Collection, state: State, asked: Asked): Reply {
  const body = bodyOf(asked);
  const outer =
    collection.within === undefined
      ? undefined
      : byIdOrName(state, collection.within.list, asked.params[collection.within.parameter]);
  if (collection.list === 'ssh_keys' && !/^(ssh|ecdsa)-/.test(String(body['public_key']))) {
    return failure(400, 'invalid_input', 'invalid input in fields', {
      fields: [{ name: 'public_key', messages: ['SSH key format is invalid'] }],
    });
  }
  const same = insideOf(collection, state, asked).some(
    ({ name, type }) => name === body['name'] && (collection.list !== 'rrsets' || type === body['type']),
  );
  if (collection.unique && body['name'] !== undefined && same) {
    return failure(409, 'uniqueness_error', 'name is already used');
  }
  const thing = makers[collection.list]?.(body, state, outer) ?? {};
  const refusal = collection.list === 'rrsets' ? refusedSet(thing, state) : undefined;
  if (refusal !== undefined) return failure(refusal.status, refusal.code, refusal.message);
  if (collection.list === 'servers') thing['status'] = 'initializing';
  listOf(state, collection.list).push(thing);
  const { one, created, terse } = collection;
  const shown = terse === true ? { id: thing['id'], storage_box: thing['storage_box'] } : thing;
  const answer: Thing = { [one]: structuredClone(shown) };
  if (created !== undefined) {
    const owner = outer ?? thing;
    const type = collection.within === undefined ? one : collection.within.field;
    const begun = beginAction(state, created, [{ id: owner['id'] as number, type }], () => settle(thing, body));
    answer['action'] = shownAction(begun);
  }
  if (collection.list === 'servers') {
    Object.assign(answer, {
      next_actions: [],
      root_password: (body['ssh_keys'] as unknown[] | undefined)?.length ? null : 'YItygq1v3GYjjMomLaKc',
    });
  }
  if (collection.list === 'volumes') answer['next_actions'] = [];
  if (collection.list === 'firewalls') answer['actions'] = [];
  return { status: 201, json: answer };
}

/** A server is made before it is there. */
function settle(thing: Thing, body: Thing): void {
  if (thing['status'] !== 'initializing') return;
  thing['status'] = body['start_after_create'] === false ? 'off' : 'running';
}

function removed(collection: Collection, state: State, thing: Thing): Reply {
  const protection = (thing['protection'] ?? {}) as Thing;
  if (protection['delete'] === true || protection['change'] === true) {
    return failure(423, 'protected', `${collection.one} deletion is protected`);
  }
  forget(state, collection.list, thing);
  if (collection.deleted === undefined) return { status: 204 };
  const owner = collection.within === undefined ? thing['id'] : thing[collection.within.field];
  const type = collection.within === undefined ? collection.one : collection.within.field;
  const action = beginAction(state, collection.deleted, [{ id: owner as number, type }]);
  return { status: collection.list === 'servers' ? 200 : 201, json: { action: shownAction(action) } };
}

function act(collection: Collection, state: State, thing: Thing, effect: Effect, asked: Asked): Reply {
  const body = bodyOf(asked);
  const refusal = effect.rule?.(thing, body, state);
  if (refusal !== undefined) return failure(refusal.status, refusal.code, refusal.message);
  const owner = collection.within === undefined ? thing['id'] : thing[collection.within.field];
  const type = collection.within === undefined ? collection.one : collection.within.field;
  const action: StoredAction = beginAction(state, effect.command, [{ id: owner as number, type }], () =>
    effect.apply?.(thing, body, state),
  );
  const extra = effect.extra?.(thing, body, state) ?? {};
  const answer = effect.many === true ? { actions: [shownAction(action)] } : { action: shownAction(action) };
  const status = asked.path.endsWith('/update_records') ? 200 : 201;
  return { status, json: { ...extra, ...answer } };
}

const series = (names: readonly string[], query: URLSearchParams) => ({
  metrics: {
    start: query.get('start'),
    end: query.get('end'),
    step: Number(query.get('step') ?? 60),
    time_series: Object.fromEntries(
      names.map((name) => [
        name,
        {
          values: [
            [1435781470.622, '42'],
            [1435781530.622, '43.5'],
          ],
        },
      ]),
    ),
  },
});

function cloudRoutes(state: State): readonly Route[] {
  const metrics = (list: string): Route => ({
    method: 'GET',
    template: `/${list}/{id}/metrics`,
    handle: ({ query, params }) =>
      thingById(state, list, params['id']) === undefined
        ? failure(404, 'not_found', 'not found')
        : { status: 200, json: series(query.getAll('type'), query) },
  });
  return [
    { method: 'GET', template: '/pricing', handle: () => ({ status: 200, json: { pricing: catalogue.pricing } }) },
    metrics('servers'),
    metrics('load_balancers'),
    {
      method: 'GET',
      template: '/zones/{zone}/zonefile',
      handle: ({ params }) => {
        const zone = byIdOrName(state, 'zones', params['zone']);
        if (zone === undefined) return failure(404, 'not_found', 'zone not found');
        return { status: 200, json: { zonefile: zoneFileOf(zone, state) } };
      },
    },
    { method: 'GET', template: '/datacenters', handle: () => failure(410, 'deprecated_api_endpoint', 'use locations') },
  ];
}

function storageRoutes(state: State): readonly Route[] {
  return [
    {
      method: 'GET',
      template: '/storage_boxes/{id}/folders',
      handle: ({ params }) =>
        thingById(state, 'storage_boxes', params['id']) === undefined
          ? failure(404, 'not_found', 'storage box not found')
          : { status: 200, json: { folders: ['backups', 'photos'] } },
    },
  ];
}
