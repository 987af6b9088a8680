import type { Address } from '../vantage';
import type { StreamProbe } from './probe';

/** Something listens there. */
export const tcp: StreamProbe<Address> = {
  kind: 'tcp',
  talk: () => Promise.resolve('it listens'),
};
