import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { startNetwork, type Network } from '../../../lab/hosts/network';
import { describeAsRoot } from './as-root';
import { connectTo, execOn } from './client';

// A promise about what happens, not how fast; busy machines may take their time.
jest.setTimeout(30_000);

describeAsRoot('startNetwork', () => {
  let network: Network<'a' | 'b'>;
  beforeAll(async () => {
    network = await startNetwork();
  }, 20_000);
  afterAll(() => network.stop());

  test('both hosts are machines of their own, and hear each other', async () => {
    const { a, b } = network.hosts;
    expect((await execOn(a, 'hostname; touch /var/lib/selfhost/of-a')).stdout).toBe('a\n');
    expect((await execOn(b, 'hostname; ls /var/lib/selfhost')).stdout).toBe('b\n');
    const banner = await execOn(a, `exec 3<>/dev/tcp/${b.address}/22; head -n 1 <&3`);
    expect(banner.stdout).toMatch(/^SSH-2.0-/);
  });

  test('a pulled cable is silence: no reset, no end, and what was under way arrives after it is healed', async () => {
    const { a, b } = network.hosts;
    const patient = await connectTo(a);
    const watchful = await connectTo(a, { keepaliveInterval: 100, keepaliveCountMax: 2 });
    const lost = new Promise<Error>((resolve) => watchful.once('error', resolve));
    await network.cut('a');
    const answer = execOn(patient, 'echo survived');
    expect((await lost).message).toMatch(/keepalive/i);
    await expect(connectTo(a, { readyTimeout: 500 })).rejects.toThrow(/timed out/i);
    expect((await execOn(b, 'echo fine')).stdout).toBe('fine\n');
    await network.heal('a');
    expect((await answer).stdout).toBe('survived\n');
    patient.end();
  });

  test('two hosts can lose each other while both are still reached from here', async () => {
    const { a, b } = network.hosts;
    const reach = () => execOn(a, `timeout 1 bash -c 'exec 3<>/dev/tcp/${b.address}/22' 2>/dev/null; echo $?`);
    await network.separate('a', 'b');
    expect((await reach()).stdout).toBe('124\n');
    expect((await execOn(b, 'echo here')).stdout).toBe('here\n');
    await network.rejoin('a', 'b');
    expect((await reach()).stdout).toBe('0\n');
  });

  test('a delay is added both ways, and taken away again', async () => {
    const { a } = network.hosts;
    // A TCP handshake takes one round trip before the client may speak.
    const roundTrip = () =>
      new Promise<number>((resolve, reject) => {
        const begin = performance.now();
        const socket = connect({ host: a.address, port: a.port });
        socket.once('error', reject);
        socket.once('connect', () => {
          resolve(performance.now() - begin);
          socket.destroy();
        });
      });
    await network.delay('a', 150);
    expect(await roundTrip()).toBeGreaterThanOrEqual(299);
    await network.delay('a', 0);
    expect(await roundTrip()).toBeLessThan(150);
  });

  test('lost packets are sent again, so a megabyte still arrives whole', async () => {
    await network.delay('b', 1, 5);
    const input = 'y'.repeat(1024 * 1024);
    expect((await execOn(network.hosts.b, 'cat', { input })).stdout).toBe(input);
    await network.delay('b', 0);
  }, 30_000);

  test('stop takes every namespace and device away', async () => {
    const other = await startNetwork({ hosts: ['only'] });
    const id = other.namespaces.only.split('-')[1] ?? '';
    const traces = () =>
      [...readdirSync('/run/netns'), ...readdirSync('/sys/class/net')].filter((name) => name.includes(id));
    expect(traces().length).toBeGreaterThan(2);
    await other.stop();
    expect(traces()).toEqual([]);
  });
});
