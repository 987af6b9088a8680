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
  /** When it was begun: nothing before that is told. */
  readonly begun: bigint;
  /** When `die`, `start` and the like of a container were taken care of last, for the time that Docker has forgotten. */
  readonly told: Readonly<Record<string, bigint>>;
}

/** Docker stamps an event a moment before it puts it into its list, so neighbours may have changed places. */
export const OVERLAP_NS = 2_000_000_000n;
const MOST_DONE = 2_000;
const MOST_TOLD = 400;
/** The events of a container whose traces it shows itself. */
const SHOWN = ['die', 'start', 'health_status: unhealthy', 'health_status: healthy'];

/** From now on. The overlap in front of it belongs to nobody yet. */
export function freshCursor(now: bigint): Cursor {
  return { upTo: now + OVERLAP_NS, seen: null, done: [], begun: now, told: {} };
}

export function keyOf({ timeNano, type, action, id }: DockerEvent): string {
  return createHash('sha256').update([timeNano, type, action, id].join('\0')).digest('base64url').slice(0, 16);
}

export function cursorAsJson({ upTo, seen, done, begun, told }: Cursor): Json {
  return {
    upTo: String(upTo),
    seen: seen === null ? null : String(seen),
    done: [...done],
    begun: String(begun),
    told: Object.fromEntries(Object.entries(told).map(([key, time]) => [key, String(time)])),
  };
}

export function parseCursor(value: Json | undefined): Cursor | undefined {
  if (!isObject(value)) return undefined;
  const upTo = nanoAt(value.upTo);
  if (upTo === null) return undefined;
  const done = Array.isArray(value.done) ? value.done.filter((one): one is string => typeof one === 'string') : [];
  const told = Object.entries(isObject(value.told) ? value.told : {}).flatMap(([key, one]) => {
    const time = nanoAt(one);
    return time === null ? [] : [[key, time] as const];
  });
  return { upTo, seen: nanoAt(value.seen), done, begun: nanoAt(value.begun) ?? upTo, told: Object.fromEntries(told) };
}

function nanoAt(value: unknown): bigint | null {
  return typeof value === 'string' && /^\d+$/.test(value) ? BigInt(value) : null;
}

export interface Ledger {
  /** Whether it is taken care of already. */
  readonly knows: (event: DockerEvent) => boolean;
  /** Seen, and not yet taken care of. */
  readonly open: (event: DockerEvent) => void;
  /** Taken care of, or nobody wants it. */
  readonly close: (event: DockerEvent) => void;
  /** The same as open, for what Docker has forgotten and will not tell again; false when it is known. */
  readonly recall: (event: DockerEvent) => boolean;
  /** Docker has forgotten something. This is what tells it; until then it is not forgotten that it has. */
  readonly forget: (gap: DockerEvent | undefined, upTo: bigint) => void;
  /** When this action of this container was seen last. */
  readonly lastOf: (action: string, id: string) => bigint | undefined;
  readonly cursor: () => Cursor;
}

/** Remembers what is under way, so that the cursor never passes something that still has to be handed on. */
export function openLedger(start: Cursor): Ledger {
  const open = new Map<string, bigint>();
  const done = new Map<string, bigint>(start.done.map((key) => [key, start.upTo]));
  const recalled = new Set<string>();
  const last = new Map<string, bigint>(Object.entries(start.told));
  const told = new Map(last);
  let newest = start.upTo;
  let seen = start.seen;
  let lost: { readonly gap: string; readonly seen: bigint } | undefined;
  const see = (event: DockerEvent, key: string) => {
    const time = BigInt(event.timeNano);
    noteLast(last, event);
    if (recalled.has(key)) return;
    if (time > newest) newest = time;
    if (seen === null || time > seen) seen = time;
  };
  const upTo = () => {
    let oldest = newest + 1n;
    for (const time of open.values()) if (time < oldest) oldest = time;
    const reached = oldest - 1n;
    return reached > start.upTo ? reached : start.upTo;
  };
  const openAs = (key: string, event: DockerEvent) => {
    see(event, key);
    open.set(key, BigInt(event.timeNano));
  };
  return {
    knows: (event) => {
      const key = keyOf(event);
      return open.has(key) || done.has(key) || BigInt(event.timeNano) <= start.upTo - OVERLAP_NS;
    },
    open: (event) => openAs(keyOf(event), event),
    recall: (event) => {
      const key = keyOf(event);
      if (open.has(key) || done.has(key)) return false;
      recalled.add(key);
      openAs(key, event);
      return true;
    },
    forget: (gap, reached) => {
      lost = gap === undefined || seen === null ? undefined : { gap: keyOf(gap), seen };
      seen = null;
      if (reached > newest) newest = reached;
    },
    close: (event) => {
      const key = keyOf(event);
      see(event, key);
      noteLast(told, event);
      open.delete(key);
      recalled.delete(key);
      if (lost?.gap === key) lost = undefined;
      done.set(key, BigInt(event.timeNano));
      const from = upTo() - OVERLAP_NS;
      for (const [old, when] of done) if (when < from) done.delete(old);
    },
    lastOf: (action, id) => last.get(markOf(action, id)),
    cursor: () => ({
      upTo: upTo(),
      seen: lost?.seen ?? seen,
      done: [...done.keys()].slice(-MOST_DONE),
      begun: start.begun,
      told: Object.fromEntries([...told].slice(-MOST_TOLD)),
    }),
  };
}

function markOf(action: string, id: string): string {
  return `${id.slice(0, 12)} ${action}`;
}

/** The newest come last, so that the oldest are dropped first. */
function noteLast(times: Map<string, bigint>, { type, action, id, timeNano }: DockerEvent): void {
  if (type !== 'container') return;
  if (action === 'destroy') for (const one of SHOWN) times.delete(markOf(one, id));
  if (!SHOWN.includes(action)) return;
  const key = markOf(action, id);
  const [time, before] = [BigInt(timeNano), times.get(key)];
  times.delete(key);
  times.set(key, before !== undefined && before > time ? before : time);
}

/** As Docker wants it: seconds with nine decimals. */
export function sinceOf(nano: bigint): string {
  const from = nano > OVERLAP_NS ? nano - OVERLAP_NS : 0n;
  return secondsOf(from);
}

export function secondsOf(nano: bigint): string {
  return `${nano / 1_000_000_000n}.${String(nano % 1_000_000_000n).padStart(9, '0')}`;
}
