import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLabHosts, type LabHosts, type Make } from '../../../lab/hosts/lab-hosts';
import { describeAsRoot } from './as-root';
import { execOn } from './client';

// A promise about what happens, not how fast; busy machines may take their time.
jest.setTimeout(30_000);

let folder: string;
let running: LabHosts | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'selfhost-lab-test-'));
});
afterEach(async () => {
  await running?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function startTwice(make?: Make): Promise<{ first: LabHosts; second: LabHosts; secondMs: number }> {
  const settings = { log: () => {}, ...(make && { make }) };
  const first = (running = await startLabHosts(folder, settings));
  await first.stop();
  const begin = performance.now();
  const second = (running = await startLabHosts(folder, settings));
  return { first, second, secondMs: performance.now() - begin };
}

describe.each(['sshd', 'inside this process'] as const)('startLabHosts with hosts made of: %s', (make) => {
  test('bruno and eva answer with the same keys, pins and ports on the second start, which is quick', async () => {
    const { first, second, secondMs } = await startTwice(make);
    expect(second.hosts.map(({ name }) => name)).toEqual(['bruno', 'eva']);
    expect(second.hosts).toEqual(first.hosts);
    expect(secondMs).toBeLessThan(3000);
    const answers = await Promise.all(second.hosts.map((host) => execOn(host, 'echo here')));
    expect(answers.map(({ stdout }) => stdout)).toEqual(['here\n', 'here\n']);
  });
});

describeAsRoot('startLabHosts as root', () => {
  test('bruno and eva are machines of their own, and their files are there on the second start', async () => {
    running = await startLabHosts(folder, { log: () => {} });
    expect(running.make).toBe('separate machines');
    for (const host of running.hosts)
      await execOn(host, `echo "kept by ${host.name}" > ~/note; touch /var/lib/selfhost/${host.name}`);
    await running.stop();
    const { second, secondMs } = await startTwice();
    expect(secondMs).toBeLessThan(3000);
    const facts = 'hostname; ls /var/lib/selfhost; cat ~/note; ps -p 1 -o comm=; ps -e -o comm= | grep -c jest || :';
    const answers = await Promise.all(second.hosts.map((host) => execOn(host, facts)));
    expect(answers.map(({ stdout }) => stdout)).toEqual([
      'bruno\nbruno\nkept by bruno\nsshd\n0\n',
      'eva\neva\nkept by eva\nsshd\n0\n',
    ]);
  });
});
