import type { Host } from '../../lib/host/host';
import type { InfisicalApi } from '../../lib/infisical/api';
import type { Place } from '../../lib/infisical/place';
import type { Project } from '../../lib/infisical/projects';
import { operationsWith } from '../declaration';

/** What every operation of the Infisical node works with. */
export interface InfisicalContext {
  readonly api: InfisicalApi;
  /** By id, slug or name; asked once an execution. */
  readonly projectOf: (wanted: string) => Promise<Project>;
  readonly placeOf: (input: PlaceInput) => Promise<Place>;
  /** The value for a secret that is written: of a reference, or made up. */
  readonly secretFrom: (source: string) => Promise<string>;
  /** One of the hosts of the Host credential. */
  readonly hostOf: (name: string, hostKeys?: string) => Promise<Host>;
  /** A key that only who has the Infisical credential can make. */
  readonly boxKey: (purpose: string) => Buffer;
  /** The way to have something ended with the execution; refuses where n8n has none. */
  readonly atEnd: () => (end: () => Promise<void>) => void;
}

export interface PlaceInput {
  readonly project: string;
  readonly environment: string;
  readonly path: string;
}

export const operation = operationsWith<InfisicalContext>();
