import { path } from '../http/path';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';

export interface HealthCheck {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly type: string;
  readonly suspended: boolean;
  /** `healthy`, `unhealthy`, `suspended`, `unknown` */
  readonly status: string;
  readonly failureReason: string;
  readonly interval: number;
}

export function listHealthChecks(api: CloudflareApi, zone: string, task: Task): Promise<readonly HealthCheck[]> {
  return api.list({ path: path('/zones/{zone}/healthchecks', { zone }), pageSize: 50, parse: parseHealthCheck }, task);
}

export function getHealthCheck(api: CloudflareApi, zone: string, id: string, task: Task): Promise<HealthCheck> {
  return api.ask({ method: 'GET', path: checkPath(zone, id) }, parseHealthCheck, task);
}

/** Cloudflare wants name and address with every change, so they are read first. */
export async function suspendHealthCheck(
  api: CloudflareApi,
  zone: string,
  id: string,
  suspended: boolean,
  task: Task,
): Promise<HealthCheck> {
  const { name, address } = await getHealthCheck(api, zone, id, task);
  const body = { json: { name, address, suspended } };
  const request = { method: 'PATCH', path: checkPath(zone, id), body, idempotent: true } as const;
  return api.ask(request, parseHealthCheck, task);
}

function checkPath(zone: string, check: string) {
  return path('/zones/{zone}/healthchecks/{check}', { zone, check });
}

function parseHealthCheck(value: unknown): HealthCheck {
  const check = Fields.of(value, 'a health check');
  return {
    id: check.text('id'),
    name: check.text('name'),
    address: check.text('address'),
    type: check.optionalText('type') ?? '',
    suspended: check.optionalSwitch('suspended') ?? false,
    status: check.optionalText('status') ?? 'unknown',
    failureReason: check.optionalText('failure_reason') ?? '',
    interval: check.optionalNumber('interval') ?? 0,
  };
}
