import { path } from '../http/path';
import { isObject } from '../json';
import type { Task } from '../task';
import type { HetznerApi } from './api';
import { unexpected } from './shape';

export interface Price {
  /** `server cpx22`, `volume`, `primary IP ipv4` */
  readonly item: string;
  /** Null: the same everywhere. */
  readonly location: string | null;
  readonly unit: 'month' | 'GB and month' | 'percent of the server';
  readonly net: number;
  readonly gross: number;
  readonly currency: string;
}

/** What things cost, as one list. */
export async function readPrices(api: HetznerApi, task: Task): Promise<readonly Price[]> {
  const { body } = await api.request('cloud', { method: 'GET', path: path('/pricing') }, task);
  const pricing = objectAt(body, 'pricing');
  const currency = pricing['currency'];
  if (typeof currency !== 'string') throw unexpected('pricing.currency', 'text');
  const monthly = (list: string, label: string, key: string): readonly Price[] =>
    entries(pricing[list]).flatMap((entry) =>
      entries(entry['prices']).map((price) => ({
        item: `${label} ${nameIn(entry, key)}`,
        location: typeof price['location'] === 'string' ? price['location'] : null,
        unit: 'month' as const,
        ...amounts(price['price_monthly']),
        currency,
      })),
    );
  const perGb = (name: string): Price => ({
    item: name,
    location: null,
    unit: 'GB and month',
    ...amounts(objectAt(pricing, name)['price_per_gb_month']),
    currency,
  });
  const percentage = Number(objectAt(pricing, 'server_backup')['percentage']);
  return [
    ...monthly('server_types', 'server', 'name'),
    ...monthly('load_balancer_types', 'load balancer', 'name'),
    ...monthly('primary_ips', 'primary IP', 'type'),
    ...monthly('floating_ips', 'floating IP', 'type'),
    perGb('volume'),
    perGb('image'),
    {
      item: 'server backup',
      location: null,
      unit: 'percent of the server',
      net: percentage,
      gross: percentage,
      currency,
    },
  ];
}

/** The net price of a thing where it stands; undefined where the list does not say. */
export function priceOf(prices: readonly Price[], item: string, location: string | null): number | undefined {
  const fitting = prices.filter((price) => price.item === item);
  return (fitting.find((price) => price.location === location) ?? fitting.find((price) => price.location === null))
    ?.net;
}

/** Types of storage boxes bring their own prices. */
export function monthlyPriceIn(prices: readonly unknown[], location: string): number | undefined {
  const price = prices.filter(isObject).find((one) => one['location'] === location);
  return price === undefined ? undefined : amounts(price['price_monthly']).net;
}

function amounts(value: unknown): { readonly net: number; readonly gross: number } {
  const net = isObject(value) ? Number(value['net']) : NaN;
  const gross = isObject(value) ? Number(value['gross']) : NaN;
  if (Number.isNaN(net) || Number.isNaN(gross)) throw unexpected('a price', 'net and gross');
  return { net, gross };
}

function nameIn(entry: Record<string, unknown>, key: string): string {
  const name = entry[key];
  if (typeof name !== 'string') throw unexpected(`a price's ${key}`, 'text');
  return name;
}

function entries(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function objectAt(value: unknown, name: string): Record<string, unknown> {
  const inside = isObject(value) ? value[name] : undefined;
  if (!isObject(inside)) throw unexpected(name, 'an object');
  return inside;
}
