import type { JsonObject } from '../json';
import { compareNames, compareText } from './name';
import { typeOf, writeRdata, type KnownValue, type RecordValue } from './value';

/** The TTL that means: as the provider or the zone has it. Cloudflare writes it as 1 too. */
export const AUTO_TTL = 1;

/** All that a record is, wherever it is kept. */
export interface RecordFields {
  /** Absolute, in the form of name.ts. */
  readonly name: string;
  readonly value: RecordValue;
  readonly ttl: number;
  readonly proxied: boolean;
  /** As the provider keeps it, our mark of ownership included. */
  readonly comment: string;
  readonly tags: readonly string[];
  readonly settings: JsonObject;
}

/** A record as a provider lists it. */
export interface ObservedRecord extends RecordFields {
  readonly id: string;
}

/** A record as the user wants it. What is left out is kept where the record exists, and the provider's default where not. */
export interface DesiredRecord {
  readonly name: string;
  readonly value: KnownValue;
  readonly ttl?: number;
  readonly proxied?: boolean;
  /** The user's own comment, without our mark. */
  readonly comment?: string;
  readonly tags?: readonly string[];
  /** Merged into the settings that exist. */
  readonly settings?: JsonObject;
}

/** How a record is called in a sentence: `record www.kua.cl A`. */
export function describeRecord({ name, value }: { readonly name: string; readonly value: RecordValue }): string {
  return `record ${name} ${typeOf(value)}`;
}

/** Records of one name and type: what DNS answers together. */
export function setKey({ name, value }: { readonly name: string; readonly value: RecordValue }): string {
  return `${name} ${typeOf(value)}`;
}

type Placed = Pick<RecordFields, 'name' | 'value'>;

/** Name, type, content: the same order on every machine and every run. */
export function inOrder<R extends Placed>(records: readonly R[]): R[] {
  return records
    .map((record) => ({ record, type: typeOf(record.value), rdata: writeRdata(record.value) }))
    .sort(
      (a, b) =>
        compareNames(a.record.name, b.record.name) || compareText(a.type, b.type) || compareText(a.rdata, b.rdata),
    )
    .map(({ record }) => record);
}

export function groupBySet<R extends Placed>(records: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const record of records) {
    const key = setKey(record);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else group.push(record);
  }
  return groups;
}
