import { REMEMBERED_WRITES, TRACE_MS, type Backend, type Outcome } from '../lib/state/backend';
import { alive, parseEntry } from '../lib/state/entry';
import { compareKeys } from '../lib/state/key';
import { openState } from '../lib/state/open';
import type { Listed, StateStore } from '../lib/state/store';
import { isFailure } from '../lib/failure';
import type { Task } from '../lib/task';

interface Kept {
  readonly document: Readonly<Record<string, unknown>>;
  readonly writes: readonly (readonly [id: string, version: number])[];
}

/** What several stores share, as they would share a folder or a table. */
export interface Memory {
  readonly entries: Map<string, Kept>;
  /** The clock of the place, in ms. */
  readonly now: () => number;
}

export function makeMemory(now: () => number = Date.now): Memory {
  return { entries: new Map(), now };
}

/** State for tests of what uses state: keeps the same promises, but not beyond the process. */
export function memoryState(memory: Memory, task: Task): StateStore {
  return openState(memoryBackend(memory), task);
}

function memoryBackend({ entries, now }: Memory): Backend {
  const place = 'state in memory';
  const instant = (time: number) => new Date(time).toISOString();
  const look = (key: string) => {
    const kept = entries.get(key);
    return kept === undefined ? undefined : alive(parseEntry(kept.document, place, key), instant(now()));
  };

  function change(
    key: string,
    id: string,
    expected: number | 'absent' | 'any',
    fields: (end?: string) => object,
  ): Outcome {
    const kept = entries.get(key);
    const live = look(key);
    const again = kept?.writes.find(([one]) => one === id);
    if (again !== undefined) return { outcome: 'done', version: again[1] };
    if (live === undefined && expected !== 'absent') return { outcome: 'absent' };
    if (live !== undefined && expected !== 'any' && live.version !== expected) {
      return { outcome: 'present', version: live.version };
    }
    const old = Number(kept?.document.version ?? 0);
    const version = live === undefined ? Math.max(now() * 1000, old + 1) : old + 1;
    const document = { schema: 1, version, updatedAt: instant(now()), ...fields(live?.expiresAt) };
    const writes = [[id, version] as const, ...(kept?.writes ?? [])].slice(0, REMEMBERED_WRITES);
    entries.set(key, { document, writes });
    return { outcome: 'done', version };
  }

  return {
    place,
    read: async (key) => look(key),
    write: async ({ key, id, value, expected, ttlMs }) =>
      change(key, id, expected, (end) => {
        const expiresAt = ttlMs === undefined ? end : instant(now() + ttlMs);
        return { ...(expiresAt !== undefined && { expiresAt }), value: JSON.parse(value) as unknown };
      }),
    remove: async ({ key, id, expected }) => change(key, id, expected, () => ({ removed: true })),
    list: async (prefix, after, limit) => {
      const keys = [...entries.keys()]
        .filter((key) => key.startsWith(prefix) && (after === '' || compareKeys(key, after) > 0))
        .sort(compareKeys);
      const items = keys.slice(0, limit).flatMap((key): Listed[] => {
        try {
          const entry = look(key);
          return entry === undefined ? [] : [{ key, entry }];
        } catch (error) {
          if (isFailure(error)) return [{ key, failure: error }];
          throw error;
        }
      });
      return keys.length > limit ? { items, next: keys[limit - 1] } : { items };
    },
    cleanUp: async () => {
      let expired = 0;
      for (const [key, { document }] of entries) {
        const { expiresAt, removed, updatedAt } = document;
        const over = typeof expiresAt === 'string' && expiresAt <= instant(now());
        if (over) expired += 1;
        if (over || (removed === true && String(updatedAt) < instant(now() - TRACE_MS))) entries.delete(key);
      }
      return expired;
    },
    close: () => Promise.resolve(),
  };
}
