import type { JsonObject } from '../json';
import type { ObservedRecord } from './record';
import { AUTO_TTL } from './record';
import { parseContent, parseData, readAnything, readRdata } from './value';

/** A record as an API lists it, before it is read. */
export interface ListedRecord {
  readonly id: string;
  /** With or without a trailing dot, in any case; absolute. */
  readonly name: string;
  readonly type: string;
  readonly content: string;
  /** Structured data, where the API has it; it is preferred over content. */
  readonly data?: unknown;
  readonly priority?: number;
  readonly ttl?: number | null;
  readonly proxied?: boolean;
  readonly comment?: string | null;
  readonly tags?: readonly string[];
  readonly settings?: JsonObject;
  /**
   * `api`: names in the content are absolute without a trailing dot too (Cloudflare). `zone file`: they are below the
   * zone unless they end in a dot (Hetzner).
   */
  readonly form: 'api' | 'zone file';
}

/** For providers: reads a listed record. What we cannot read becomes a record of type other, never an error. */
export function observedRecord(listed: ListedRecord, zone: string): ObservedRecord {
  const name = listed.name.toLowerCase().replace(/\.$/u, '');
  const subject = `record ${name} ${listed.type}`;
  const value = readAnything(
    listed.type,
    (type) => {
      if (listed.form === 'zone file') return readRdata(type, listed.content, subject, zone);
      if (listed.data === undefined || listed.data === null) {
        return parseContent(type, listed.content, subject, zone, listed.priority);
      }
      const { priority } = listed;
      const data = type === 'URI' && priority !== undefined ? { priority, ...listed.data } : listed.data;
      return parseData(type, data, subject, zone);
    },
    listed.content,
  );
  return {
    id: listed.id,
    name,
    value,
    ttl: listed.ttl ?? AUTO_TTL,
    proxied: listed.proxied ?? false,
    comment: listed.comment ?? '',
    tags: [...(listed.tags ?? [])].sort(),
    settings: presentSettings(listed.settings ?? {}),
  };
}

/** APIs list switches that are off; they mean the same as none. */
function presentSettings(settings: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== false && value !== null));
}
