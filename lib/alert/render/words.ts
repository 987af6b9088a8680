import type { Spoken } from '../outbox';

export function headOf(message: Spoken): string {
  switch (message.kind) {
    case 'firing':
      return message.repeat > 0 ? 'Still wrong' : 'Wrong';
    case 'resolved':
      return 'Resolved';
    case 'escalate':
      return message.why === 'worse' ? 'Worse' : 'Nobody has taken this';
  }
}
