import type { Damage } from './registry';

/** What the server knows. Its repositories are real ones, on disk. */
export interface State {
  version: string;
  readonly root: string;
  readonly url: () => string;
  readonly users: Map<string, User>;
  readonly organizations: Set<string>;
  readonly tokens: Map<string, Token>;
  readonly repositories: Map<string, Repository>;
  /** Of the whole server. */
  readonly systemHooks: Hook[];
  readonly organizationHooks: Map<string, Hook[]>;
  readonly packages: Package[];
  /** What is wrong with the storage of the registry, by digest. */
  readonly damages: Map<string, Damage>;
  readonly largestCatalogPage: number;
  readonly deliveries: Delivery[];
  readonly deliveryTimeoutMs: number;
  /** Where the address of a hook leads in the lab. */
  readonly deliverTo: (url: string) => string;
  /** What a server that goes down has in its queue. */
  readonly undelivered: { isDown: boolean; readonly tasks: DeliveryTask[] };
  readonly nextId: () => number;
  readonly now: () => string;
  /** MAX_RESPONSE_ITEMS of the server. */
  readonly largestPage: number;
  /** What hook events this version knows beyond the old ones. */
  readonly knowsRuns: () => boolean;
}

export interface User {
  readonly id: number;
  readonly login: string;
  readonly isAdmin: boolean;
}

export interface Token {
  readonly user: string;
  /** `write:repository`; undefined: all. */
  readonly scopes: readonly string[] | undefined;
}

export interface Repository {
  readonly id: number;
  readonly owner: string;
  readonly name: string;
  description: string;
  isPrivate: boolean;
  defaultBranch: string;
  readonly created: string;
  /** What else was set of it. */
  readonly more: Record<string, unknown>;
  topics: readonly string[];
  readonly hooks: Hook[];
  readonly statuses: Status[];
}

export interface Status {
  readonly id: number;
  readonly sha: string;
  readonly state: string;
  readonly context: string;
  readonly description: string;
  readonly targetUrl: string;
  readonly created: string;
  readonly creator: string;
}

export interface Hook {
  readonly id: number;
  url: string;
  contentType: string;
  readonly secret: string;
  active: boolean;
  events: readonly string[];
  branchFilter: string;
  readonly type: string;
  readonly created: string;
}

export interface Package {
  readonly id: number;
  readonly owner: string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly created: string;
  readonly files: readonly { readonly name: string; readonly size: number; readonly sha256?: string }[];
  /** Of an image: what the registry serves. */
  readonly container?: {
    readonly type: string;
    readonly digest: string;
    readonly manifest: Buffer;
    /** By digest. */
    readonly blobs: ReadonlyMap<string, Buffer>;
  };
}

/** What one hook has to send. */
export interface DeliveryTask {
  readonly id: string;
  readonly hook: number;
  readonly event: string;
  /** The aggregated name, for X-Forgejo-Event. */
  readonly header: string;
  readonly body: string;
}

/** One attempt of one hook. There is no other: Forgejo does not try again by itself. */
export interface Delivery extends DeliveryTask {
  /** Undefined when nobody answered. */
  readonly status: number | undefined;
  /** The body of the answer, which the settings of the hook show. */
  readonly said: string;
}

export function keyOf(owner: string, name: string): string {
  return `${owner}/${name}`.toLowerCase();
}
