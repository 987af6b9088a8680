import { quietTask } from '../../../shared/task';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { closeSessions } from '../../../../lib/host/sessions';
import { openSocket } from '../../../../lib/host/socket';
import { hostOf } from '../../../../lab/hosts/as-host';

/** Answers every connection with what it was sent, once that has ended. */
function echoServer(): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.on('end', () => socket.end(`echo ${said}`));
    socket.on('error', () => socket.destroy());
  });
}

function listen(server: Server, on: string | number): Promise<void> {
  return new Promise((resolve) => {
    if (typeof on === 'string') server.listen(on, resolve);
    else server.listen(on, '127.0.0.1', resolve);
  });
}

describe('openSocket', () => {
  let lab: SshHost;
  let folder: string;
  let servers: Server[];
  beforeAll(async () => {
    lab = await startSshHost({ name: 'bruno' });
    folder = mkdtempSync(join(tmpdir(), 'socket-'));
    servers = [echoServer(), echoServer()];
    await Promise.all([listen(servers[0] as Server, join(folder, 'echo.sock')), listen(servers[1] as Server, 0)]);
  });
  afterAll(async () => {
    await closeSessions();
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true });
    await lab.stop();
  });

  it('reaches a Unix socket and a port of the host, many at once over one connection', async () => {
    const before = await lab.connections();
    const { port } = servers[1]?.address() as AddressInfo;
    const addresses = [{ path: join(folder, 'echo.sock') }, { host: '127.0.0.1', port }];
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const socket = await openSocket(hostOf(lab), addresses[index % 2] ?? { path: '' }, quietTask());
        socket.end(`number ${index}`);
        return text(socket);
      }),
    );
    expect(answers).toEqual(Array.from({ length: 20 }, (_, index) => `echo number ${index}`));
    expect((await lab.connections()) - before).toBe(1);
  });

  it('says so when nothing listens there', async () => {
    await expect(openSocket(hostOf(lab), { path: join(folder, 'nobody.sock') }, quietTask())).rejects.toMatchObject({
      code: 'channel_refused',
    });
  });

  it('breaks with a Failure when the connection does', async () => {
    const socket = await openSocket(hostOf(lab), { path: join(folder, 'echo.sock') }, quietTask());
    const broken = new Promise((resolve) => socket.once('error', resolve));
    await lab.dropConnections();
    expect(await broken).toMatchObject({ code: 'connection_lost' });
  });
});
