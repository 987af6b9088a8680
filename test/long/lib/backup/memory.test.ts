import { readdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { awaitBackup, startBackup } from '../../../../lib/backup/scatter';
import { run } from '../../../../lab/hosts/programs';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { startEstate, type Estate } from '../../../integration/lib/backup/estate';
import { taskOf } from '../../../integration/lib/host/machine';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** A quarter of it does not compress, so a quarter is what is encrypted and stored. */
const SIZE = Number(process.env.SELFHOST_LONG_GIB ?? '20') * GIB;

describeAsRoot('the memory that a large backup takes', () => {
  let estate: Estate;
  beforeAll(async () => {
    estate = await startEstate();
  });
  afterAll(() => estate.stop());

  it(`stays below 256 MiB on the host and 50 MiB for whoever waits for it, for ${SIZE / GIB} GiB`, async () => {
    const { folder, local, plan, machine, spool, pathOf } = estate;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < SIZE / 2 + 8 * GIB) throw new Error('This needs more free disk');
    const block = join(folder, 'block');
    await run(['sh', '-c', '{ head -c 67108864 /dev/urandom; head -c 201326592 /dev/zero; } > "$1"', 'sh', block]);
    const script = 'n=0; while [ "$n" -lt "$1" ]; do cat "$2" || exit; n=$((n + 1)); done';
    const wanted = {
      ...plan({
        set: 'large',
        sources: [
          { kind: 'command', name: 'large', argv: ['sh', '-c', script, 'sh', String(SIZE / (256 * MIB)), block] },
        ],
        destinations: [local('a'), local('b')],
      }),
      spool: { folder: spool, limitBytes: GIB, reserveBytes: GIB },
    };
    const task = taskOf('memory');
    const started = await startBackup(machine.host, wanted, {}, task);
    const mark = `SELFHOST_RUN=${started.job.id}/${started.job.run}`;
    const before = process.memoryUsage().rss;
    let [highest, grown, samples] = [0, 0, 0];
    const over = new AbortController();
    const watching = (async () => {
      while (!over.signal.aborted) {
        highest = Math.max(highest, await proportionalBytes(mark));
        grown = Math.max(grown, process.memoryUsage().rss - before);
        samples++;
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    })();
    const begun = performance.now();
    const report = await awaitBackup(machine.host, wanted, started, { timeoutMs: 3_300_000 }, task).finally(() =>
      over.abort(),
    );
    await watching;
    const seconds = (performance.now() - begun) / 1000;
    expect(report).toMatchObject({ status: 'ok' });
    console.log(
      `${SIZE / GIB} GiB of source in ${seconds.toFixed(0)} s: peak of the sum of PSS ${(highest / MIB).toFixed(0)} MiB in ${samples} samples; the waiting process grew by ${(grown / MIB).toFixed(0)} MiB`,
    );
    for (const name of ['a', 'b']) await rm(pathOf(name), { recursive: true });
    expect(highest / MIB).toBeLessThanOrEqual(256);
    expect(grown / MIB).toBeLessThanOrEqual(50);
  }, 3_600_000);
});

/** What all processes of the job hold together right now, shared pages counted by their share. */
async function proportionalBytes(mark: string): Promise<number> {
  let sum = 0;
  for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (!environment.split('\0').includes(mark)) continue;
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    sum += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? '0') * 1024;
  }
  return sum;
}
