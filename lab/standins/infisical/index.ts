import { randomBytes, randomUUID } from 'node:crypto';
import type { ExchangeAnswer, ExchangeRequest } from '../contract';
import { type Fault, type Seen, startStandIn } from '../http';
import { accessRoutes } from './access';
import { kmsRoutes } from './kms';
import { leaseRoutes } from './leases';
import type { Way, WayIn } from './logins';
import { newProject, projectRoutes } from './projects';
import { notFound, Refusal, refused } from './refusal';
import { secretRoutes } from './secrets';
import { type Approval, type Folder, type Identity, isoOf, newFolder, type Project, type State } from './state';

export type { Project } from './state';

export interface InfisicalStandInSettings {
  readonly now?: () => number;
  /** How long a token lives; 7200 as a fresh server has it. */
  readonly tokenSeconds?: number;
  readonly tokenMaxSeconds?: number;
  /** The shortest that a login may be leased for; a minute as with a real server. */
  readonly shortestTtlSeconds?: number;
  /** So many requests in a minute; unlimited by default. */
  readonly requestsPerMinute?: number;
  /** Where the roles of dynamic secrets are made and dropped. */
  readonly sql?: (text: string) => Promise<string>;
  readonly onExchange?: (request: ExchangeRequest, answer: ExchangeAnswer | undefined) => void;
}

export interface InfisicalStandIn {
  readonly url: string;
  readonly addProject: (name: string, slug?: string) => Project;
  readonly addIdentity: (identity?: Partial<Pick<Identity, 'blind' | 'readOnly' | 'projects'>>) => Identity;
  /** Another way for it to log in. */
  readonly letIn: (identity: Identity, way: Way) => void;
  /** As if somebody had made it in the web page. `/immich` is made when it is missing. */
  readonly put: (
    project: Project,
    environment: string,
    path: string,
    secrets: Readonly<Record<string, string>>,
  ) => void;
  /** Gives a secret its one tag. */
  readonly tag: (project: Project, environment: string, path: string, key: string, tag: string) => void;
  readonly addImport: (project: Project, into: string, from: string) => void;
  /** From now on changes there wait for approval: `prod:/`. */
  readonly protect: (project: Project, place: string) => void;
  readonly addDynamicSecret: (project: Project, environment: string, path: string, name: string) => void;
  readonly addKey: () => string;
  readonly value: (project: Project, environment: string, path: string, key: string) => string | undefined;
  readonly approvals: readonly Approval[];
  readonly leasedPasswords: readonly string[];
  /** Every token is gone, as after a restore of the server. */
  readonly dropTokens: () => void;
  /** How often somebody logged in. */
  readonly logins: () => number;
  readonly seen: readonly Seen[];
  readonly fail: (fault: Fault) => void;
  readonly forget: () => void;
  readonly close: () => Promise<void>;
}

const MINUTE_MS = 60_000;

/** An Infisical on the loopback, by the facts of its source. It forgets everything when it is closed. */
export async function startInfisical(settings: InfisicalStandInSettings = {}): Promise<InfisicalStandIn> {
  const state: State = {
    projects: new Map(),
    identities: new Map(),
    tokens: new Map(),
    approvals: [],
    leasedPasswords: [],
    shortestTtlMs: (settings.shortestTtlSeconds ?? 60) * 1000,
    now: settings.now ?? Date.now,
    tokenSeconds: settings.tokenSeconds ?? 7200,
    tokenMaxSeconds: settings.tokenMaxSeconds ?? 2_592_000,
    sql: settings.sql,
  };
  const keys = new Map<string, Buffer>();
  const ways: WayIn[] = [];
  let window = { begun: state.now(), requests: 0 };
  const limited = (): Readonly<Record<string, string>> => {
    const limit = settings.requestsPerMinute;
    if (limit === undefined) return {};
    if (state.now() >= window.begun + MINUTE_MS) window = { begun: state.now(), requests: 0 };
    window.requests += 1;
    const seconds = String(Math.ceil((window.begun + MINUTE_MS - state.now()) / 1000));
    const headers = {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(Math.max(limit - window.requests, 0)),
      'x-ratelimit-reset': seconds,
    };
    if (window.requests > limit) {
      throw new Refusal(429, 'RateLimitExceeded', `Rate limit exceeded. Please try again in ${seconds} seconds`, {
        ...headers,
        'retry-after': seconds,
      });
    }
    return headers;
  };
  const server = await startStandIn({
    routes: [
      ...accessRoutes(state, ways),
      ...secretRoutes(state),
      ...projectRoutes(state),
      ...leaseRoutes(state),
      ...kmsRoutes(state, keys),
    ],
    unknown: () => refused(new Refusal(404, 'Not Found', 'Route not found')),
    around: async (_asked, next) => {
      try {
        const headers = limited();
        const reply = await next();
        return { ...reply, headers: { ...headers, ...reply.headers } };
      } catch (error) {
        if (error instanceof Refusal) return refused(error);
        throw error;
      }
    },
    ...(settings.onExchange !== undefined && { onExchange: settings.onExchange }),
  });

  const folderOf = (project: Project, slug: string, path: string): Folder => {
    const environment = project.environments.get(slug) ?? notFound(slug);
    const parts = path.split('/').filter((part) => part !== '');
    parts.forEach((_, at) => {
      const above = `/${parts.slice(0, at + 1).join('/')}`;
      if (!environment.folders.has(above)) environment.folders.set(above, newFolder(above));
    });
    return environment.folders.get(`/${parts.join('/')}`) ?? notFound(path);
  };
  const split = (place: string): [string, string] => {
    const at = place.indexOf(':');
    return [place.slice(0, at), place.slice(at + 1)];
  };
  return {
    url: server.url,
    addProject: (name, slug = name) => newProject(state, name, slug),
    addIdentity: (identity = {}) => {
      const made: Identity = {
        blind: false,
        readOnly: false,
        projects: undefined,
        ...identity,
        id: randomUUID(),
        clientId: randomUUID(),
        clientSecret: randomBytes(32).toString('hex'),
      };
      state.identities.set(made.clientId, made);
      return made;
    },
    letIn: (identity, way) => void ways.push({ identity, way }),
    put: (project, environment, path, secrets) => {
      const folder = folderOf(project, environment, path);
      for (const [key, value] of Object.entries(secrets)) {
        const at = isoOf(state.now());
        const known = folder.secrets.get(key);
        const version = { value, comment: '', at };
        if (known === undefined) folder.secrets.set(key, { id: randomUUID(), key, versions: [version], createdAt: at });
        else known.versions.push(version);
      }
    },
    tag: (project, environment, path, key, tag) => {
      const { secrets } = folderOf(project, environment, path);
      const known = secrets.get(key) ?? notFound(key);
      secrets.set(key, { ...known, tags: [tag] });
    },
    addImport: (project, into, from) => {
      const [environment, path] = split(from);
      folderOf(project, ...split(into)).imports.push({ environment, path });
    },
    protect: (project, place) => void project.protectedPlaces.add(place),
    addDynamicSecret: (project, environment, path, name) => {
      const dynamic = { id: randomUUID(), name, defaultTtlMs: 3_600_000, leases: new Map() };
      folderOf(project, environment, path).dynamic.set(name, dynamic);
    },
    addKey: () => {
      const id = randomUUID();
      keys.set(id, randomBytes(32));
      return id;
    },
    value: (project, environment, path, key) =>
      project.environments.get(environment)?.folders.get(path)?.secrets.get(key)?.versions.at(-1)?.value,
    approvals: state.approvals,
    leasedPasswords: state.leasedPasswords,
    dropTokens: () => state.tokens.clear(),
    logins: () => server.seen.filter(({ url }) => url.endsWith('-auth/login')).length,
    seen: server.seen,
    fail: server.fail,
    forget: server.forget,
    close: server.close,
  };
}
