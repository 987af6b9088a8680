import { quietTask } from '../../../shared/task';
import { makeKey } from '../../../../lab/hosts/keys';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { selectHost } from '../../../../lib/host/select';
import { hostOf } from '../../../../lab/hosts/as-host';
import { identityFor } from './identities';

const sayHi = { argv: ['echo', 'hi'] } as const;

describe('a connection', () => {
  let lab: SshHost;
  let other: SshHost;
  beforeAll(async () => {
    [lab, other] = await Promise.all([
      startSshHost({ name: 'bruno', passwordLogin: true }),
      startSshHost({ name: 'eva', hostKeys: ['ed25519'] }),
    ]);
  });
  afterEach(closeSessions);
  afterAll(async () => {
    await Promise.all([lab.stop(), other.stop()]);
  });

  it.each(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ssh-rsa'])('accepts a pinned %s key alone', async (keyType) => {
    const host = hostOf(lab);
    const pins = host.target.pins.filter((pin) => pin.keyType === keyType);
    expect(pins).toHaveLength(1);
    const { stdout } = await runCommand({ ...host, target: { ...host.target, pins } }, sayHi, {}, quietTask());
    expect(stdout).toBe('hi\n');
  });

  it('refuses a host that is not pinned, tells the line that would pin it, and sends it nothing', async () => {
    const before = await lab.authenticationAttempts();
    const ed25519 = lab.pins.find(({ keyType }) => keyType === 'ssh-ed25519');
    const identity = { ...identityFor([lab]), hosts: [] };
    const where = `127.0.0.1:${lab.port}`;
    await expect(runCommand(selectHost(identity, where), sayHi, {}, quietTask())).rejects.toMatchObject({
      code: 'host_key_not_pinned',
      message: `host ${where} (${where}) is not pinned; it shows ssh-ed25519 ${ed25519?.fingerprint}; nothing was sent to it`,
      nextStep: expect.stringMatching(new RegExp(`add to the credential: .*${where} ssh-ed25519 SHA256:`)),
    });
    expect(await lab.authenticationAttempts()).toEqual(before);
  });

  it('refuses a host whose key has changed and sends it nothing', async () => {
    const host = hostOf(other);
    await runCommand(host, sayHi, {}, quietTask());
    await closeSessions();
    const attempts = await other.authenticationAttempts();
    const [shown] = await other.restart({ hostKeys: ['ed25519'] });
    await expect(runCommand(host, sayHi, {}, quietTask())).rejects.toMatchObject({
      code: 'host_key_mismatch',
      message: expect.stringContaining(`${shown?.fingerprint}); nothing was sent to it`),
      details: { fingerprint: shown?.fingerprint, pinned: host.target.pins.map(({ fingerprint }) => fingerprint) },
    });
    expect(await other.authenticationAttempts()).toEqual(attempts);
  });

  it('says so when the pinned kind of key is no longer offered', async () => {
    await other.restart({ hostKeys: ['ecdsa'] });
    const host = hostOf(other);
    const pins = [{ keyType: 'ssh-ed25519', fingerprint: `SHA256:${'A'.repeat(43)}` }];
    await expect(
      runCommand({ ...host, target: { ...host.target, pins } }, sayHi, {}, quietTask()),
    ).rejects.toMatchObject({
      code: 'host_key_mismatch',
      message: expect.stringContaining('no longer offers a host key of the pinned kind'),
    });
  });

  it('logs in with a password, an encrypted key, and tells when they are refused', async () => {
    const { accounts } = lab;
    if (accounts === undefined) throw new Error('This test needs root');
    const withPassword = (password: string) =>
      hostOf(lab, { user: accounts.plain, login: { method: 'password', password } });
    const { stdout } = await runCommand(withPassword(accounts.password), { argv: ['whoami'] }, {}, quietTask());
    expect(stdout).toBe(`${accounts.plain}\n`);
    const wrong = runCommand(withPassword('planted-wrong-password'), sayHi, {}, quietTask());
    await expect(wrong).rejects.toMatchObject({ code: 'login_refused' });
    await expect(wrong.catch(String)).resolves.not.toContain('planted-wrong-password');

    const { privateKey, passphrase } = await lab.keyWithPassphrase();
    const open = hostOf(lab, { login: { method: 'key', privateKey, passphrase } });
    expect((await runCommand(open, sayHi, {}, quietTask())).stdout).toBe('hi\n');
    await expect(
      runCommand(hostOf(lab, { login: { method: 'key', privateKey, passphrase: 'no' } }), sayHi, {}, quietTask()),
    ).rejects.toMatchObject({ code: 'private_key_unreadable', message: expect.stringContaining('passphrase') });
    await expect(
      runCommand(hostOf(lab, { login: { method: 'key', privateKey: 'no key' } }), sayHi, {}, quietTask()),
    ).rejects.toMatchObject({ code: 'private_key_unreadable', message: expect.stringContaining('cannot be read') });
  });

  it('reaches a host through a jump host, verifying both, over one connection to each', async () => {
    const login = await makeKey('ed25519');
    const start = async (name: string) => startSshHost({ name, keys: { host: [await makeKey('ed25519')], login } });
    const [gate, inner] = await Promise.all([start('gate'), start('inner')]);
    try {
      const identity = { ...identityFor([gate, inner]), jumpHost: 'gate' };
      const before = await gate.connections();
      const results = await Promise.all(
        ['inner', 'inner', 'gate'].map((name) =>
          runCommand(selectHost(identity, name), { script: 'echo "${SSH_CONNECTION##* }"' }, {}, quietTask()),
        ),
      );
      expect(results.map(({ stdout }) => stdout)).toEqual([`${inner.port}\n`, `${inner.port}\n`, `${gate.port}\n`]);
      expect((await gate.connections()) - before).toBe(1);

      const nowhere = { ...identity, hosts: [...identity.hosts, { ...identity.hosts[1], name: 'nowhere', port: 1 }] };
      await expect(
        runCommand(selectHost(nowhere as typeof identity, 'nowhere'), sayHi, {}, quietTask()),
      ).rejects.toMatchObject({
        code: 'host_unreachable',
        message: expect.stringMatching(/host gate .*, through which it is reached, says: .*(refused|failed)/i),
      });

      await closeSessions();
      const strange = identityFor([{ ...gate, pins: other.pins }, inner]);
      await expect(
        runCommand(selectHost({ ...strange, jumpHost: 'gate' }, 'inner'), sayHi, {}, quietTask()),
      ).rejects.toMatchObject({ code: 'host_key_mismatch', subject: `host gate (127.0.0.1:${gate.port})` });
    } finally {
      await closeSessions();
      await Promise.all([gate.stop(), inner.stop()]);
    }
  });

  it('names what is wrong with a host that cannot be reached', async () => {
    const host = hostOf(lab);
    const at = (change: object) =>
      runCommand({ ...host, target: { ...host.target, ...change } }, sayHi, {}, quietTask());
    await expect(at({ port: 1 })).rejects.toMatchObject({
      code: 'host_unreachable',
      message: 'host bruno (127.0.0.1:1) cannot be reached: it refuses connections on that port',
      nextStep: 'Is sshd running there, and is the port right?',
    });
    await expect(at({ address: 'nowhere.invalid' })).rejects.toMatchObject({
      code: 'host_unreachable',
      message: expect.stringContaining('its name cannot be resolved'),
    });
  });

  it('hears Stop while it connects to a host that does not answer', async () => {
    const host = hostOf(lab);
    lab.freeze();
    try {
      const stop = new AbortController();
      const attempt = runCommand(host, sayHi, {}, quietTask(stop.signal));
      setImmediate(() => {
        stop.abort();
      });
      await expect(attempt).rejects.toMatchObject({ code: 'cancelled' });
    } finally {
      lab.thaw();
    }
  });
});
