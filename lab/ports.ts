import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which Linux takes ports for outgoing connections (32768 and up): a port that a server leaves for
 * a moment, to be started again on it, is not taken meanwhile by somebody's connection.
 */
const FIRST = 20_000;
const LAST = 32_767;
const ATTEMPTS = 200;

/** A port that was free a moment ago. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST, LAST + 1);
    if (await isPortFree(port, address)) return port;
  }
  throw new Error(`No free port on ${address} between ${FIRST} and ${LAST}`);
}

export function isPortFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
