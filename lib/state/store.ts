import type { Failure } from '../failure';
import type { Json } from '../json';

/** The schema of entries that this code writes. A newer one is refused, never misread. */
export const ENTRY_SCHEMA = 1;

export interface Entry {
  readonly schema: typeof ENTRY_SCHEMA;
  /** Grows with every change of the key and never comes back, also when the key is removed and made again. */
  readonly version: number;
  /** By the clock of the place where the state lives, in UTC. */
  readonly updatedAt: string;
  readonly expiresAt?: string;
  readonly value: Json;
}

export interface WriteOptions {
  /** The entry ends this long after the write. Without it a new entry stays, and a replaced one keeps its end. */
  readonly ttlMs?: number;
}

/** One entry of a list; one that cannot be read says so in its place, and does not hide the others. */
export type Listed =
  { readonly key: string; readonly entry: Entry } | { readonly key: string; readonly failure: Failure };

export interface Page {
  readonly items: readonly Listed[];
  /** Give this as `after` to get what follows; absent on the last page. */
  readonly next?: string;
}

/**
 * What must outlive an execution. Every function is atomic and may be called by any number of workers at once. An
 * expired entry is as good as gone. Keys look like `incident/bruno/disk`: a domain, then at least one name.
 */
export interface StateStore {
  /** How people know it: `state in /var/lib/selfhost on host bruno (…)`. */
  readonly place: string;
  readonly read: (key: string) => Promise<Entry | undefined>;
  /** Returns the version it wrote. Fails with `state_exists` when the key is there. */
  readonly create: (key: string, value: Json, options?: WriteOptions) => Promise<number>;
  /** Fails with `state_conflict` when the key has another version by now (`details.version`, null when it is gone). */
  readonly replace: (key: string, value: Json, version: number, options?: WriteOptions) => Promise<number>;
  /** Reads, computes and writes until nobody came in between. `change` may run several times; undefined writes nothing. */
  readonly update: (
    key: string,
    change: (value: Json | undefined) => Json | undefined,
    options?: WriteOptions,
  ) => Promise<Json | undefined>;
  /** True when it was there. With a version, fails with `state_conflict` when the key has another one. */
  readonly remove: (key: string, version?: number) => Promise<boolean>;
  /** Keys that start with the text, in the order of their bytes. At most 100 a page. */
  readonly list: (prefix: string, options?: { readonly limit?: number; readonly after?: string }) => Promise<Page>;
  /** True for the first caller within the time, false for all others. */
  readonly once: (key: string, ttlMs: number) => Promise<boolean>;
  /** Takes away what has expired and returns how much that was. Happens by itself too, about once an hour. */
  readonly cleanUp: () => Promise<number>;
  readonly close: () => Promise<void>;
}
