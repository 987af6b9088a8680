import type { SealedText } from '../secrets/sealed';
import type { Task } from '../task';

interface Known {
  /** As people know it: `role immich of PostgreSQL at 127.0.0.1:5432 on host bruno`. Also how an unfinished rotation knows its owner again. */
  readonly name: string;
  /** Refuses what must not be rotated, and what could not be. Changes nothing. The value may turn out to be wrong. */
  readonly check: (current: SealedText, task: Task) => Promise<void>;
  /** Whether this value logs in. Everything but a clear yes or no is a Failure. */
  readonly accepts: (value: SealedText, task: Task) => Promise<boolean>;
}

/** One that takes the value it is given, and forgets the one before: a role of a database. */
export interface TakingOwner extends Known {
  readonly kind: 'takes';
  /** Safe to repeat, also when it was done already. Says what the user should know of how it was done. */
  readonly set: (to: SealedText, from: SealedText, task: Task) => Promise<readonly string[]>;
}

/** One that makes values itself, and knows several at once: API tokens. */
export interface MakingOwner extends Known {
  readonly kind: 'makes';
  readonly make: (current: SealedText, task: Task) => Promise<SealedText>;
  /** Ends one value, asked for with another one that works. */
  readonly retire: (value: SealedText, working: SealedText, task: Task) => Promise<void>;
}

/** Who decides whether a secret is right. A rotation changes it there first. */
export type ValueOwner = TakingOwner | MakingOwner;
