import { addressOf, overStream, type Kind } from '../kind';
import type { Address } from '../vantage';
import { firstLine } from './lines';
import { Wrong, type StreamProbe } from './probe';

/** An SSH server answers; nobody logs in. */
export const ssh: StreamProbe<Address> = {
  kind: 'ssh',
  talk: async (stream) => {
    const line = await firstLine(stream);
    if (!line.startsWith('SSH-2.0-')) throw new Wrong('what listens there is no SSH server');
    return line;
  },
};

export const sshKind: Kind = overStream(ssh, (fields) => {
  const address = addressOf(fields, 22);
  return { target: () => address };
});
