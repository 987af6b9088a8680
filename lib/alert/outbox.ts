import type { Message } from './message';

/** A message for people: all but what was suppressed. */
export type Spoken = Exclude<Message, { readonly kind: 'suppressed' }>;

/** A message that was made, and of which nobody has said yet that it arrived. */
export interface Waiting {
  readonly message: Spoken;
  /** How often it was handed to an execution. */
  readonly attempts: number;
  /** When it is handed out again unless it is confirmed before. */
  readonly againAt: number;
}

/** A message as an execution is given it. From its second attempt on it may have arrived before. */
export type HandedOut = Message & { readonly attempt: number };

const MINUTE = 60_000;
/** However often it was tried, it is tried again after this. */
const LONGEST_PATIENCE_MS = 30 * MINUTE;
/** What nobody could send for a day is old news; what is still wrong is told again by its repeats. */
const KEPT_MS = 24 * 60 * MINUTE;
/** The state holds a quarter of a mebibyte for all of it, packed; the newest words count most. */
const MOST_CHARACTERS = 500_000;

export interface Given {
  readonly outbox: readonly Waiting[];
  readonly messages: readonly HandedOut[];
}

/** Puts what was made behind what waits; whoever comes next is given it. A suppressed message is for the log only. */
export function setAside(outbox: readonly Waiting[], made: readonly Message[], now: number): readonly Waiting[] {
  const kept = newest(outbox.filter(({ message }) => now - message.at < KEPT_MS));
  const fresh = made.flatMap((message): Waiting[] =>
    message.kind === 'suppressed' ? [] : [{ message, attempts: 0, againAt: now }],
  );
  return [...kept, ...fresh];
}

/**
 * What this execution has to send: what was just made, and before it, in the order in which it was made, what nobody
 * was given yet and what an earlier one was given and never confirmed.
 */
export function handOut(outbox: readonly Waiting[], made: readonly Message[], now: number, patienceMs: number): Given {
  const all = setAside(outbox, made, now);
  const due = all.filter(({ againAt }) => againAt <= now);
  return {
    outbox: all.map((waiting) => (waiting.againAt <= now ? lent(waiting, now, patienceMs) : waiting)),
    messages: [
      ...due.map(({ message, attempts }) => ({ ...message, attempt: attempts + 1 })),
      ...made.flatMap((message) => (message.kind === 'suppressed' ? [{ ...message, attempt: 1 }] : [])),
    ],
  };
}

function newest(outbox: readonly Waiting[]): readonly Waiting[] {
  let room = MOST_CHARACTERS;
  const first = outbox.findLastIndex((waiting) => {
    room -= JSON.stringify(waiting).length;
    return room < 0;
  });
  return outbox.slice(first + 1);
}

function lent({ message, attempts }: Waiting, now: number, patienceMs: number): Waiting {
  const patience = Math.min(patienceMs * 2 ** attempts, Math.max(patienceMs, LONGEST_PATIENCE_MS));
  return { message, attempts: attempts + 1, againAt: now + patience };
}

/**
 * Takes out what arrived. Whoever heard that something is over needs not hear any more that it began: what was said of
 * the same incidents before goes as well.
 */
export function confirm(outbox: readonly Waiting[], ids: readonly string[]): readonly Waiting[] {
  const arrived = new Set(ids);
  const over = new Set(
    outbox.flatMap(({ message }) =>
      message.kind === 'resolved' && arrived.has(message.id) ? message.incidents.map(({ number }) => number) : [],
    ),
  );
  return outbox.filter(({ message }) => {
    if (arrived.has(message.id)) return false;
    return !message.incidents.every(({ number }) => over.has(number));
  });
}
