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
  beforeAll(async () => {
    [machine, owned] = await Promise.all([startDockerMachine(), ownN8n()]);
  });
  afterAll(async () => {
    await owned.remove();
    await machine.stop();
  });

  test('is read to its end while the memory of n8n grows by less than 50 MiB', async () => {
    const line = 'x'.repeat(999);
    const script = `yes ${line} | head -c ${SIZE}; echo; echo the last line`;
    await machine.docker.docker('run', '-d', '--name', 'talker', 'tiny:1', 'sh', '-c', script);
    await until(
      'all is written',
      300_000,
      async () =>
        (await machine.docker.docker('inspect', '--format', '{{.State.Status}}', 'talker')).trim() === 'exited' ||
        undefined,
    );
    const credential = await owned.api.createCredential('machine', 'selfhostHost', labCredential([machine.server]));
    const read = async (options: JsonObject) => {
      const node = {
        type: 'n8n-nodes-selfhost.dockerHost',
        parameters: {
          ...{ resource: 'container', operation: 'logs', container: 'talker' },
          options: { socketPath: machine.docker.socket, ...options },
        },
        credentials: { selfhostHost: credential },
      };
      const id = await owned.api.createWorkflow(manualWorkflow('Logs', node));
      const { runs } = await owned.api.runToEnd(id, 'By hand', { within: 600_000 });
      return runs.Node?.[0]?.outputs[0]?.[0];
    };
    // Code and connection are there before anything is measured.
    for (let round = 0; round < 3; round += 1) await read({ tailLines: 20_000, maxKib: 1024 });
    const { pid } = owned.n8n.main;
    const before = residentBytes(pid);
    let highest = before;
    const timer = setInterval(() => {
      highest = Math.max(highest, residentBytes(pid));
    }, 20);
    const begun = performance.now();
    const whole = await read({ tailLines: ALL, maxKib: 256 });
    clearInterval(timer);
    const seconds = (performance.now() - begun) / 1000;
    console.log(
      `${JSON.stringify(whole?.bytes)} bytes of logs in ${seconds.toFixed(1)} s; n8n: ${Math.round(before / MIB)} MiB before, ${Math.round((highest - before) / MIB)} MiB growth at the highest`,
    );
    expect(whole).toMatchObject({ truncated: true, lines: expect.any(Number) });
    expect(Number(whole?.bytes)).toBeGreaterThanOrEqual(SIZE);
    expect(whole?.text).toMatch(/the last line\n$/);
    expect(highest - before).toBeLessThan(50 * MIB);
  });
});
