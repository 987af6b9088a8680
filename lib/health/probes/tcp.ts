import { addressOf, overStream, type Kind } from '../kind';
import type { Address } from '../vantage';
import type { StreamProbe } from './probe';

/** Something listens there. */
export const tcp: StreamProbe<Address> = {
  kind: 'tcp',
  talk: () => Promise.resolve('it listens'),
};

export const tcpKind: Kind = overStream(tcp, (fields) => {
  const address = addressOf(fields);
  return { target: () => address };
});
