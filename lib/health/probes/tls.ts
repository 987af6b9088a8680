import { addressOf, overStream, type Kind } from '../kind';
import type { Address } from '../vantage';
import { Wrong, type StreamProbe } from './probe';
import { secure } from './secure';

export interface TlsTarget extends Address {
  /** The name that the certificate must be for. */
  readonly serverName: string;
  readonly daysLeft: number;
  /** An authority of one's own, as PEM. */
  readonly authority?: string;
}

const DAY = 86_400_000;

/** The certificate is for this name, its chain is trusted, and it lasts long enough. */
export const tls: StreamProbe<TlsTarget> = {
  kind: 'tls',
  talk: async (stream, { serverName, daysLeft, authority }) => {
    const line = await secure(stream, serverName, authority);
    const { valid_to: end } = line.getPeerCertificate();
    line.destroy();
    const left = Math.floor((Date.parse(end) - Date.now()) / DAY);
    if (left < daysLeft) throw new Wrong(`its certificate ends in ${left} days`);
    return `its certificate lasts ${left} days`;
  },
};

export const tlsKind: Kind = overStream(tls, (fields) => {
  const address = addressOf(fields, 443);
  const serverName = fields.text('serverName') ?? address.host;
  const daysLeft = fields.number('daysLeft', 0, 10_000) ?? 14;
  const authority = fields.text('authority');
  const target = { ...address, serverName, daysLeft, ...(authority !== undefined && { authority }) };
  return { target: () => target };
});
