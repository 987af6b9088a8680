import { addressOf, overStream, secretsOf, type Kind, type Secrets } from '../kind';
import type { Address } from '../vantage';
import { firstLine } from './lines';
import { Wrong, type StreamProbe } from './probe';

export interface RedisTarget extends Address {
  readonly password?: string;
}

/** Redis answers; without a password, that it asks for one is an answer too. */
export const redis: StreamProbe<RedisTarget> = {
  kind: 'redis',
  talk: async (stream, { password }) => {
    if (password !== undefined) {
      const bytes = Buffer.byteLength(password);
      stream.write(`*2\r\n$4\r\nAUTH\r\n$${bytes}\r\n${password}\r\n`);
      const line = await firstLine(stream);
      if (line !== '+OK') throw new Wrong('it refuses the password');
    }
    stream.write('PING\r\n');
    const line = await firstLine(stream);
    if (line === '+PONG') return 'it answers';
    if (line.startsWith('-NOAUTH')) return 'it answers, and asks for a password';
    throw new Wrong(line.startsWith('-') ? `it refuses: ${line.slice(1, 120)}` : 'what listens there is no Redis');
  },
};

export const redisKind: Kind = overStream(redis, (fields) => {
  const address = addressOf(fields, 6379);
  return {
    secrets: secretsOf(fields, 'password'),
    target: ({ password }: Secrets) => ({ ...address, ...(password !== undefined && { password }) }),
  };
});
