import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startSshHost, type SshHost } from '../../../lab/hosts/ssh-host';
import { labFolder } from '../../../lab/hosts/ledger';
import { markedProcesses } from '../../../lab/hosts/processes';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import { describeAsRoot } from './as-root';
import { connectTo, execOn } from './client';

// A promise about what happens, not how fast; busy machines may take their time.
jest.setTimeout(30_000);

const hosts: SshHost[] = [];
const start = async (...options: Parameters<typeof startSshHost>) => {
  const host = await startSshHost(...options);
  hosts.push(host);
  return host;
};

afterAll(() => Promise.all(hosts.map((host) => host.stop())));

describe('startSshHost', () => {
  test('the plain ssh client logs in with the key, sees the pinned host key and gets the exit status', async () => {
    const host = await start();
    const knownHosts = host.pins.map(({ fingerprint }) => fingerprint);
    const scanned = await run([
      'sh',
      '-c',
      'ssh-keyscan -p "$1" "$2" 2>/dev/null | ssh-keygen -lf -',
      'scan',
      String(host.port),
      host.address,
    ]);
    expect(
      new Set(
        scanned
          .trim()
          .split('\n')
          .map((line) => line.split(' ')[1]),
      ),
    ).toEqual(new Set(knownHosts));
    const output = await run([
      ...(['ssh', '-F', '/dev/null', '-i', host.privateKeyFile, '-p', String(host.port)] as const),
      ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'],
      ...[`${host.user}@${host.address}`, 'id -un; exit 0'],
    ]);
    expect(output).toBe(`${host.user}\n`);
    expect(await host.authenticationAttempts()).toContainEqual({ user: host.user, method: 'publickey' });
  });

  test('ten hosts that start at once all answer, each on its own port', async () => {
    const many = await Promise.all(Array.from({ length: 10 }, () => start({ hostKeys: ['ed25519'] })));
    expect(new Set(many.map(({ port }) => port)).size).toBe(10);
    const answers = await Promise.all(many.map(async (host) => (await execOn(host, 'echo here')).stdout));
    expect(answers).toEqual(many.map(() => 'here\n'));
  });

  test('a client that leaves at the host key has sent no name, no key and no password', async () => {
    const host = await start({ hostKeys: ['ed25519'] });
    await expect(connectTo(host, { hostVerifier: () => false })).rejects.toThrow(/verification|handshake/i);
    await until('the connection is logged', 5000, async () => ((await host.connections()) > 0 ? true : undefined));
    expect(await host.authenticationAttempts()).toEqual([]);
  });

  test('restart with another key answers on the same port with the new pin', async () => {
    const host = await start({ hostKeys: ['ed25519'] });
    const before = host.pins;
    const after = await host.restart({ hostKeys: ['ed25519'] });
    expect(after).toEqual(host.pins);
    expect(after).not.toEqual(before);
    expect((await execOn(host, 'echo back')).stdout).toBe('back\n');
  });

  test('the eleventh channel is refused when MaxSessions is ten', async () => {
    const host = await start({ hostKeys: ['ed25519'], maxSessions: 10 });
    const client = await connectTo(host);
    const outcomes = await Promise.all(
      Array.from({ length: 11 }, async () =>
        execOn(client, 'cat', { keepOpen: true }).then(
          () => 'open',
          () => 'refused',
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(1);
    client.end();
  });

  test('SFTP and forwarding to Unix sockets are there, or not, as asked', async () => {
    const [open, closed] = await Promise.all([
      start({ hostKeys: ['ed25519'] }),
      start({ hostKeys: ['ed25519'], sftp: false, streamLocalForwarding: false }),
    ]);
    const sftp = async (host: SshHost) => {
      const client = await connectTo(host);
      return await new Promise<string>((resolve) =>
        client.sftp((error) => {
          client.end();
          resolve(error ? 'no' : 'yes');
        }),
      );
    };
    const socket = async (host: SshHost) => {
      const client = await connectTo(host);
      return await new Promise<string>((resolve) =>
        client.openssh_forwardOutStreamLocal(join(open.logFile, '../echo.sock'), (error, channel) => {
          if (error) resolve(error.message);
          else channel.on('data', (chunk: Buffer) => resolve(chunk.toString())).end('there and back');
        }),
      ).finally(() => client.end());
    };
    const echo = createServer((connection) => connection.pipe(connection)).listen(join(open.logFile, '../echo.sock'));
    expect(await Promise.all([sftp(open), sftp(closed)])).toEqual(['yes', 'no']);
    expect(await socket(open)).toBe('there and back');
    expect(await socket(closed)).toMatch(/open failed/i);
    echo.close();
  });

  test('a key with a passphrase is let in once it is decrypted', async () => {
    const host = await start({ hostKeys: ['ed25519'] });
    const key = await host.keyWithPassphrase();
    const client = await connectTo(host, { privateKey: key.privateKey, passphrase: key.passphrase });
    expect((await execOn(client, 'echo in')).stdout).toBe('in\n');
    client.end();
  });

  test('connections can be cut while the server goes on', async () => {
    const host = await start({ hostKeys: ['ed25519'] });
    const client = await connectTo(host);
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    client.on('error', () => {});
    await host.dropConnections();
    await closed;
    expect((await execOn(host, 'echo again')).stdout).toBe('again\n');
  });

  test('stop ends what a command left behind in its own session, and removes every file', async () => {
    const host = await startSshHost({ hostKeys: ['ed25519'] });
    await execOn(host, 'setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo started');
    const mark = host.logFile.split('/').at(-2) ?? '';
    await until('the sleeper runs', 5000, () => (markedProcesses(mark).length > 0 ? true : undefined));
    await host.stop();
    expect(markedProcesses(mark)).toEqual([]);
    expect(existsSync(host.logFile)).toBe(false);
    await expect(connectTo(host)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('a frozen host keeps its connections silent, and goes on when it thaws', async () => {
    const host = await start({ hostKeys: ['ed25519'] });
    const patient = await connectTo(host);
    const watchful = await connectTo(host, { keepaliveInterval: 100, keepaliveCountMax: 2 });
    const lost = new Promise<Error>((resolve) => watchful.once('error', resolve));
    host.freeze();
    const answer = execOn(patient, 'echo thawed');
    expect((await lost).message).toMatch(/keepalive/i);
    host.thaw();
    expect((await answer).stdout).toBe('thawed\n');
    patient.end();
  });
});

describeAsRoot('startSshHost as root', () => {
  test('the three accounts become root without a password, with a password, and not at all', async () => {
    const host = await start({ hostKeys: ['ed25519'], passwordLogin: true });
    const accounts = host.accounts;
    if (accounts === undefined) throw new Error('root has accounts');
    const as = (user: string, command: string, input?: string) =>
      execOn({ ...host, user }, command, { ...(input && { input }) });
    expect(await as(accounts.sudo, 'sudo -n id -u')).toMatchObject({ code: 0, stdout: '0\n' });
    expect(await as(accounts.sudoWithPassword, 'sudo -n id -u')).toMatchObject({ code: 1 });
    expect(await as(accounts.sudoWithPassword, 'sudo -S -p "" id -u', `${accounts.password}\n`)).toMatchObject({
      code: 0,
      stdout: '0\n',
    });
    expect(await as(accounts.plain, 'sudo -S -p "" id -u', `${accounts.password}\n`)).toMatchObject({ code: 1 });
    expect(await as(accounts.plain, 'id -un')).toMatchObject({ stdout: `${accounts.plain}\n` });

    const keyless = { address: host.address, port: host.port, user: host.user };
    const client = await connectTo({ ...keyless, user: accounts.plain }, { password: accounts.password });
    expect((await execOn(client, 'id -un')).stdout).toBe(`${accounts.plain}\n`);
    client.end();
  });

  test('stop reaches what a command started as root by sudo, and takes the sudo rule away', async () => {
    const host = await startSshHost({ hostKeys: ['ed25519'], user: 'sudo' });
    const mark = host.logFile.split('/').at(-2) ?? '';
    await execOn(host, 'sudo -n setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo started');
    await until('the sleeper runs', 5000, () => (markedProcesses(mark).length > 0 ? true : undefined));
    expect(readdirSync('/etc/sudoers.d')).toContain(`selfhost-lab-${mark}`);
    await host.stop();
    expect(markedProcesses(mark)).toEqual([]);
    expect(readdirSync('/etc/sudoers.d').filter((name) => name.includes(mark))).toEqual([]);
    expect(readdirSync(labFolder()).filter((name) => name.includes(mark))).toEqual([]);
  });
});
