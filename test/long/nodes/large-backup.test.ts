import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { run } from '../../../lab/hosts/programs';
import type { N8n } from '../../../lab/n8n/instance';
import { ownN8n, type NodeUnderTest, type Owned } from '../../e2e/harness';
import { describeAsRoot } from '../../integration/lab/as-root';
import { type Estate, startEstate } from '../../integration/lib/backup/estate';
import { MIB, startGrowthMeter, type GrowthMeter } from '../../shared/n8n-growth';

const GIB = 1024 ** 3;
/** A quarter of it does not compress, so a quarter is what is encrypted and stored. */
const SIZE = Number(process.env.SELFHOST_LONG_GIB ?? '20') * GIB;

describeAsRoot('a large backup by the Rclone Backup node', () => {
  let estate: Estate;
  let owned: Owned<N8n>;
  let meter: GrowthMeter;
  beforeAll(async () => {
    [estate, owned] = await Promise.all([startEstate(), ownN8n()]);
    meter = await startGrowthMeter(owned);
  }, 600_000);
  afterAll(async () => {
    meter.stop();
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
    await meter.measure(scatter('small', 1));
    const { growth, seconds, item } = await meter.measure(scatter('large', SIZE / (256 * MIB)));
    console.log(
      `${SIZE / GIB} GiB of source in ${seconds.toFixed(0)} s: n8n grew by ${Math.round(growth / MIB)} MiB at the highest`,
    );
    for (const name of ['a', 'b']) await rm(pathOf(name), { recursive: true });
    expect(item).toMatchObject({ set: 'large', state: 'finished', status: 'ok' });
    expect(growth / MIB).toBeLessThanOrEqual(50);
  }, 3_600_000);
});
