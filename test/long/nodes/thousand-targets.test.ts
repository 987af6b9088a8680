import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { installN8n } from '../../../lab/n8n/install';
import type { N8n } from '../../../lab/n8n/instance';
import { startPostgres, type PostgresServer } from '../../../lab/postgres';
import { nodeUnderTest, ownN8n, type Owned } from '../../e2e/harness';

const TARGETS = 1_000;
const INTERVAL_SECONDS = 10;
const MINUTE = 60_000;
const MIB = 1024 * 1024;

/** CPU time that a process has used, in ms. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a process uses in a minute, and its memory: the middle one of many samples, which no collection decides. */
async function minuteOf(pid: number): Promise<{ cpu: number; memory: number }> {
  const before = cpuMs(pid);
  const samples: number[] = [];
  for (const end = Date.now() + MINUTE; Date.now() < end; await rest(500)) samples.push(residentBytes(pid));
  const cpu = cpuMs(pid) - before;
  return { cpu, memory: samples.sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0 };
}

describe('a thousand targets every ten seconds', () => {
  let owned: Owned<N8n>;
  let database: PostgresServer;
  let folder: string;
  let node: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selfhost-thousand-'));
    node = (await installN8n()).node;
    [owned, database] = await Promise.all([ownN8n(), startPostgres()]);
  }, 600_000);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await owned.remove();
    await database.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A program of test/shared, run by the Node that n8n runs on. */
  function start(source: string, ...args: string[]): ChildProcess {
    const program = join(folder, `${source}.cjs`);
    const entry = join(__dirname, '../../shared', source);
    buildSync({ entryPoints: [entry], outfile: program, bundle: true, platform: 'node', logLevel: 'error' });
    const child = spawn(node, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  }

  it('cost at most 1.5 times the CPU of a bare script, and 60 MiB above an idle n8n', async () => {
    const served = start('probed-server.ts');
    if (served.stdout === null) throw new Error('it says nothing');
    const [line] = (await once(served.stdout, 'data')) as [Buffer];
    const { port } = JSON.parse(line.toString()) as { port: number };
    const { host, port: databasePort, user, password, database: name } = database;
    const state = await owned.api.createCredential('state', 'selfhostState', {
      ...{ host, port: databasePort, user, password, database: name, encrypt: false, privateAuthority: '' },
    });
    const pid = owned.n8n.main.pid;

    const bare = start('bare-prober.ts', String(port), String(TARGETS), String(INTERVAL_SECONDS * 1000));
    await rest(INTERVAL_SECONDS * 2_000);
    const script = await minuteOf(bare.pid ?? 0);
    bare.kill('SIGKILL');
    const targets = Array.from({ length: TARGETS }, (_, index) => ({
      name: `service-${index}`,
      kind: 'http',
      url: `http://127.0.0.1:${port}/${index}`,
      statuses: [200],
      contains: 'hello',
    }));
    const watchOf = (some: readonly object[], watch: string) =>
      nodeUnderTest({
        type: 'n8n-nodes-selfhost.healthMonitorTrigger',
        name: 'Watch',
        parameters: {
          targets: JSON.stringify(some),
          watch,
          keepIn: 'postgres',
          options: { intervalSeconds: INTERVAL_SECONDS, heartbeatSeconds: 0 },
        },
        credentials: { selfhostState: state },
      });
    const publish = async (some: readonly object[], watch: string) => {
      const id = await owned.api.createWorkflow({ name: watch, nodes: [watchOf(some, watch)], connections: {} });
      await owned.api.publish(id);
      return id;
    };
    // What n8n and this pack load on first use is loaded once, and is not what a thousand targets cost.
    const one = await publish(targets.slice(0, 1), 'one');
    await rest(INTERVAL_SECONDS * 1_000);
    await owned.api.unpublish(one);
    const idle = await minuteOf(pid);

    await publish(targets, 'thousand');
    await rest(INTERVAL_SECONDS * 3_000);
    const asked = async () => Number(await (await fetch(`http://127.0.0.1:${port}/asked`)).text());
    const before = await asked();
    const watching = await minuteOf(pid);
    const rounds = (await asked()) - before;
    const used = watching.cpu - idle.cpu;
    const grown = watching.memory - idle.memory;
    process.stdout.write(
      `bare script ${script.cpu} ms of CPU a minute; n8n idle ${idle.cpu} ms, watching ${watching.cpu} ms: ${used} ms, ` +
        `${(used / script.cpu).toFixed(2)} times the script; memory ${Math.round(idle.memory / MIB)} MiB idle, ` +
        `${Math.round(grown / MIB)} MiB more; ${rounds} requests in that minute\n`,
    );
    expect(rounds).toBeGreaterThan((TARGETS * 60 * 0.9) / INTERVAL_SECONDS);
    expect(used / script.cpu).toBeLessThanOrEqual(1.5);
    expect(grown).toBeLessThanOrEqual(60 * MIB);
  }, 600_000);
});
