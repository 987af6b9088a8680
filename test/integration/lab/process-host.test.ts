import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcessHost, type ProcessHost, type ProcessHostOptions } from '../../../lab/hosts/process-host';
import { markedProcesses } from '../../../lab/hosts/processes';
import { until } from '../../../lab/hosts/waiting';
import { connectTo, execOn } from './client';

// A promise about what happens, not how fast; busy machines may take their time.
jest.setTimeout(30_000);

const hosts: ProcessHost[] = [];
const start = async (options: ProcessHostOptions = {}) => {
  const host = await startProcessHost(options);
  hosts.push(host);
  return host;
};

afterAll(() => Promise.all(hosts.map((host) => host.stop())));

describe('startProcessHost', () => {
  test('a command gets its input and gives both outputs and its exit code', async () => {
    const host = await start();
    expect(await execOn(host, 'cat; echo problem >&2; exit 7', { input: 'hello' })).toEqual({
      code: 7,
      signal: undefined,
      stdout: 'hello',
      stderr: 'problem\n',
    });
    expect(host.commands).toEqual(['cat; echo problem >&2; exit 7']);
  });

  test('a megabyte goes through and comes back whole', async () => {
    const host = await start();
    const input = 'x'.repeat(1024 * 1024);
    expect((await execOn(host, 'cat', { input })).stdout).toBe(input);
  });

  test('a command that is killed reports its signal and no code', async () => {
    const host = await start();
    expect(await execOn(host, 'kill -TERM $$')).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  test('a stranger, a wrong key and a wrong password stay outside; the right password comes in', async () => {
    const [host, other] = [await start({ password: 'right' }), await start()];
    const keyless = { address: host.address, port: host.port, user: host.user };
    await expect(connectTo({ ...host, user: 'stranger' })).rejects.toThrow(/authentication/i);
    await expect(connectTo({ ...host, privateKey: other.privateKey })).rejects.toThrow(/authentication/i);
    await expect(connectTo(keyless, { password: 'wrong' })).rejects.toThrow(/authentication/i);
    const client = await connectTo(keyless, { password: 'right' });
    client.end();
  });

  test('there is no SFTP', async () => {
    const client = await connectTo(await start());
    const error = await new Promise<Error | undefined>((resolve) => client.sftp(resolve));
    expect(error).toBeInstanceOf(Error);
    client.end();
  });

  test('it forwards to ports and to Unix sockets', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'selfhost-lab-test-'));
    const echo = () => createServer((connection) => connection.pipe(connection));
    const [byPort, byPath] = [echo(), echo()];
    await new Promise<void>((resolve) => byPort.listen(0, '127.0.0.1', resolve));
    await new Promise<void>((resolve) => byPath.listen(join(folder, 'echo.sock'), resolve));
    const address = byPort.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const client = await connectTo(await start());
    const answers = await Promise.all([
      new Promise<string>((resolve, reject) =>
        client.forwardOut('127.0.0.1', 0, '127.0.0.1', address.port, (error, channel) => {
          if (error) reject(error);
          else channel.on('data', (chunk: Buffer) => resolve(chunk.toString())).end('port');
        }),
      ),
      new Promise<string>((resolve, reject) =>
        client.openssh_forwardOutStreamLocal(join(folder, 'echo.sock'), (error, channel) => {
          if (error) reject(error);
          else channel.on('data', (chunk: Buffer) => resolve(chunk.toString())).end('path');
        }),
      ),
    ]);
    expect(answers).toEqual(['port', 'path']);
    client.end();
    byPort.close();
    byPath.close();
    await rm(folder, { recursive: true });
  });

  test('a talkative shell is heard before the command', async () => {
    const host = await start({ noise: { stdout: 'Welcome!\n', stderr: 'hint\n' } });
    expect(await execOn(host, 'echo result')).toMatchObject({ stdout: 'Welcome!\nresult\n', stderr: 'hint\n' });
  });

  test('channels above the limit are refused until one is closed', async () => {
    const host = await start({ maxChannels: 2 });
    const client = await connectTo(host);
    await execOn(client, 'cat', { keepOpen: true });
    const second = execOn(client, 'read line; echo "$line"', { input: 'done\n' });
    await expect(
      Promise.all([execOn(client, 'cat', { keepOpen: true }), execOn(client, 'cat', { keepOpen: true })]),
    ).rejects.toThrow(/open failure/);
    expect((await second).stdout).toBe('done\n');
    await until('a channel is free again', 5000, () => execOn(client, 'echo free').catch(() => undefined));
    client.end();
  });

  test('a connection breaks off in the middle of a command, and the command lives on without it', async () => {
    const host = await start({ breakAfterBytes: 10 });
    const client = await connectTo(host);
    client.on('error', () => {});
    const outcome = await execOn(client, 'echo 0123456789; exec sleep 1000');
    expect(outcome).toMatchObject({ code: null, signal: undefined });
    host.killCommands('SIGKILL');
  });

  test('a stalled host answers no keepalive, and everything arrives once it resumes', async () => {
    const host = await start();
    const client = await connectTo(host, { keepaliveInterval: 50, keepaliveCountMax: 2 });
    const patient = await connectTo(host);
    host.stall();
    const lost = await new Promise<Error>((resolve) => client.once('error', resolve));
    expect(lost.message).toMatch(/keepalive/i);
    const answer = execOn(patient, 'echo late');
    host.resume();
    expect((await answer).stdout).toBe('late\n');
    patient.end();
  });

  test('a slow line adds its delay both ways', async () => {
    const host = await start();
    const client = await connectTo(host);
    host.slow(100);
    const begin = performance.now();
    expect((await execOn(client, 'echo slow')).stdout).toBe('slow\n');
    expect(performance.now() - begin).toBeGreaterThanOrEqual(390);
    client.end();
  });

  test('variables come through only when they are accepted', async () => {
    const host = await start({ acceptEnvironment: ['LAB_TOLD'] });
    const client = await connectTo(host);
    const text = await new Promise<string>((resolve, reject) =>
      client.exec(
        'echo "${LAB_TOLD-none} ${LAB_OTHER-none}"',
        { env: { LAB_TOLD: 'yes', LAB_OTHER: 'yes' } },
        (error, channel) => {
          if (error) reject(error);
          else channel.on('data', (chunk: Buffer) => resolve(chunk.toString()));
        },
      ),
    );
    expect(text).toBe('yes none\n');
    client.end();
  });

  test('stop ends commands that left their process group', async () => {
    const host = await startProcessHost();
    await execOn(host, 'setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo started');
    const mark = host.privateKeyFile.split('/').at(-2) ?? '';
    await until('the sleeper runs', 5000, () => (markedProcesses(mark).length > 0 ? true : undefined));
    await host.stop();
    expect(markedProcesses(mark)).toEqual([]);
  });
});
