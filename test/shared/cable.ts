import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Cable {
  readonly address: string;
  readonly port: number;
  /** Both ends lose every connection that goes over it; new ones get through. */
  readonly cut: () => void;
  readonly stop: () => Promise<void>;
}

/** A way to a server that can be cut; what runs on the other side does not notice more than that. */
export async function startCable(to: { readonly address: string; readonly port: number }): Promise<Cable> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to.port, to.address);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    cut,
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
