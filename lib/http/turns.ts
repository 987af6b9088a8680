import { cancelled } from '../task';

/** A queue that serves the owners in turn, each in the order in which it came. */
export interface FairLine<Item> {
  readonly add: (owner: string, item: Item) => void;
  readonly take: () => Item | undefined;
  readonly remove: (owner: string, item: Item) => void;
  readonly items: () => Item[];
}

export function createFairLine<Item>(): FairLine<Item> {
  // A map keeps the order in which its keys were set: whoever was served is set again, at the end.
  const waiting = new Map<string, Item[]>();
  return {
    add(owner, item) {
      const own = waiting.get(owner);
      if (own) own.push(item);
      else waiting.set(owner, [item]);
    },
    take() {
      for (const [owner, own] of waiting) {
        const item = own.shift();
        waiting.delete(owner);
        if (own.length > 0) waiting.set(owner, own);
        return item;
      }
      return undefined;
    },
    remove(owner, item) {
      const left = (waiting.get(owner) ?? []).filter((one) => one !== item);
      if (left.length > 0) waiting.set(owner, left);
      else waiting.delete(owner);
    },
    items: () => [...waiting.values()].flat(),
  };
}

/** At most `limit` at once. Gives the function that frees the place. */
export type Slots = (owner: string, signal: AbortSignal, subject: string) => Promise<() => void>;

export function createSlots(limit: number): Slots {
  const line = createFairLine<() => void>();
  let taken = 0;

  const free = () => {
    const next = line.take();
    if (next) next();
    else taken -= 1;
  };
  const once = () => {
    let freed = false;
    return () => {
      if (!freed) free();
      freed = true;
    };
  };

  return (owner, signal, subject) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(cancelled(subject));
        return;
      }
      if (taken < limit) {
        taken += 1;
        resolve(once());
        return;
      }
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve(once());
      };
      const leave = () => {
        line.remove(owner, enter);
        reject(cancelled(subject));
      };
      signal.addEventListener('abort', leave, { once: true });
      line.add(owner, enter);
    });
}
