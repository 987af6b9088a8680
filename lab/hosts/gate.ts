import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';

/** How the line between a client and a host in this process behaves right now. Shared by all its connections. */
export interface Line {
  /** Neither side hears the other; nothing is closed, nothing is lost. */
  stalled: boolean;
  /** One way. */
  delayMs: number;
}

/** The socket as seen over a line that can be slow or silent. */
export function behindLine(socket: Socket, line: Line): Duplex {
  const pass = async (bornAt: number) => {
    // Looked at again and again: the line may change while a chunk is under way.
    while (line.stalled || Date.now() < bornAt + line.delayMs) {
      if (socket.destroyed) return;
      await new Promise((resolve) =>
        setTimeout(resolve, line.stalled ? 10 : Math.max(1, bornAt + line.delayMs - Date.now())),
      );
    }
  };
  const quiet = () => !line.stalled && line.delayMs === 0;
  // One chain per direction keeps the order. While it is empty and the line is plain, nothing waits.
  let inbound = Promise.resolve();
  let inboundWaiting = 0;

  const duplex = new Duplex({
    read: () => socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (quiet()) socket.write(chunk, done);
      else void pass(Date.now()).then(() => (socket.destroyed ? done() : socket.write(chunk, done)));
    },
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  const deliver = (chunk: Buffer | null) => {
    if (!duplex.push(chunk)) socket.pause();
  };
  const arrive = (chunk: Buffer | null) => {
    if (quiet() && inboundWaiting === 0) {
      deliver(chunk);
      return;
    }
    const bornAt = Date.now();
    inboundWaiting++;
    inbound = inbound.then(async () => {
      await pass(bornAt);
      inboundWaiting--;
      if (!duplex.destroyed) deliver(chunk);
    });
  };
  socket.on('data', arrive);
  socket.on('end', () => arrive(null));
  socket.on('error', (error) => duplex.destroy(error));
  socket.on('close', () => duplex.destroy());
  return duplex;
}
