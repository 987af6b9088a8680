import type { Task } from '../task';
import type { RecordType } from './layouts';
import type { ObservedRecord, RecordFields } from './record';

/** What a provider can do. The plan is made for it, so that nothing is sent that it would refuse. */
export interface Capabilities {
  readonly types: readonly RecordType[];
  /** Absent where records have no comments: ownership is kept in TXT records then. */
  readonly comments?: { readonly longest: number };
  readonly tags: boolean;
  readonly settings: boolean;
  readonly proxied: boolean;
  readonly flattensApex: boolean;
  /** Whether 1, automatic, is allowed beside least..most; `each` is what has a TTL of its own. */
  readonly ttl: {
    readonly least: number;
    readonly most: number;
    readonly auto: boolean;
    readonly each: 'record' | 'set';
  };
  /** The longest text of a TXT record, in bytes. */
  readonly longestText: number;
  /** How many changes one write takes, of the whole zone or only of one name and type, and whether all or none is done. */
  readonly batch: { readonly most: number; readonly of: 'zone' | 'set'; readonly atomic: boolean };
}

export type RecordField = 'content' | 'ttl' | 'proxied' | 'comment' | 'tags' | 'settings';

export interface Creation {
  readonly kind: 'create';
  readonly record: RecordFields;
}

export interface Update {
  readonly kind: 'update';
  readonly before: ObservedRecord;
  readonly after: RecordFields;
  /** Which fields differ; the others are equal in both. */
  readonly fields: readonly RecordField[];
}

export interface Deletion {
  readonly kind: 'delete';
  readonly record: ObservedRecord;
}

export type Change = Creation | Update | Deletion;

/** All records of one name and type, before and after a write: what a provider with record sets sends. */
export interface SetChange {
  readonly name: string;
  readonly type: string;
  readonly before: readonly RecordFields[];
  readonly after: readonly RecordFields[];
}

export interface ZoneWrite {
  /** In the order in which they have to happen where the provider does one after the other. */
  readonly changes: readonly Change[];
  readonly sets: readonly SetChange[];
}

/**
 * A place that keeps zones. `write` is one request that changes something, where the provider can say it in one, and
 * returns how many it took. It throws a Failure with the code `dns_refused` only when the provider has answered that
 * nothing of the write was done; after any other error the engine reads the zone to see what happened. It does not
 * repeat a write of which it does not know that it was not done.
 */
export interface DnsProvider {
  /** As people call it: `Cloudflare`. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Every record of the zone but its SOA, all pages of it. */
  readonly listRecords: (zone: string, task: Task) => Promise<readonly ObservedRecord[]>;
  readonly write: (zone: string, write: ZoneWrite, task: Task) => Promise<number>;
}
