import { readFileSync } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { run } from '../../../lab/hosts/programs';
import type { N8n } from '../../../lab/n8n/instance';
import { manualWorkflow, ownN8n, type NodeUnderTest, type Owned } from '../../e2e/harness';
import { describeAsRoot } from '../../integration/lab/as-root';
import { type Estate, startEstate } from '../../integration/lib/backup/estate';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** A quarter of it does not compress, so a quarter is what is encrypted and stored. */
const SIZE = Number(process.env.SELFHOST_LONG_GIB ?? '20') * GIB;

describeAsRoot('a large backup by the Rclone Backup node', () => {
  let estate: Estate;
  let owned: Owned<N8n>;
  const bell = createServer((_, answer) => answer.end('{}'));
  beforeAll(async () => {
    await new Promise<void>((resolve) => bell.listen(0, '127.0.0.1', resolve));
    [estate, owned] = await Promise.all([startEstate(), ownN8n()]);
  }, 600_000);
  afterAll(async () => {
    bell.close();
    bell.closeAllConnections();
    await owned.remove();
    await estate.stop();
  });

  it(`lets n8n grow by less than 50 MiB for ${SIZE / GIB} GiB`, async () => {
    const { folder, machine, vault, spool, pathOf } = estate;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < SIZE / 2 + 8 * GIB) throw new Error('This needs more free disk');
    const block = join(folder, 'block');
    await run(['sh', '-c', '{ head -c 67108864 /dev/urandom; head -c 201326592 /dev/zero; } > "$1"', 'sh', block]);
    const credentials = {
      selfhostHost: await owned.api.createCredential('Hosts', 'selfhostHost', labCredential([machine.server])),
      selfhostRclone: await owned.api.createCredential('Remotes', 'selfhostRclone', {
        place: 'here',
        configuration: vault.rclone.kind === 'text' ? vault.rclone.text : '',
      }),
    };
    const script = 'n=0; while [ "$n" -lt "$1" ]; do cat "$2" || exit; n=$((n + 1)); done';
    const scatter = (set: string, blocks: number): NodeUnderTest => ({
      type: 'n8n-nodes-selfhost.rcloneBackup',
      name: 'Scatter',
      credentials,
      // A failure rings as well.
      onError: 'continueRegularOutput',
      parameters: {
        resource: 'backup',
        operation: 'scatter',
        plan: JSON.stringify({
          set,
          home: { provider: 'hetzner' },
          sources: [{ kind: 'command', name: 'large', argv: ['sh', '-c', script, 'sh', String(blocks), block] }],
          destinations: [estate.local('a'), estate.local('b')],
          spool: { folder: spool, limitBytes: GIB, reserveBytes: GIB },
        }),
      },
    });
    // Code and connection are there before anything is measured.
    await backUp(scatter('small', 1));
    const { growth, seconds, item } = await backUp(scatter('large', SIZE / (256 * MIB)));
    console.log(
      `${SIZE / GIB} GiB of source in ${seconds.toFixed(0)} s: n8n grew by ${Math.round(growth / MIB)} MiB at the highest`,
    );
    for (const name of ['a', 'b']) await rm(pathOf(name), { recursive: true });
    expect(item).toMatchObject({ set: 'large', state: 'finished', status: 'ok' });
    expect(growth / MIB).toBeLessThanOrEqual(50);
  }, 3_600_000);

  /** Asks n8n nothing meanwhile: to answer takes memory as well. */
  async function backUp(node: NodeUnderTest) {
    const rung = new Promise<void>((resolve) => bell.once('request', () => resolve()));
    const { port } = bell.address() as AddressInfo;
    const call: NodeUnderTest = {
      type: 'n8n-nodes-base.httpRequest',
      typeVersion: 4.2,
      parameters: { url: `http://127.0.0.1:${port}/`, options: {} },
    };
    const id = await owned.api.createWorkflow(manualWorkflow('Backup', node, call));
    const begun = performance.now();
    const execution = await owned.api.runManually(id, 'By hand');
    const { pid } = owned.n8n.main;
    const before = residentBytes(pid);
    let highest = before;
    const timer = setInterval(() => {
      highest = Math.max(highest, residentBytes(pid));
    }, 50);
    await rung;
    clearInterval(timer);
    const seconds = (performance.now() - begun) / 1000;
    const { runs } = await owned.api.waitForExecution(execution, { within: 60_000 });
    return { growth: highest - before, seconds, item: runs.Scatter?.[0]?.outputs[0]?.[0] };
  }
});

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
