import { Failure } from '../failure';
import { path } from '../http/path';
import type { Json, JsonObject } from '../json';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';

export interface Origin {
  readonly name: string;
  readonly address: string;
  readonly enabled: boolean;
  /** 0 to 1. */
  readonly weight: number;
}

export interface Pool {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** The id of its monitor; empty when it has none. */
  readonly monitor: string;
  readonly minimumOrigins: number;
  readonly origins: readonly Origin[];
}

export interface Monitor {
  readonly id: string;
  readonly type: string;
  readonly method: string;
  readonly path: string;
  readonly port?: number;
  readonly expectedCodes: string;
  readonly interval: number;
  readonly retries: number;
  readonly timeout: number;
}

export function listPools(api: CloudflareApi, account: string, task: Task): Promise<readonly Pool[]> {
  const at = path('/accounts/{account}/load_balancers/pools', { account });
  return api.list({ path: at, pageSize: undefined, parse: parsePool }, task);
}

export function getPool(api: CloudflareApi, account: string, id: string, task: Task): Promise<Pool> {
  return api.ask({ method: 'GET', path: poolPath(account, id) }, parsePool, task);
}

export interface PoolChange {
  readonly enabled?: boolean;
  /** By the name of the origin; the others stay as they are. */
  readonly origins?: Readonly<Record<string, { readonly enabled?: boolean; readonly weight?: number }>>;
}

/**
 * Cloudflare replaces the whole list of origins, so the list is read first and sent back with what changes in it,
 * fields that we do not know included.
 */
export async function updatePool(
  api: CloudflareApi,
  account: string,
  id: string,
  { enabled, origins = {} }: PoolChange,
  task: Task,
): Promise<Pool> {
  const json: Record<string, Json> = { ...(enabled !== undefined && { enabled }) };
  if (Object.keys(origins).length > 0) {
    const raw = await api.ask({ method: 'GET', path: poolPath(account, id) }, rawOrigins, task);
    refuseUnknown(Object.keys(origins), raw, id);
    // When it was switched off is Cloudflare's to say.
    json['origins'] = raw.map(({ name, fields: { disabled_at: _, ...kept } }) => ({ ...kept, ...origins[name] }));
  }
  const request = { method: 'PATCH', path: poolPath(account, id), body: { json }, idempotent: true } as const;
  return api.ask(request, parsePool, task);
}

export function listMonitors(api: CloudflareApi, account: string, task: Task): Promise<readonly Monitor[]> {
  const at = path('/accounts/{account}/load_balancers/monitors', { account });
  return api.list({ path: at, pageSize: undefined, parse: parseMonitor }, task);
}

export function getMonitor(api: CloudflareApi, account: string, id: string, task: Task): Promise<Monitor> {
  return api.ask({ method: 'GET', path: monitorPath(account, id) }, parseMonitor, task);
}

export type MonitorChange = Partial<
  Pick<Monitor, 'expectedCodes' | 'interval' | 'method' | 'path' | 'port' | 'retries' | 'timeout'>
>;

export function updateMonitor(
  api: CloudflareApi,
  account: string,
  id: string,
  { expectedCodes, ...change }: MonitorChange,
  task: Task,
): Promise<Monitor> {
  const json: JsonObject = { ...change, ...(expectedCodes !== undefined && { expected_codes: expectedCodes }) };
  const request = { method: 'PATCH', path: monitorPath(account, id), body: { json }, idempotent: true } as const;
  return api.ask(request, parseMonitor, task);
}

function poolPath(account: string, pool: string) {
  return path('/accounts/{account}/load_balancers/pools/{pool}', { account, pool });
}

function monitorPath(account: string, monitor: string) {
  return path('/accounts/{account}/load_balancers/monitors/{monitor}', { account, monitor });
}

function refuseUnknown(named: readonly string[], there: readonly RawOrigin[], pool: string): void {
  const unknown = named.filter((name) => !there.some((origin) => origin.name === name));
  if (unknown.length === 0) return;
  throw new Failure({
    code: 'origin_not_found',
    subject: `pool ${pool} at Cloudflare`,
    message: `The pool has no origin ${unknown.join(', ')}; it has ${there.map(({ name }) => name).join(', ')}`,
    nextStep: 'Name the origins as the pool does.',
  });
}

interface RawOrigin {
  readonly name: string;
  readonly fields: JsonObject;
}

function rawOrigins(pool: unknown): readonly RawOrigin[] {
  return Fields.of(pool, 'a pool')
    .list('origins')
    .map((origin) => {
      const fields = Fields.of(origin, 'an origin');
      return { name: fields.text('name'), fields: fields.all() };
    });
}

function parsePool(value: unknown): Pool {
  const pool = Fields.of(value, 'a pool');
  return {
    id: pool.text('id'),
    name: pool.optionalText('name') ?? '',
    enabled: pool.optionalSwitch('enabled') ?? true,
    monitor: pool.optionalText('monitor') ?? '',
    minimumOrigins: pool.optionalNumber('minimum_origins') ?? 1,
    origins: pool.list('origins').map((item) => {
      const origin = Fields.of(item, 'an origin');
      return {
        name: origin.optionalText('name') ?? '',
        address: origin.optionalText('address') ?? '',
        enabled: origin.optionalSwitch('enabled') ?? true,
        weight: origin.optionalNumber('weight') ?? 1,
      };
    }),
  };
}

function parseMonitor(value: unknown): Monitor {
  const monitor = Fields.of(value, 'a monitor');
  const port = monitor.optionalNumber('port');
  return {
    id: monitor.text('id'),
    type: monitor.optionalText('type') ?? '',
    method: monitor.optionalText('method') ?? '',
    path: monitor.optionalText('path') ?? '',
    ...(port !== undefined && { port }),
    expectedCodes: monitor.optionalText('expected_codes') ?? '',
    interval: monitor.optionalNumber('interval') ?? 0,
    retries: monitor.optionalNumber('retries') ?? 0,
    timeout: monitor.optionalNumber('timeout') ?? 0,
  };
}
