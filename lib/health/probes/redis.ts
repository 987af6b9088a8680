import type { Address } from '../vantage';
import { firstLine } from './lines';
import { Wrong, type StreamProbe } from './probe';

/** Redis answers; that it asks for a password is an answer too. */
export const redis: StreamProbe<Address> = {
  kind: 'redis',
  talk: async (stream) => {
    stream.write('PING\r\n');
    const line = await firstLine(stream);
    if (line === '+PONG') return 'it answers';
    if (line.startsWith('-NOAUTH')) return 'it answers, and asks for a password';
    throw new Wrong(line.startsWith('-') ? `it refuses: ${line.slice(1, 120)}` : 'what listens there is no Redis');
  },
};
