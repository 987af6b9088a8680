import { readFileSync } from 'node:fs';
import { labCredential } from '../../../lab/estate';
import { until } from '../../../lab/hosts/waiting';
import type { N8n } from '../../../lab/n8n/instance';
import type { JsonObject } from '../../../lib/json';
import { manualWorkflow, ownN8n, type Owned } from '../../e2e/harness';
import { startDockerMachine, type DockerMachine } from '../../shared/docker-machine';

jest.setTimeout(900_000);

const MIB = 1024 * 1024;
const SIZE = 1_000_000_000;
const ALL = 1_000_000_000;

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

describe('1 GB of logs through the Docker Host node', () => {
  let machine: DockerMachine;
  let owned: Owned<N8n>;
  const credentials = new Map<string, Readonly<Record<string, { readonly id: string; readonly name: string }>>>();

  beforeAll(async () => {
    [machine, owned] = await Promise.all([startDockerMachine({ tls: true }), ownN8n()]);
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
    await owned.remove();
    await machine.stop();
  });

  async function read(way: string, options: JsonObject) {
    const node = {
      type: 'n8n-nodes-selfhost.dockerHost',
      parameters: {
        ...{ resource: 'container', operation: 'logs', container: 'talker' },
        options: { ...(way === 'ssh' && { socketPath: machine.docker.socket }), ...options },
      },
      credentials: credentials.get(way) ?? {},
    };
    const id = await owned.api.createWorkflow(manualWorkflow('Logs', node));
    const { runs } = await owned.api.runToEnd(id, 'By hand', { within: 600_000 });
    return runs.Node?.[0]?.outputs[0]?.[0];
  }

  /** An execution that is watched for as long and reads nothing: what n8n itself still grows by is not ours. */
  async function settled() {
    const { pid } = owned.n8n.main;
    const before = residentBytes(pid);
    const node = {
      type: 'n8n-nodes-selfhost.dockerHost',
      parameters: {
        ...{ resource: 'container', operation: 'wait', container: 'sleeper', state: 'exited' },
        options: { socketPath: machine.docker.socket, timeoutSeconds: 40 },
      },
      credentials: credentials.get('ssh') ?? {},
    };
    const id = await owned.api.createWorkflow(manualWorkflow('Nothing', node));
    await owned.api.runToEnd(id, 'By hand', { within: 120_000 });
    console.log(`n8n alone: ${Math.round((residentBytes(pid) - before) / MIB)} MiB`);
  }

  test.each([
    // The most that passes through n8n itself comes first, when nothing has made room for it.
    ['over SSH, searched for an expression by n8n', 'ssh', { grep: 'x{3} .. error$' }],
    ['over SSH, where the host cuts it', 'ssh', {}],
    ['over SSH, searched for a text by the host', 'ssh', { grep: 'error|warning' }],
    ['over TLS', 'tls', {}],
    ['over TLS, searched for an expression', 'tls', { grep: 'x{3} .. error$' }],
    ['over the socket of the machine', 'socket', {}],
  ] as const)('is read to its end %s, while the memory of n8n grows by less than 50 MiB', async (_, way, search) => {
    // Code and connection are there before anything is measured.
    for (let round = 0; round < 3; round += 1) await read(way, { tailLines: 20_000, maxKib: 1024, ...search });
    await settled();
    const { pid } = owned.n8n.main;
    const before = residentBytes(pid);
    let highest = before;
    const timer = setInterval(() => {
      highest = Math.max(highest, residentBytes(pid));
    }, 20);
    const begun = performance.now();
    const whole = await read(way, { tailLines: ALL, maxKib: 256, ...search });
    clearInterval(timer);
    const seconds = (performance.now() - begun) / 1000;
    console.log(
      `${JSON.stringify(whole?.bytes)} bytes of logs in ${seconds.toFixed(1)} s; n8n: ${Math.round(before / MIB)} MiB before, ${Math.round((highest - before) / MIB)} MiB growth at the highest`,
    );
    expect(whole).toMatchObject({ truncated: true, lines: expect.any(Number) });
    expect(Number(whole?.bytes)).toBeGreaterThanOrEqual(SIZE - 1000);
    if (!('grep' in search)) expect(whole?.text).toMatch(/the last line\n$/);
    expect(highest - before).toBeLessThan(50 * MIB);
  });
});
