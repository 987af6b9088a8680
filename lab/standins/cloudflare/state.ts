export type Plan = 'free' | 'pro' | 'business' | 'enterprise';

export interface StoredRecord {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly data: Readonly<Record<string, unknown>> | undefined;
  readonly priority: number | undefined;
  readonly ttl: number;
  readonly proxied: boolean;
  readonly comment: string | undefined;
  readonly tags: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly created: string;
  readonly modified: string;
}

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly accountId: string;
  readonly plan: Plan;
  readonly nameServers: readonly string[];
  readonly created: string;
  /** In the order of creation. Replaced as a whole, so that a transaction can be undone. */
  records: ReadonlyMap<string, StoredRecord>;
  /** Found by a scan, and not accepted yet. */
  scanned: readonly StoredRecord[];
  dnssec: 'active' | 'pending' | 'disabled' | 'pending-disabled';
  readonly settings: Map<string, unknown>;
  readonly purges: unknown[];
  readonly healthChecks: Map<string, Readonly<Record<string, unknown>>>;
}

export interface Token {
  readonly value: string;
  readonly id: string;
  readonly status: 'active' | 'disabled' | 'expired';
  /** `dns_records:edit`; editing does not include reading here, as it does not there. */
  readonly permissions: readonly string[];
  /** Whose it is; each is verified at another address. */
  readonly owner: 'user' | 'account';
  /** Names of zones; undefined means all. */
  readonly zones?: readonly string[];
}

export interface State {
  readonly zones: Map<string, Zone>;
  readonly tokens: Map<string, Token>;
  readonly pools: Map<string, Readonly<Record<string, unknown>>>;
  readonly monitors: Map<string, Readonly<Record<string, unknown>>>;
  readonly now: () => string;
  /** 32 hexadecimal digits, the same in every run. */
  readonly newId: () => string;
  readonly largestPage: number;
  readonly identical: 81057 | 81058;
  /** What a scan finds in every zone: records as they are created. */
  readonly scanFinds: readonly Readonly<Record<string, unknown>>[];
}

export const quotas: Readonly<Record<Plan, { batch: number; tags: number; comment: number; leastTtl: number }>> = {
  free: { batch: 200, tags: 0, comment: 100, leastTtl: 60 },
  pro: { batch: 3500, tags: 20, comment: 500, leastTtl: 60 },
  business: { batch: 3500, tags: 20, comment: 500, leastTtl: 60 },
  enterprise: { batch: 3500, tags: 20, comment: 500, leastTtl: 30 },
};

export const allPermissions = [
  'zone:read',
  'zone:edit',
  'zone_settings:read',
  'zone_settings:edit',
  'dns_records:read',
  'dns_records:edit',
  'cache_purge:edit',
  'healthchecks:read',
  'healthchecks:edit',
  'lb:read',
  'lb:edit',
];
