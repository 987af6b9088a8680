import { labCredential } from '../../../lab/estate';
import { until } from '../../../lab/hosts/waiting';
import type { N8n } from '../../../lab/n8n/instance';
import type { JsonObject } from '../../../lib/json';
import { ownN8n, type NodeUnderTest, type Owned } from '../../e2e/harness';
import { startDockerMachine, type DockerMachine } from '../../shared/docker-machine';
import { MIB, startGrowthMeter, type GrowthMeter } from '../../shared/n8n-growth';

jest.setTimeout(900_000);

const SIZE = 1_000_000_000;
const ALL = 1_000_000_000;

describe('1 GB of logs through the Docker Host node', () => {
  let machine: DockerMachine;
  let owned: Owned<N8n>;
  let meter: GrowthMeter;
  const credentials = new Map<string, Readonly<Record<string, { readonly id: string; readonly name: string }>>>();

  beforeAll(async () => {
    [machine, owned] = await Promise.all([startDockerMachine({ tls: true }), ownN8n()]);
    meter = await startGrowthMeter(owned);
    const { docker } = machine;
    const line = `${'x'.repeat(989)} no error`;
    const script = `yes '${line}' | head -c ${SIZE}; echo; echo the last line`;
    await docker.docker('run', '-d', '--name', 'sleeper', 'tiny:1');
    await docker.docker('run', '-d', '--name', 'talker', 'tiny:1', 'sh', '-c', script);
    await until('all is written', 300_000, async () =>
      (await docker.docker('inspect', '--format', '{{.State.Status}}', 'talker')).trim() === 'exited'
        ? true
        : undefined,
    );
    credentials.set('ssh', {
      selfhostHost: await owned.api.createCredential('machine', 'selfhostHost', labCredential([machine.server])),
    });
    const { tls } = docker;
    credentials.set('tls', {
      selfhostDocker: await owned.api.createCredential('over TLS', 'selfhostDocker', {
        ...{ connection: 'tls', address: docker.address, port: 2376, authority: tls?.authority.pem ?? '' },
        ...{ certificate: tls?.client.certificate ?? '', privateKey: tls?.client.key ?? '' },
      }),
    });
    credentials.set('socket', {
      selfhostDocker: await owned.api.createCredential('socket', 'selfhostDocker', {
        ...{ connection: 'socket', socketPath: docker.socket },
      }),
    });
  });
  afterAll(async () => {
    meter.stop();
    await owned.remove();
    await machine.stop();
  });

  const dockerNode = (way: string, operation: string, container: string, options: JsonObject): NodeUnderTest => ({
    type: 'n8n-nodes-selfhost.dockerHost',
    name: 'Docker',
    parameters: {
      ...{ resource: 'container', operation, container },
      options: { ...(way === 'ssh' && { socketPath: machine.docker.socket }), ...options },
    },
    credentials: credentials.get(way) ?? {},
  });

  test.each([
    // First, when nothing has made room in n8n yet.
    ['over SSH, searched for an expression', 'ssh', { grep: 'x{3} .. error$' }],
    ['over SSH, where the host cuts it', 'ssh', {}],
    ['over SSH, searched for a text by the host', 'ssh', { grep: 'error|warning' }],
    ['over TLS', 'tls', {}],
    ['over TLS, searched for an expression', 'tls', { grep: 'x{3} .. error$' }],
    ['over the socket of the machine', 'socket', {}],
  ] as const)('is read to its end %s, while the memory of n8n grows by less than 50 MiB', async (_, way, search) => {
    const read = (options: JsonObject) => meter.measure(dockerNode(way, 'logs', 'talker', { ...options, ...search }));
    // Code and connection are there before anything is measured.
    for (let round = 0; round < 3; round += 1) await read({ tailLines: 20_000, maxKib: 1024 });
    // What n8n grows by itself in that time, reading nothing.
    const waiting = dockerNode('ssh', 'wait', 'sleeper', { timeoutSeconds: 30 });
    const alone = await meter.measure({ ...waiting, parameters: { ...waiting.parameters, state: 'exited' } });
    const { item: whole, before, growth, seconds } = await read({ tailLines: ALL, maxKib: 256 });
    console.log(
      `${JSON.stringify(whole?.bytes)} bytes of logs in ${seconds.toFixed(1)} s; n8n: ${Math.round(before / MIB)} MiB before, ${Math.round(growth / MIB)} MiB growth at the highest (reading nothing: ${Math.round(alone.growth / MIB)} MiB)`,
    );
    expect(whole).toMatchObject({ truncated: true, lines: expect.any(Number) });
    expect(Number(whole?.bytes)).toBeGreaterThanOrEqual(SIZE - 1000);
    if (!('grep' in search)) expect(whole?.text).toMatch(/the last line\n$/);
    expect(growth).toBeLessThan(50 * MIB);
  });
});
