import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from './certificates';

/** Where names of the internet lead to servers of the lab. */
export interface HttpsFront {
  /** For a process that is to go this way: its proxy, and whom it trusts. Nothing else of the internet is there. */
  readonly environment: Readonly<Record<'HTTPS_PROXY' | 'NO_PROXY' | 'NODE_EXTRA_CA_CERTS', string>>;
  readonly close: () => Promise<void>;
}

/**
 * A proxy that takes whoever asks for one of these names to a server of the lab, over TLS that an authority of the lab
 * has signed: for nodes whose address is written in stone.
 */
export async function startHttpsFront(names: Readonly<Record<string, () => string>>): Promise<HttpsFront> {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-front-'));
  const authority = await makeAuthority(folder);
  const { certificate, key } = await authority.sign('front', ...Object.keys(names));
  const sockets = new Set<Socket>();
  const kept = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const inside = https.createServer({ cert: certificate, key }, (asked, answer) => {
    const target = names[asked.headers.host ?? '']?.();
    if (target === undefined) {
      answer.writeHead(421).end();
      return;
    }
    const onward = http.request(new URL(asked.url ?? '/', target), { method: asked.method, headers: asked.headers });
    onward.on('error', () => answer.destroy());
    onward.on('response', (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    asked.pipe(onward);
  });
  inside.on('connection', kept);
  const proxy = http.createServer((_, answer) => void answer.writeHead(403).end());
  proxy.on('connection', kept);
  inside.listen(0, '127.0.0.1');
  proxy.listen(0, '127.0.0.1');
  await Promise.all([once(inside, 'listening'), once(proxy, 'listening')]);
  const port = (server: http.Server) => (server.address() as AddressInfo).port;
  proxy.on('connect', ({ url = '' }: http.IncomingMessage, socket: Socket, first: Buffer) => {
    const known = Object.keys(names).some((name) => url === `${name}:443`);
    if (!known) {
      socket.end('HTTP/1.1 403 Not in the lab\r\n\r\n');
      return;
    }
    const onward = connect(port(inside), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      onward.write(first);
      socket.pipe(onward).pipe(socket);
    });
    kept(onward);
  });
  return {
    environment: {
      HTTPS_PROXY: `http://127.0.0.1:${port(proxy)}`,
      NO_PROXY: '127.0.0.1,localhost',
      NODE_EXTRA_CA_CERTS: authority.file,
    },
    close: async () => {
      const ended = [proxy, inside].map((server) => new Promise((resolve) => server.close(resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(ended);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
