import { createHash } from 'node:crypto';
import { isObject, type Json } from '../../json';
import type { DockerEvent } from '../engine/system';

/** How far one trigger has come on one host. */
export interface Cursor {
  /** Nanoseconds since 1970: everything up to here is taken care of. */
  readonly upTo: bigint;
  /** The newest event that was seen; Docker must still have it, or something may have been lost. */
  readonly seen: bigint | null;
  /** What around and behind that moment is taken care of, too. */
  readonly done: readonly string[];
}

/** Docker stamps an event a moment before it puts it into its list, so neighbours may have changed places. */
export const OVERLAP_NS = 2_000_000_000n;
const MOST_DONE = 2_000;

/** From now on. The overlap in front of it belongs to nobody yet. */
export function freshCursor(now: bigint): Cursor {
  return { upTo: now + OVERLAP_NS, seen: null, done: [] };
}

export function keyOf({ timeNano, type, action, id }: DockerEvent): string {
  return createHash('sha256').update([timeNano, type, action, id].join('\0')).digest('base64url').slice(0, 16);
}

export function cursorAsJson({ upTo, seen, done }: Cursor): Json {
  return { upTo: String(upTo), seen: seen === null ? null : String(seen), done: [...done] };
}

export function parseCursor(value: Json | undefined): Cursor | undefined {
  if (!isObject(value) || typeof value.upTo !== 'string' || !/^\d+$/.test(value.upTo)) return undefined;
  const done = Array.isArray(value.done) ? value.done.filter((one): one is string => typeof one === 'string') : [];
  const seen = typeof value.seen === 'string' && /^\d+$/.test(value.seen) ? BigInt(value.seen) : null;
  return { upTo: BigInt(value.upTo), seen, done };
}

export interface Ledger {
  /** Whether it is taken care of already. */
  readonly knows: (event: DockerEvent) => boolean;
  /** Seen, and not yet taken care of. */
  readonly open: (event: DockerEvent) => void;
  /** Taken care of, or nobody wants it. */
  readonly close: (event: DockerEvent) => void;
  readonly cursor: () => Cursor;
}

/** Remembers what is under way, so that the cursor never passes something that still has to be handed on. */
export function openLedger(start: Cursor): Ledger {
  const open = new Map<string, bigint>();
  const done = new Map<string, bigint>(start.done.map((key) => [key, start.upTo]));
  let newest = start.upTo;
  let seen = start.seen;
  const see = (time: bigint) => {
    if (time > newest) newest = time;
    if (seen === null || time > seen) seen = time;
  };
  const upTo = () => {
    let oldest = newest + 1n;
    for (const time of open.values()) if (time < oldest) oldest = time;
    const reached = oldest - 1n;
    return reached > start.upTo ? reached : start.upTo;
  };
  return {
    knows: (event) => {
      const key = keyOf(event);
      return open.has(key) || done.has(key) || BigInt(event.timeNano) <= start.upTo - OVERLAP_NS;
    },
    open: (event) => {
      const time = BigInt(event.timeNano);
      see(time);
      open.set(keyOf(event), time);
    },
    close: (event) => {
      const [key, time] = [keyOf(event), BigInt(event.timeNano)];
      see(time);
      open.delete(key);
      done.set(key, time);
      const from = upTo() - OVERLAP_NS;
      for (const [old, when] of done) if (when < from) done.delete(old);
    },
    cursor: () => ({ upTo: upTo(), seen, done: [...done.keys()].slice(-MOST_DONE) }),
  };
}

/** As Docker wants it: seconds with nine decimals. */
export function sinceOf(nano: bigint): string {
  const from = nano > OVERLAP_NS ? nano - OVERLAP_NS : 0n;
  return `${from / 1_000_000_000n}.${String(from % 1_000_000_000n).padStart(9, '0')}`;
}
