import { Failure } from '../failure';
import { path } from '../http/path';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';

export interface CloudflareZone {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly paused: boolean;
  /** `free`, `pro`, `business`, `enterprise`; empty when Cloudflare does not say. */
  readonly plan: string;
  readonly accountId: string;
  readonly nameServers: readonly string[];
}

export function listZones(api: CloudflareApi, task: Task): Promise<readonly CloudflareZone[]> {
  return api.list({ path: path('/zones'), pageSize: 50, parse: parseZone }, task);
}

export function getZone(api: CloudflareApi, id: string, task: Task): Promise<CloudflareZone> {
  return api.ask({ method: 'GET', path: path('/zones/{id}', { id }) }, parseZone, task);
}

/** A token for one zone may not list zones, but may ask for its own by name. */
export async function zoneNamed(api: CloudflareApi, name: string, task: Task): Promise<CloudflareZone> {
  const wanted = name.trim().toLowerCase().replace(/\.$/, '');
  const zones = await api.list({ path: path('/zones'), query: { name: wanted }, pageSize: 50, parse: parseZone }, task);
  const [zone, other] = zones;
  if (zone === undefined) {
    throw new Failure({
      code: 'zone_not_found',
      subject: `zone ${wanted} at Cloudflare`,
      message: `There is no zone ${wanted} at Cloudflare that this token may see`,
      nextStep: 'Check the name, and that the token covers this zone with the permission Zone: Read.',
    });
  }
  if (other !== undefined) {
    throw new Failure({
      code: 'zone_ambiguous',
      subject: `zone ${wanted} at Cloudflare`,
      message: `The token sees ${zones.length} zones with the name ${wanted}: ${zones.map(({ id }) => id).join(', ')}`,
      nextStep: 'Use a token that covers only one of them.',
    });
  }
  return zone;
}

function parseZone(value: unknown): CloudflareZone {
  const zone = Fields.of(value, 'a zone');
  const plan = zone.optionalJson('plan');
  return {
    id: zone.text('id'),
    name: zone.text('name'),
    status: zone.optionalText('status') ?? 'unknown',
    paused: zone.optionalSwitch('paused') ?? false,
    plan: plan === undefined ? '' : (Fields.of(plan, 'the plan of a zone').optionalText('legacy_id') ?? ''),
    accountId: zone.part('account').optionalText('id') ?? '',
    nameServers: zone.texts('name_servers'),
  };
}
