import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';

// From Node 24 on its message ends in advice for whoever starts Node, which is nobody here.
const ADVICE = /; if the root CA is installed locally.*$/;

/** A TLS connection over the stream, after its handshake; a certificate that is not in order is an error. */
export function secure(stream: Duplex, serverName: string, authority: string | undefined): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // An address is checked like a name, and is not to be sent as one.
    const name = isIP(serverName) === 0 ? { servername: serverName } : { host: serverName };
    const line = connect({ socket: stream, ...name, ca: authority, rejectUnauthorized: true });
    // Stays for good, so that an error after the handshake has a listener too.
    line.on('error', (error: Error) => {
      reject(new Error(error.message.replace(ADVICE, ''), { cause: error }));
    });
    line.once('close', () => reject(new Error('it hung up during the handshake')));
    line.once('secureConnect', () => resolve(line));
  });
}
