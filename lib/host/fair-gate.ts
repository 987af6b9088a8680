import { cancelled } from '../task';

interface Waiter {
  readonly enter: () => void;
}

export interface FairGate {
  /** Resolves with the function that leaves again; waits while the gate is full. */
  enter(owner: string, signal: AbortSignal): Promise<() => void>;
  /** Lowers the capacity to what proved possible, never below one. */
  shrinkTo(capacity: number): void;
  readonly inside: number;
}

/** Lets a number of users in at a time. Owners take turns, so that one with 200 waiting cannot keep another out. */
export function fairGate(capacity: number, subject: string): FairGate {
  let limit = capacity;
  let inside = 0;
  // Insertion order is the order of turns: an owner that was served goes to the end.
  const waiting = new Map<string, Waiter[]>();

  function admit(): void {
    while (inside < limit) {
      const turn = waiting.entries().next();
      if (turn.done === true) return;
      const [owner, queue] = turn.value;
      const waiter = queue.shift();
      waiting.delete(owner);
      if (queue.length > 0) waiting.set(owner, queue);
      if (waiter === undefined) continue;
      inside += 1;
      waiter.enter();
    }
  }

  function leaveOnce(): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      inside -= 1;
      admit();
    };
  }

  return {
    enter: (owner, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(cancelled(subject));
          return;
        }
        const stop = () => {
          const queue = waiting.get(owner)?.filter((other) => other !== waiter) ?? [];
          if (queue.length > 0) waiting.set(owner, queue);
          else waiting.delete(owner);
          reject(cancelled(subject));
        };
        const waiter: Waiter = {
          enter: () => {
            signal.removeEventListener('abort', stop);
            resolve(leaveOnce());
          },
        };
        signal.addEventListener('abort', stop, { once: true });
        const queue = waiting.get(owner);
        if (queue === undefined) waiting.set(owner, [waiter]);
        else queue.push(waiter);
        admit();
      }),
    shrinkTo: (possible) => {
      limit = Math.max(1, Math.min(limit, possible));
    },
    get inside() {
      return inside;
    },
  };
}
