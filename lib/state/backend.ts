import type { Entry, Listed } from './store';

/** One change of one key. The same change given again under the same id does nothing and has the same answer. */
export interface Write {
  readonly key: string;
  /** 12 hexadecimal digits. */
  readonly id: string;
  /** The value as JSON text. */
  readonly value: string;
  /** The version to replace, or nothing there (or only something expired). */
  readonly expected: number | 'absent';
  readonly ttlMs?: number;
}

export interface Removal {
  readonly key: string;
  readonly id: string;
  readonly expected: number | 'any';
}

export type Outcome =
  | { readonly outcome: 'done'; readonly version: number }
  /** It is there, but not as expected. */
  | { readonly outcome: 'present'; readonly version: number }
  /** It is not there, though a version of it was expected. */
  | { readonly outcome: 'absent' };

/**
 * What a place for state must be able to do; the rest of the port is made from it in `open.ts`.
 * Unreadable and newer entries are Failures everywhere here; expired and removed ones are absent.
 */
export interface Backend {
  readonly place: string;
  readonly read: (key: string) => Promise<Entry | undefined>;
  readonly write: (write: Write) => Promise<Outcome>;
  readonly remove: (removal: Removal) => Promise<Outcome>;
  /** Up to `limit` keys behind `after`. */
  readonly list: (prefix: string, after: string, limit: number) => Promise<Batch>;
  readonly cleanUp: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface Batch {
  readonly items: readonly Listed[];
  /** The last key that was looked at (an expired one counts), when there are keys behind it. */
  readonly next?: string;
}

/** How many of its newest writes an entry remembers, so that a write can be given again after a broken connection. */
export const REMEMBERED_WRITES = 8;

/** A removed entry leaves a trace for this long, for the same reason. */
export const TRACE_MS = 3_600_000;
