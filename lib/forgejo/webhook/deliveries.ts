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

/** Remembers what has come, so that nothing starts a workflow twice. */
export interface DeliveryMemory {
  /** True for the first of its kind. The caller takes it from there. */
  readonly isNew: (delivery: Delivery) => boolean;
}

interface Settings {
  readonly now: () => number;
  readonly windowMs: number;
  readonly most: number;
}

const standard: Settings = { now: Date.now, windowMs: 7 * 24 * 60 * 60 * 1000, most: 50_000 };

/**
 * The memory of one process. Beside the id of the delivery it knows the content: while a hook is replaced both send the
 * same event, under different ids and signed with different secrets. The same content signed with the same secret is
 * another event.
 */
export function deliveryMemory(settings: Partial<Settings> = {}): DeliveryMemory {
  const { now, windowMs, most } = { ...standard, ...settings };
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
      const same = seen.get(byContent);
      const isKnown = seen.has(byId) || (same !== undefined && same.generation !== generation);
      const entry = { at: now(), generation };
      if (!seen.has(byId)) seen.set(byId, entry);
      if (same === undefined) seen.set(byContent, entry);
      return !isKnown;
    },
  };
}
