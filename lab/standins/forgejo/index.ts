import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isObject } from '../../../lib/json';
import type { ExchangeAnswer, ExchangeRequest } from '../contract';
import { type Asked, type Fault, type Reply, type Route, type Seen, startStandIn } from '../http';
import { authorize, userOf, userOfToken } from './access';
import { compareRoutes } from './compare';
import { contentRoutes } from './contents';
import { deliver, replay, send, sendUndelivered } from './deliver';
import { type Described, describedRoutes, type Thing } from './described';
import { folderOf, httpBackend, references } from './git';
import { type ImageSettings, pushImage, type PushedImage } from './images';
import { hookRoutes } from './hooks';
import { packageRoutes } from './packages';
import { paged } from './paged';
import { tellPushes } from './pushed';
import { referenceRoutes } from './references';
import { notFound, Refusal, refused } from './refusal';
import { type Damage, serveRegistry } from './registry';
import { keep } from './snapshot';
import { makeRepository, repositoryRoutes } from './repositories';
import { type Run, runRoutes } from './runs';
import { type Delivery, type Hook, keyOf, type Package, type Repository, type State } from './state';
import { shownUser } from './shown';
import { statusRoutes } from './statuses';

export type { Delivery, Hook, Package, Repository } from './state';

export interface ForgejoSettings {
  /** As the server says it; `15.0.3+gitea-1.22.0` when left out. */
  readonly version?: string;
  readonly largestPage?: number;
  /** Images on a page of the registry. */
  readonly largestCatalogPage?: number;
  /** DELIVER_TIMEOUT of the section [webhook]; five seconds where nobody says otherwise. */
  readonly deliveryTimeoutMs?: number;
  /** Hooks are made under the public address of an n8n, and delivered to where that leads in the lab. */
  readonly deliverTo?: (url: string) => string;
  /** The description of the API: what no file of this folder serves is served as it says. */
  readonly description?: unknown;
  readonly onExchange?: (request: ExchangeRequest, answer: ExchangeAnswer | undefined) => void;
}

export interface ForgejoStandIn {
  /** Without `/api/v1`. */
  readonly url: string;
  readonly addUser: (login: string, isAdmin?: boolean) => void;
  readonly addOrganization: (name: string) => void;
  /** With all scopes, or with these. */
  readonly addToken: (user: string, scopes?: readonly string[]) => string;
  readonly addRepository: (owner: string, name: string) => Promise<Repository>;
  readonly addPackage: (found: Omit<Package, 'id'>) => void;
  /** As `docker push` leaves it. */
  readonly pushImage: (image: ImageSettings) => PushedImage;
  /** Breaks the storage of its registry, or mends it. */
  readonly damage: (digest: string, damage: Damage | 'none') => void;
  readonly hooksOf: (place: { readonly repository: string } | { readonly organization: string } | 'system') => Hook[];
  /** Every attempt of every hook, in order. */
  readonly deliveries: readonly Delivery[];
  /** Sends one again under its old id, as a proxy does that does not know whether it had. */
  readonly repeat: (delivery: Delivery) => Promise<void>;
  /** _Replay_ in the settings of the hook: the same content as a new delivery. */
  readonly replay: (delivery: Delivery) => Promise<void>;
  /** From now on deliveries stay in its queue, as when it is shut down right after something happened, */
  readonly stopSending: () => void;
  /** and now it is up again and sends them. */
  readonly sendAgain: () => Promise<void>;
  /** As if it had happened on the server. */
  readonly happen: typeof deliver extends (state: State, happened: infer Happened) => unknown
    ? (happened: Happened) => Promise<void>
    : never;
  /** Keeps everything as it is now; what comes back puts it there again. */
  readonly snapshot: () => () => void;
  readonly setVersion: (version: string) => void;
  /** As if somebody had made something that only the description knows. */
  readonly add: Described['add'];
  readonly things: Described['things'];
  readonly runs: readonly Run[];
  /** What the next runs go through, one status each time somebody asks. */
  readonly runsWillGo: (...statuses: readonly string[]) => void;
  readonly seen: readonly Seen[];
  readonly fail: (fault: Fault) => void;
  /** Forgets what it has seen, and the faults that were not used. */
  readonly forget: () => void;
  readonly close: () => Promise<void>;
}

/** A Forgejo on the loopback: its repositories can be cloned and pushed to, its hooks are sent and signed. */
export async function startForgejo(settings: ForgejoSettings = {}): Promise<ForgejoStandIn> {
  const root = mkdtempSync(join(tmpdir(), 'forgejo-stand-in-'));
  let ids = 0;
  let url = '';
  const state: State = {
    version: settings.version ?? '15.0.3+gitea-1.22.0',
    root,
    url: () => url,
    users: new Map(),
    organizations: new Set(),
    tokens: new Map(),
    repositories: new Map(),
    systemHooks: [],
    organizationHooks: new Map(),
    packages: [],
    damages: new Map(),
    largestCatalogPage: settings.largestCatalogPage ?? 100,
    deliveries: [],
    deliveryTimeoutMs: settings.deliveryTimeoutMs ?? 5000,
    deliverTo: settings.deliverTo ?? ((url) => url),
    undelivered: { isDown: false, tasks: [] },
    nextId: () => (ids += 1),
    now: () => new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    largestPage: settings.largestPage ?? 50,
    knowsRuns: () => Number.parseInt(state.version, 10) >= 15,
  };
  const runs = runRoutes(state);
  const described = isObject(settings.description)
    ? describedRoutes(state, settings.description)
    : { routes: [], things: [], add: () => ({}) };
  const server = await startStandIn({
    routes: [
      ...serverRoutes(state, described.things),
      ...hookRoutes(state),
      ...repositoryRoutes(state),
      ...contentRoutes(state),
      ...statusRoutes(state),
      ...compareRoutes(state),
      ...packageRoutes(state),
      ...referenceRoutes(state),
      ...runs.routes,
      ...described.routes,
    ],
    unknown: () => refused(notFound()),
    around: async (asked, next) => {
      try {
        if (/^\/v2(\/|$)/.test(asked.path)) return serveRegistry(state, asked);
        if (!asked.path.startsWith('/api/')) return await serveGit(state, asked);
        authorize(state, asked);
        return await next();
      } catch (error) {
        if (error instanceof Refusal) return refused(error);
        throw error;
      }
    },
    onExchange: (request, answer) => {
      if (!request.url.startsWith('/api/v1')) return;
      settings.onExchange?.({ ...request, url: request.url.slice('/api/v1'.length) }, answer);
    },
  });
  url = server.url;

  return {
    url,
    addUser: (login, isAdmin = false) => {
      state.users.set(login.toLowerCase(), { id: state.nextId(), login, isAdmin });
    },
    addOrganization: (name) => void state.organizations.add(name.toLowerCase()),
    addToken: (user, scopes) => {
      const value = randomBytes(20).toString('hex');
      state.tokens.set(value, { user, scopes });
      return value;
    },
    addRepository: (owner, name) =>
      makeRepository(state, { owner, name, description: '', isPrivate: false, defaultBranch: 'main' }),
    addPackage: (found) => void state.packages.push({ ...found, id: state.nextId() }),
    pushImage: (image) => pushImage(state, image),
    damage: (digest, damage) => {
      if (damage === 'none') state.damages.delete(digest);
      else state.damages.set(digest, damage);
    },
    hooksOf: (place) => {
      if (place === 'system') return state.systemHooks;
      if ('organization' in place) return state.organizationHooks.get(place.organization.toLowerCase()) ?? [];
      return state.repositories.get(place.repository.toLowerCase())?.hooks ?? [];
    },
    deliveries: state.deliveries,
    repeat: (delivery) => send(state, delivery),
    replay: (delivery) => replay(state, delivery),
    stopSending: () => {
      state.undelivered.isDown = true;
    },
    sendAgain: () => sendUndelivered(state),
    happen: (happened) => deliver(state, happened),
    snapshot: () => keep(state, described.things, runs.all),
    setVersion: (version) => {
      state.version = version;
    },
    add: described.add,
    things: described.things,
    runs: runs.all,
    runsWillGo: runs.willGo,
    seen: server.seen,
    fail: server.fail,
    forget: server.forget,
    close: async () => {
      await server.close();
      rmSync(root, { recursive: true, force: true });
      rmSync(`${root}.kept`, { recursive: true, force: true });
    },
  };
}

function serverRoutes(state: State, things: readonly Thing[]): readonly Route[] {
  return [
    { method: 'GET', template: '/api/v1/version', handle: () => ({ status: 200, json: { version: state.version } }) },
    {
      method: 'GET',
      template: '/api/v1/user',
      handle: (asked) => ({ status: 200, json: shownUser(state, userOf(state, asked)?.login ?? '') }),
    },
    {
      method: 'GET',
      // Before that of a repository, which would take it for one of `issues`.
      template: '/api/v1/repos/issues/search',
      handle: (asked) => {
        const found = things.filter(({ list }) => list === '/repos/issues/search');
        return paged(
          state,
          asked,
          found.map(({ value }) => value),
        );
      },
    },
    { method: 'GET', template: '/api/v1/user/orgs', handle: (asked) => paged(state, asked, []) },
  ];
}

/** `/owner/name.git/…`: anybody may read what is public, whoever has a token may do the rest. */
async function serveGit(state: State, asked: Asked): Promise<Reply> {
  const [, owner = '', name = '', rest = ''] = /^\/([^/]+)\/([^/]+?)(?:\.git)?(\/.+)$/.exec(asked.path) ?? [];
  const repository = state.repositories.get(keyOf(owner, name));
  if (repository === undefined) throw notFound();
  const user = gitUser(state, asked);
  const isPush = rest === '/git-receive-pack' || asked.query.get('service') === 'git-receive-pack';
  if (user === undefined && (isPush || repository.isPrivate)) {
    return { status: 401, headers: { 'www-authenticate': 'Basic realm="Gitea"' }, text: 'Unauthorized' };
  }
  const folder = folderOf(state, repository);
  const before = isPush ? await references(folder) : undefined;
  const pathInfo = `${folder.slice(state.root.length)}${rest}`;
  const reply = await httpBackend(state, asked, pathInfo, user?.login);
  if (before !== undefined && rest === '/git-receive-pack') {
    await tellPushes(state, repository, before, await references(folder), user?.login ?? repository.owner);
  }
  return reply;
}

/** A token is the password of any user name, or the user name itself. */
function gitUser(state: State, { headers }: Asked) {
  const [, encoded = ''] = /^basic (.+)$/i.exec(headers['authorization'] ?? '') ?? [];
  const [name = '', password = ''] = Buffer.from(encoded, 'base64').toString().split(':');
  return userOfToken(state, password) ?? userOfToken(state, name);
}
