import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface SilentServer {
  /** `10.1.2.1:5000` */
  readonly name: string;
  readonly connections: () => number;
  readonly stop: () => Promise<void>;
}

/** Takes every connection, and never says a word: what a firewall that drops, or a program that hangs, looks like. */
export async function startSilentServer(address = '127.0.0.1'): Promise<SilentServer> {
  const held = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    held.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => held.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  return {
    name: `${address}:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of held) socket.destroy();
      await closed;
    },
  };
}
