import { OVERLAP_MS } from './secrets';

/** One delivery whose signature was right. */
export interface Delivery {
  /** The trigger it came to. */
  readonly trigger: string;
  readonly id: string;
  /** SHA-256 of the body. */
  readonly content: string;
  /** Which secret signed it: that of the hook, or of the one that takes its place. */
  readonly generation: number;
}

/**
 * Remembers what has come, so that nothing starts a workflow twice. Beside the id of a delivery it knows the content:
 * while a hook is replaced both send the same event, under different ids and signed with different secrets. The same
 * content signed with the same secret is another event.
 */
export interface DeliveryMemory {
  /** True for the first of its kind. The caller takes it from there. */
  readonly isNew: (delivery: Delivery) => boolean | Promise<boolean>;
}

/** How long an id is remembered. */
export const REMEMBERED_MS = 7 * 24 * 60 * 60 * 1000;

interface Settings {
  readonly now: () => number;
  readonly windowMs: number;
  /** How long an old hook may send what the new one sends, too. */
  readonly overlapMs: number;
  readonly most: number;
}

const standard: Settings = { now: Date.now, windowMs: REMEMBERED_MS, overlapMs: OVERLAP_MS, most: 50_000 };

/** The memory of one process, which ends with it. */
export function deliveryMemory(settings: Partial<Settings> = {}): DeliveryMemory {
  const { now, windowMs, overlapMs, most } = { ...standard, ...settings };
  const seen = new Map<string, { readonly at: number; readonly generation: number }>();

  const forgetOld = () => {
    // In the order in which they came, so the old ones are in front.
    for (const [key, { at }] of seen) {
      if (now() - at < windowMs && seen.size <= most) return;
      seen.delete(key);
    }
  };
  return {
    isNew: ({ trigger, id, content, generation }) => {
      forgetOld();
      const byId = JSON.stringify([trigger, 'id', id.toLowerCase()]);
      const byContent = JSON.stringify([trigger, 'content', content]);
      const earlier = seen.get(byContent);
      const same = earlier !== undefined && now() - earlier.at < overlapMs ? earlier : undefined;
      const isKnown = seen.has(byId) || (same !== undefined && same.generation !== generation);
      const entry = { at: now(), generation };
      if (!seen.has(byId)) seen.set(byId, entry);
      if (same === undefined) {
        // Taken out first, so that it stands last: the order is that of time.
        seen.delete(byContent);
        seen.set(byContent, entry);
      }
      return !isKnown;
    },
  };
}
