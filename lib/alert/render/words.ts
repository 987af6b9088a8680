import type { Message } from '../message';

/** A message for people: all but what was suppressed. */
export type Spoken = Exclude<Message, { readonly kind: 'suppressed' }>;

export function headOf(message: Spoken): string {
  switch (message.kind) {
    case 'firing':
      return message.repeat > 0 ? 'Still wrong' : 'Wrong';
    case 'resolved':
      return 'Resolved';
    case 'escalate':
      return 'Nobody has taken this';
  }
}
