import { execFileSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { freePort } from '../../../../lab/ports';
import { checkHosts } from '../../../../lib/host/check-hosts';
import { scanHostKeys } from '../../../../lib/host/host-keys';
import { parsePins } from '../../../../lib/host/pins';
import { closeSessions } from '../../../../lib/host/sessions';
import { access, failureOf, task } from './lab-access';

jest.setTimeout(60_000);

const hosts: SshHost[] = [];
const start = async (...options: Parameters<typeof startSshHost>) => {
  const host = await startSshHost(...options);
  hosts.push(host);
  return host;
};

afterEach(async () => {
  await closeSessions();
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});

test('every key of a server is shown as ssh-keygen shows it, ready to be pinned, and nobody tried to log in', async () => {
  const lab = await start({ name: 'bruno', hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
  const keys = await scanHostKeys(lab.address, lab.port, { name: 'bruno' }, task());
  const scanned = execFileSync(
    'sh',
    ['-c', 'ssh-keyscan -p "$1" "$2" 2>/dev/null | ssh-keygen -lf -', 'scan', String(lab.port), lab.address],
    { encoding: 'utf8' },
  );
  const theirs = scanned
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(0, 2).join(' '));
  expect(keys.map(({ bits, fingerprint }) => `${bits} ${fingerprint}`).sort()).toEqual(theirs.sort());
  expect(keys.map(({ state }) => state)).toEqual(['new', 'new', 'new']);
  const pinned = parsePins(keys.map(({ pinLine }) => pinLine).join('\n'));
  expect(pinned).toMatchObject([{ name: 'bruno', address: '127.0.0.1', port: lab.port }]);
  expect(new Set(pinned[0]?.pins)).toEqual(new Set(lab.pins));
  expect(await lab.authenticationAttempts()).toEqual([]);
});

test('a key is the same, changed or new against what is pinned', async () => {
  const lab = await start({ hostKeys: ['ed25519', 'ecdsa'] });
  const states = async (pins: Parameters<typeof scanHostKeys>[2]['pins']) =>
    Object.fromEntries(
      (await scanHostKeys(lab.address, lab.port, { pins }, task())).map(({ keyType, state }) => [keyType, state]),
    );
  const ed25519 = lab.pins.filter(({ keyType }) => keyType === 'ssh-ed25519');
  expect(await states(ed25519)).toEqual({ 'ssh-ed25519': 'same', 'ecdsa-sha2-nistp256': 'new' });
  expect(await states(ed25519.map(({ fingerprint }) => ({ fingerprint })))).toEqual({
    'ssh-ed25519': 'same',
    'ecdsa-sha2-nistp256': 'new',
  });
  await lab.restart({ hostKeys: ['ed25519', 'ecdsa'] });
  expect(await states(ed25519)).toEqual({ 'ssh-ed25519': 'changed', 'ecdsa-sha2-nistp256': 'new' });
});

test('a host behind a jump host shows its keys through it', async () => {
  const [jump, behind] = [await start({ name: 'jump' }), await start({ name: 'behind', hostKeys: ['ed25519'] })];
  const keys = await scanHostKeys(behind.address, behind.port, { jump: access(jump) }, task());
  expect(keys.map(({ fingerprint }) => fingerprint)).toEqual(behind.pins.map(({ fingerprint }) => fingerprint));
  expect(await jump.log()).toContain(`server_request_direct_tcpip`);
});

test('what does not listen, or is no SSH server, is said in one sentence', async () => {
  const port = await freePort();
  expect(await failureOf(scanHostKeys('127.0.0.1', port, {}, task()))).toMatchObject({
    code: 'host_unreachable',
    message: `127.0.0.1:${port} cannot be reached: it refuses connections on that port`,
  });
  const web = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  expect(await failureOf(scanHostKeys('127.0.0.1', (web.address() as AddressInfo).port, {}, task()))).toMatchObject({
    code: 'host_keys_unreadable',
  });
  web.close();
});

test('Stop ends a scan of a server that says nothing', async () => {
  const mute = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const stop = new AbortController();
  mute.once('connection', () => {
    stop.abort();
  });
  const port = (mute.address() as AddressInfo).port;
  expect(await failureOf(scanHostKeys('127.0.0.1', port, {}, task(stop.signal)))).toMatchObject({ code: 'cancelled' });
  mute.close();
});

test('the check of a credential names the hosts that do not answer, and why', async () => {
  const [up, changed] = [await start({ name: 'up' }), await start({ name: 'changed', hostKeys: ['ed25519'] })];
  const gone = await freePort();
  const { identity, target } = access(up);
  const others = [
    access(changed).target,
    { name: 'gone', aliases: [], address: '127.0.0.1', port: gone, pins: target.pins },
  ];
  expect(await checkHosts({ ...identity, hosts: [target] }, task())).toMatchObject({
    ok: true,
    summary: 'The pinned host answers.',
  });
  await changed.restart({ hostKeys: ['ed25519'] });
  const check = await checkHosts({ ...identity, hosts: [target, ...others] }, task());
  expect(check.ok).toBe(false);
  expect(check.hosts).toMatchObject([
    { name: 'up', answers: true },
    { name: 'changed', answers: false, code: 'host_key_mismatch' },
    { name: 'gone', answers: false, code: 'host_unreachable' },
  ]);
  expect(check.summary).toMatch(/^1 of 3 pinned hosts answer; these do not: changed \(.*\); gone \(.*\)\.$/);
});
