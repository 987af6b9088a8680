import { Failure, isFailure } from '../../failure';
import type { StateStore } from '../../state/store';
import { type Delivery, type DeliveryMemory, REMEMBERED_MS } from './deliveries';
import { OVERLAP_MS } from './secrets';

export interface KeptDeliveries extends DeliveryMemory {
  /** For one that was found new when nobody waited for that any more: it may come again. */
  readonly forget: (delivery: Delivery) => Promise<void>;
}

/** The memory of all processes that share the state, and of those that come after them. */
export function keptDeliveries(store: StateStore): KeptDeliveries {
  const keyOf = (trigger: string, kind: 'content' | 'id', name: string) =>
    `forgejo-delivery/${trigger}/${kind}/${name}`;
  return {
    isNew: async ({ trigger, id, content, generation }) => {
      // The id comes last: when the state fails before it, the same delivery can come again and is not taken for known.
      const first = await firstToSend(store, keyOf(trigger, 'content', content), generation);
      const isFirst = await store.once(keyOf(trigger, 'id', id.toLowerCase()), REMEMBERED_MS);
      return isFirst && first === generation;
    },
    forget: async ({ trigger, id }) => {
      await store.remove(keyOf(trigger, 'id', id.toLowerCase()));
    },
  };
}

/**
 * The server waits for an answer only so long, so there is one by then: nobody knows. What turns out to be new after
 * that is forgotten, because it was refused and must be able to come again.
 */
export function inTime(open: () => Promise<KeptDeliveries>, deadlineMs: number): DeliveryMemory {
  return {
    isNew: async (delivery) => {
      let isLate = false;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          isLate = true;
          reject(tooSlow(delivery, deadlineMs));
        }, deadlineMs);
      });
      const asked = open().then(async (memory) => {
        const isNew = await memory.isNew(delivery);
        if (isLate && isNew) await memory.forget(delivery);
        return isNew;
      });
      try {
        // What fails after the deadline is heard by the race and says nothing new.
        return await Promise.race([asked, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function tooSlow({ id }: Delivery, deadlineMs: number): Failure {
  return new Failure({
    code: 'state_too_slow',
    subject: `delivery ${id}`,
    message: `The state did not say within ${deadlineMs} ms whether this delivery came before`,
    nextStep:
      'Look whether the place of the state can be reached, then replay the delivery in the settings of the hook.',
  });
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
