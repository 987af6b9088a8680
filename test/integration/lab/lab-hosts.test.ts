import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLabHosts } from '../../../lab/hosts/lab-hosts';
import { execOn } from './client';

describe('startLabHosts', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selfhost-lab-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('bruno and eva keep keys, pins, ports and files from start to start, and the second start is quick', async () => {
    const first = await startLabHosts(folder, { log: () => {} });
    expect(first.hosts.map(({ name }) => name)).toEqual(['bruno', 'eva']);
    for (const host of first.hosts) await execOn(host, `echo "kept by ${host.name}" > ~/note`);
    await first.stop();

    const begin = performance.now();
    const second = await startLabHosts(folder, { log: () => {} });
    expect(performance.now() - begin).toBeLessThan(3000);
    expect(second.hosts).toEqual(first.hosts);
    const [bruno, eva] = second.hosts;
    if (!bruno || !eva) throw new Error('two hosts');
    const facts =
      'hostname; ps -e -o comm= | grep -c sshd; ls /var/lib/selfhost; cat ~/note; test -e /proc/1/root && ps -p 1 -o comm=';
    await execOn(bruno, 'touch /var/lib/selfhost/only-bruno');
    const [ofBruno, ofEva] = await Promise.all([execOn(bruno, facts), execOn(eva, facts)]);
    // Each sees its own name, its own listener and connection, its own state, its own home.
    expect(ofBruno.stdout).toMatch(/^bruno\n\d\nonly-bruno\nkept by bruno\nsshd\n$/);
    expect(ofEva.stdout).toMatch(/^eva\n\d\nkept by eva\nsshd\n$/);
    await second.stop();
  });
});
