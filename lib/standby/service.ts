import type { Host } from '../host/host';

/** A Compose project that may run on one of two hosts, and on one of them at a time. */
export interface Service {
  readonly name: string;
  /** Of its Compose files, the same on both hosts. */
  readonly directory: string;
  /** Where it lives. */
  readonly home: Host;
  /** Where it goes when its home is gone. This host keeps the claims that say whose turn it is. */
  readonly standby: Host;
  /** Where Docker listens, by the name of the host; where it is not at its usual place. */
  readonly sockets?: Readonly<Record<string, string>>;
}

export type Place = 'home' | 'standby';

export function hostAt(service: Service, place: Place): Host {
  return place === 'home' ? service.home : service.standby;
}

export function otherPlace(place: Place): Place {
  return place === 'home' ? 'standby' : 'home';
}

export function describeService({ name }: Pick<Service, 'name'>): string {
  return `service ${name}`;
}

/** The claim, and the folder of records on both hosts, go by this name. */
export function claimOf({ name }: Pick<Service, 'name'>): string {
  return `service ${name}`;
}
