import { Failure } from '../failure';
import { canonicalIPv4, canonicalIPv6 } from './address';
import { quoted } from './invalid';
import { ownerName, zoneName, zoneOf } from './name';
import type { PlanRequest } from './plan';
import type { DesiredRecord } from './record';
import type { KnownValue } from './value';

export interface PointRequest {
  /** Whole names, of any of the zones. */
  readonly names: readonly string[];
  readonly zones: readonly string[];
  /** IPv4 or IPv6. */
  readonly address: string;
  /** The IPv6 address beside an IPv4 address. */
  readonly ipv6?: string;
  /** Left as it is when absent. */
  readonly proxied?: boolean;
  readonly ttl?: number;
}

/** The part of a plan's request that says what is wanted of one zone. */
export type Pointing = Pick<PlanRequest, 'zone' | 'desired' | 'mode' | 'change'>;

/**
 * The failover: names that shall answer with an address from now on. Every name is named, so records that are not ours
 * change too, stay their owner's, and count for no share of the zone. All else about them is kept. One plan, and so one
 * request, a zone.
 */
export function pointNamesAt({ names, zones, address, ipv6, proxied, ttl }: PointRequest): Pointing[] {
  const values = addressValues(address, ipv6);
  const known = zones.map(zoneName);
  const byZone = new Map<string, string[]>();
  if (names.length === 0) throw pointFailure('names', 'No names are given', 'Give the names that shall point there.');
  for (const typed of names) {
    const name = typed.trim().toLowerCase().replace(/\.$/u, '');
    const zone = zoneOf(name, known);
    if (zone === undefined) {
      throw pointFailure(
        `name ${quoted(typed)}`,
        `The name ${quoted(typed)} lies in none of the zones ${known.join(', ')}`,
        'Write the whole name, and give its zone.',
      );
    }
    byZone.set(zone, [...(byZone.get(zone) ?? []), ownerName(name, zone)]);
  }
  return [...byZone].map(([zone, listed]): Pointing => {
    const unique = [...new Set(listed)];
    return {
      zone,
      mode: 'upsert-only',
      change: unique.flatMap((name) => values.map(({ type }) => `${name} ${type}`)),
      desired: unique.flatMap((name) =>
        values.map((value): DesiredRecord => ({
          name,
          value,
          ...(proxied === undefined ? {} : { proxied }),
          ...(ttl === undefined ? {} : { ttl }),
        })),
      ),
    };
  });
}

function addressValues(address: string, ipv6: string | undefined): KnownValue[] {
  const first = addressValue(address);
  if (ipv6 === undefined) return [first];
  const second = addressValue(ipv6);
  if (first.type !== 'A' || second.type !== 'AAAA') {
    throw pointFailure('addresses', 'The two addresses have to be one IPv4 and one IPv6 address', 'Give one of each.');
  }
  return [first, second];
}

function addressValue(text: string): KnownValue {
  const four = canonicalIPv4(text.trim());
  if (four !== undefined) return { type: 'A', data: { address: four } };
  const six = canonicalIPv6(text.trim());
  if (six !== undefined) return { type: 'AAAA', data: { address: six } };
  throw pointFailure(`address ${quoted(text)}`, `${quoted(text)} is no address`, 'Give an IPv4 or IPv6 address.');
}

function pointFailure(subject: string, message: string, nextStep: string): Failure {
  return new Failure({ code: 'dns_point_invalid', subject, message, nextStep });
}
