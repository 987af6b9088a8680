import { isInstant } from '../instant';
import { isObject, type Json } from '../json';
import { stateNewerSchema, stateUnreadable } from './failures';
import { ENTRY_SCHEMA, type Entry } from './store';

/** An entry as it is stored; a removed one is a trace without a value. */
export type Stored = Entry | 'removed';

/** Reads an entry. Whatever is not understood to its end is a Failure. */
export function parseEntry(document: unknown, place: string, key: string): Stored {
  const unreadable = (why: string) => stateUnreadable(place, key, why);
  if (!isObject(document)) throw unreadable('it is not a JSON object');
  const { schema, version, updatedAt, expiresAt, removed, value } = document;
  if (typeof schema === 'number' && Number.isInteger(schema) && schema > ENTRY_SCHEMA) {
    throw stateNewerSchema(place, key, schema);
  }
  if (schema !== ENTRY_SCHEMA) throw unreadable('it has no schema number');
  if (!isVersion(version)) throw unreadable('its version is not a number');
  if (!isInstant(updatedAt)) throw unreadable('its time of change is not a time in UTC');
  if (removed === true) return 'removed';
  if (value === undefined) throw unreadable('it has no value');
  if (expiresAt === undefined) return { schema, version, updatedAt, value: value as Json };
  if (!isInstant(expiresAt)) throw unreadable('its time of expiry is not a time in UTC');
  return { schema, version, updatedAt, expiresAt, value: value as Json };
}

/** The entry when it still counts, by the clock of the place. */
export function alive(stored: Stored, now: string): Entry | undefined {
  // Both are written in one form, in which the order of the text is the order of time.
  return stored === 'removed' || (stored.expiresAt !== undefined && stored.expiresAt <= now) ? undefined : stored;
}

export function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
