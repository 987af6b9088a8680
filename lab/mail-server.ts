import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as they came. */
  readonly text: string;
}

export interface MailServer {
  readonly port: number;
  readonly mails: readonly Mail[];
  /** From now on every recipient is refused. */
  readonly refuse: () => void;
  readonly close: () => Promise<void>;
}

/** A mail server on the loopback that keeps what it takes: enough of RFC 5321 for a client that sends. */
export async function startMailServer(): Promise<MailServer> {
  const mails: Mail[] = [];
  const sockets = new Set<Socket>();
  let refusing = false;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A client that goes away in the middle has said what it wanted.
    socket.on('error', () => socket.destroy());
    serve(socket, { mails, isRefusing: () => refusing });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    refuse: () => void (refusing = true),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function serve(socket: Socket, { mails, isRefusing }: { mails: Mail[]; isRefusing: () => boolean }): void {
  let from = '';
  let to: string[] = [];
  let rest = '';
  let isData = false;
  const say = (line: string) => void socket.write(`${line}\r\n`);
  const answerTo = (line: string): string => {
    const [verb = ''] = line.toUpperCase().split(' ');
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        return '250 lab';
      case 'MAIL':
        from = addressIn(line);
        to = [];
        return '250 fine';
      case 'RCPT':
        if (isRefusing()) return '550 no such mailbox';
        to.push(addressIn(line));
        return '250 fine';
      case 'DATA':
        isData = true;
        return '354 go on, and end with a dot';
      case 'RSET':
      case 'NOOP':
        return '250 fine';
      case 'QUIT':
        return '221 bye';
      default:
        return '502 not known here';
    }
  };
  say('220 lab ESMTP');
  socket.on('data', (chunk) => {
    rest += chunk.toString('utf8');
    for (;;) {
      const end = rest.indexOf(isData ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const piece = rest.slice(0, end);
      rest = rest.slice(end + (isData ? 5 : 2));
      if (isData) {
        isData = false;
        mails.push({ from, to, text: piece.replaceAll('\r\n..', '\r\n.') });
        say('250 kept');
      } else {
        say(answerTo(piece));
      }
    }
  });
}

function addressIn(line: string): string {
  return /<([^>]*)>/.exec(line)?.[1] ?? '';
}
