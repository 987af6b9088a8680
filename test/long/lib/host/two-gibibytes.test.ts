import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { labCredential } from '../../../../lab/estate';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { manualWorkflow, ownN8n, type Owned } from '../../../e2e/harness';
import type { N8n } from '../../../../lab/n8n/instance';

// Never the synchronous form: n8n closes idle connections while this process stands still.
const execute = promisify(execFile);
const MIB = 1024 * 1024;
const SIZE = 2048 * MIB;

/** Resident memory of a process in bytes. */
function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(line) * 1024;
}

/** Samples the memory of a process while something runs. */
async function highestDuring(pid: number, work: () => Promise<void>): Promise<number> {
  let highest = residentBytes(pid);
  const timer = setInterval(() => {
    highest = Math.max(highest, residentBytes(pid));
  }, 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return highest;
}

describe('2 GiB through the Host node', () => {
  let machine: SshHost;
  let owned: Owned<N8n>;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selfhost-long-'));
    [machine, owned] = await Promise.all([startSshHost({ name: 'bruno' }), ownN8n()]);
  }, 600_000);
  afterAll(async () => {
    await owned.remove();
    await machine.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('go down and up byte for byte while the memory of n8n grows by less than 100 MiB', async () => {
    const path = join(folder, 'big');
    await execute('sh', ['-c', 'head -c "$1" /dev/urandom > "$2"', 'sh', String(SIZE), path]);
    const credential = await owned.api.createCredential('machine', 'selfhostHost', labCredential([machine]));
    const hostNode = (name: string, operation: string, parameters: Record<string, string>) => ({
      type: 'n8n-nodes-selfhost.host',
      name,
      parameters: { resource: 'file', operation, ...parameters },
      credentials: { selfhostHost: credential },
    });
    const runThrough = async (source: string) => {
      const workflow = await owned.api.createWorkflow(
        manualWorkflow(
          'Through n8n',
          hostNode('Download', 'download', { path: source }),
          hostNode('Upload', 'upload', { path: `${source}.copy` }),
        ),
      );
      const execution = await owned.api.runToEnd(workflow, 'By hand', { within: 900_000 });
      expect(execution.error).toBeUndefined();
      return execution;
    };
    // A small one first: what n8n and the connection take once is not growth.
    const small = join(folder, 'small');
    await execute('sh', ['-c', 'head -c 67108864 /dev/urandom > "$1"', 'sh', small]);
    await runThrough(small);

    const { pid } = owned.n8n.main;
    const before = residentBytes(pid);
    const started = Date.now();
    const highest = await highestDuring(pid, async () => {
      const { runs } = await runThrough(path);
      expect(runs.Download?.[0]?.outputs[0]).toEqual([expect.objectContaining({ size: SIZE })]);
      expect(runs.Upload?.[0]?.outputs[0]).toEqual([
        expect.objectContaining({ changed: true, sha256: runs.Download?.[0]?.outputs[0]?.[0]?.sha256 }),
      ]);
    });
    const seconds = (Date.now() - started) / 1000;
    await execute('cmp', [path, `${path}.copy`]);
    const growth = (highest - before) / MIB;
    console.log(
      `2 GiB down and up in ${seconds.toFixed(1)} s; n8n: ${(before / MIB).toFixed(0)} MiB before, ${growth.toFixed(0)} MiB growth at the highest`,
    );
    expect(growth).toBeLessThan(100);
  }, 1_800_000);
});
