import { isFailure } from '../../failure';
import type { StateStore } from '../../state/store';
import { type DeliveryMemory, REMEMBERED_MS } from './deliveries';
import { OVERLAP_MS } from './secrets';

/** The memory of all processes that share the state, and of those that come after them. */
export function keptDeliveries(store: StateStore): DeliveryMemory {
  return {
    isNew: async ({ trigger, id, content, generation }) => {
      const under = (kind: string, name: string) => `forgejo-delivery/${trigger}/${kind}/${name}`;
      // The id comes last: when the state fails before it, the same delivery can come again and is not taken for known.
      const first = await firstToSend(store, under('content', content), generation);
      const isFirst = await store.once(under('id', id.toLowerCase()), REMEMBERED_MS);
      return isFirst && first === generation;
    },
  };
}

/** Which secret signed this content first. */
async function firstToSend(store: StateStore, key: string, generation: number): Promise<number> {
  try {
    await store.create(key, generation, { ttlMs: OVERLAP_MS });
    return generation;
  } catch (error) {
    if (!isFailure(error, 'state_exists')) throw error;
    const value = (await store.read(key))?.value;
    // Gone between the two questions: then the time in which two hooks could send it is over.
    return typeof value === 'number' ? value : generation;
  }
}
