import type { ExchangeAnswer, ExchangeRequest } from '../contract';
import { type LabDnsServer, startDnsServer } from '../../dns-server';
import { servedRecords } from '../../served-records';
import { parseRecord } from '../../../lib/cloudflare/records';
import { observed } from '../../../lib/dns/providers/cloudflare';
import { type Fault, type Seen, startStandIn } from '../http';
import { accountRoutes } from './account';
import { create, transaction } from './batch';
import { Refusal, refused } from './envelope';
import { recordRoutes } from './records';
import { shown } from './record';
import { allPermissions, type Plan, type State, type StoredRecord, type Token, type Zone } from './state';
import { zoneFile } from './zone-file';
import { zoneRoutes } from './zones';

export { allPermissions, type StoredRecord, type Zone } from './state';

export interface CloudflareSettings {
  /** Lists come in pages of at most this many, whatever is asked for. */
  readonly largestPage?: number;
  /** Which of the two codes an identical record gets; Cloudflare has used both. */
  readonly identical?: 81057 | 81058;
  readonly scanFinds?: readonly Readonly<Record<string, unknown>>[];
  readonly onExchange?: (request: ExchangeRequest, answer: ExchangeAnswer | undefined) => void;
}

export interface CloudflareStandIn {
  /** `http://127.0.0.1:1234/client/v4` */
  readonly url: string;
  readonly accountId: string;
  readonly addZone: (name: string, plan?: Plan) => Zone;
  /** As if somebody had made it in the dashboard. */
  readonly addRecord: (zone: Zone, record: Readonly<Record<string, unknown>>) => StoredRecord;
  /** A token with all permissions, or with these. */
  readonly addToken: (token?: Partial<Omit<Token, 'id' | 'value'>>) => string;
  readonly addPool: (pool: Readonly<Record<string, unknown>>) => string;
  readonly addMonitor: (monitor: Readonly<Record<string, unknown>>) => string;
  readonly addHealthCheck: (zone: Zone, check: Readonly<Record<string, unknown>>) => string;
  readonly exported: (zone: Zone) => string;
  readonly zones: ReadonlyMap<string, Zone>;
  readonly seen: readonly Seen[];
  /** The requests that were to change something. */
  readonly writes: () => readonly Seen[];
  readonly fail: (fault: Fault) => void;
  readonly tooManyRequests: (retryAfterSeconds: number, times?: number) => void;
  /** Serves all zones over UDP and TCP, as they are at each question. Proxied names answer with this address. */
  readonly serveDns: (proxyAddress: string) => Promise<LabDnsServer>;
  readonly forget: () => void;
  readonly close: () => Promise<void>;
}

/** A Cloudflare on the loopback, as far as DNS and what belongs to it goes. It forgets everything when it is closed. */
export async function startCloudflare(settings: CloudflareSettings = {}): Promise<CloudflareStandIn> {
  let count = 0;
  let rays = 0;
  const nameServers: LabDnsServer[] = [];
  const newId = () => (count += 1).toString(16).padStart(32, 'c0ffee00'.repeat(4));
  const state: State = {
    zones: new Map(),
    tokens: new Map(),
    pools: new Map(),
    monitors: new Map(),
    now: () => new Date().toISOString(),
    newId,
    largestPage: settings.largestPage ?? 5_000_000,
    identical: settings.identical ?? 81058,
    scanFinds: settings.scanFinds ?? [],
  };
  const accountId = newId();
  const server = await startStandIn({
    basePath: '/client/v4',
    routes: [...zoneRoutes(state), ...recordRoutes(state), ...accountRoutes(state)],
    unknown: () => refused(new Refusal(400, [{ code: 7000, message: 'No route for that URI' }])),
    around: async (_asked, next) => {
      rays += 1;
      const ray = { 'cf-ray': `${rays.toString(16).padStart(16, '0')}-TST` };
      try {
        const reply = await next();
        return { ...reply, headers: { ...ray, ...reply.headers } };
      } catch (error) {
        if (error instanceof Refusal) return { ...refused(error), headers: ray };
        throw error;
      }
    },
    ...(settings.onExchange !== undefined && { onExchange: settings.onExchange }),
  });

  const keep = (all: Map<string, Readonly<Record<string, unknown>>>, thing: Readonly<Record<string, unknown>>) => {
    const id = newId();
    all.set(id, { ...thing, id });
    return id;
  };
  return {
    url: server.url,
    accountId,
    addZone: (name, plan = 'free') => {
      const zone: Zone = {
        id: newId(),
        name,
        accountId,
        plan,
        nameServers: ['ada.ns.cloudflare.com', 'bob.ns.cloudflare.com'],
        created: '2026-01-01T00:00:00Z',
        records: new Map(),
        scanned: [],
        dnssec: 'disabled',
        settings: new Map<string, unknown>([
          ['ssl', 'full'],
          ['always_use_https', 'off'],
          ['browser_cache_ttl', 14_400],
          ['development_mode', 'off'],
        ]),
        purges: [],
        healthChecks: new Map(),
      };
      state.zones.set(zone.id, zone);
      return zone;
    },
    addRecord: (zone, record) => transaction(zone, (draft) => create(state, zone, draft, record)),
    addToken: (token = {}) => {
      const value = `token-${newId().slice(-8)}`;
      state.tokens.set(value, {
        status: 'active',
        owner: 'user',
        permissions: allPermissions,
        ...token,
        value,
        id: newId(),
      });
      return value;
    },
    addPool: (pool) => keep(state.pools, pool),
    addMonitor: (monitor) => keep(state.monitors, monitor),
    addHealthCheck: (zone, check) => keep(zone.healthChecks, check),
    exported: zoneFile,
    zones: state.zones,
    seen: server.seen,
    writes: () => server.seen.filter(({ method }) => method !== 'GET'),
    fail: server.fail,
    tooManyRequests: (retryAfterSeconds, times = 1) =>
      server.fail({
        kind: 'answer',
        times,
        reply: {
          ...refused(
            new Refusal(429, [{ code: 971, message: 'Please wait and consider throttling your request speed' }]),
          ),
          headers: { 'retry-after': String(retryAfterSeconds), 'cf-ray': 'throttled-TST' },
        },
      }),
    serveDns: async (proxyAddress) => {
      const dns = await startDnsServer({
        records: () =>
          [...state.zones.values()].flatMap((zone) => {
            const records = [...zone.records.values()].map((record) => parseRecord(shown(zone, record)));
            return servedRecords(
              records.map((record) => observed(record, zone.name)),
              proxyAddress,
            );
          }),
      });
      nameServers.push(dns);
      return dns;
    },
    forget: server.forget,
    close: async () => {
      for (const dns of nameServers) await dns.stop();
      await server.close();
    },
  };
}
