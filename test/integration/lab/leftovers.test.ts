import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearLeftovers } from '../../../lab/hosts/ledger';
import { startProcessHost } from '../../../lab/hosts/process-host';
import { startSshHost } from '../../../lab/hosts/ssh-host';
import { sshBanner } from '../../../lab/hosts/waiting';
import { abandon } from './abandon';
import { describeAsRoot } from './as-root';

// A promise about what happens, not how fast; busy machines may take their time.
jest.setTimeout(30_000);

/** Everything on this machine that carries the name of a lab. */
function traces(id: string): string[] {
  const folders = ['/run/netns', '/sys/class/net', '/etc/sudoers.d', '/sys/fs/cgroup', '/sys/fs/cgroup/unified'];
  const names = folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []));
  return names.filter((name) => name.includes(id));
}

const idOf = (path: string) => path.split('/').at(-2) ?? '';

beforeAll(async () => {
  // Other tests clean up as well; what is left here is left for this one.
  process.env.SELFHOST_LAB_RUN = await mkdtemp(join(tmpdir(), 'selfhost-lab-run-'));
});
afterAll(async () => {
  const folder = process.env.SELFHOST_LAB_RUN ?? '';
  expect(readdirSync(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

describe('what a killed owner left behind', () => {
  test('of an sshd is gone after the next start', async () => {
    const left = await abandon('ssh-host.ts', "startSshHost({ hostKeys: ['ed25519'] })", '[it.port, it.logFile]');
    const [port, logFile] = left as [number, string];
    expect(await sshBanner('127.0.0.1', port)).toMatch(/^SSH-2.0-OpenSSH/);
    const next = await startSshHost({ hostKeys: ['ed25519'] });
    await next.stop();
    expect(await sshBanner('127.0.0.1', port)).toBeUndefined();
    expect(existsSync(logFile)).toBe(false);
    expect(traces(idOf(logFile))).toEqual([]);
  });

  test('is left alone as long as its owner lives', async () => {
    const host = await startProcessHost();
    await clearLeftovers();
    expect(existsSync(host.privateKeyFile)).toBe(true);
    await host.stop();
  });
});

describeAsRoot('what a killed owner left behind, as root', () => {
  test('of a network is gone: namespaces, devices, processes', async () => {
    const namespace = (await abandon('network.ts', 'startNetwork()', 'it.namespaces.a')) as string;
    const id = namespace.split('-')[1] ?? '';
    expect(traces(id).length).toBeGreaterThan(3);
    await clearLeftovers();
    expect(traces(id)).toEqual([]);
  }, 30_000);

  test('of a host with systemd is gone: container, mount, cgroups, device', async () => {
    const root = (await abandon('systemd-host.ts', 'startSystemdHost()', 'it.root')) as string;
    const id = root.split('/').at(-3) ?? '';
    expect(traces(id).length).toBeGreaterThan(1);
    await clearLeftovers();
    expect(traces(id)).toEqual([]);
    expect(existsSync(root)).toBe(false);
  }, 300_000);
});
