import type { AlertMemory, Condition, Reason } from './memory';
import { thingOf, type Message } from './message';

/** Says once for each episode why something is not told. */
export function hush(
  memory: AlertMemory,
  fingerprint: string,
  condition: Condition,
  reason: Reason,
  messages: Message[],
  because?: string,
): void {
  if (condition.hushed.includes(reason)) return;
  condition.hushed.push(reason);
  messages.push({
    kind: 'suppressed',
    id: `suppressed-${memory.nextSuppressed}`,
    at: memory.now,
    text: `${condition.target}: not told (${because === undefined ? reason : `${reason}: ${because}`})`,
    reason,
    thing: thingOf(fingerprint, condition),
    ...(because !== undefined && { because }),
  });
  memory.nextSuppressed += 1;
}
