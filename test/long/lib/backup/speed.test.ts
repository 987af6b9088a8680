import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Destination } from '../../../../lib/backup/plan';
import type { BackupReport } from '../../../../lib/backup/report';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { filesBelow, startEstate, type Estate } from '../../../integration/lib/backup/estate';

const execute = promisify(execFile);
/** Bytes a second in MiB: what each destination takes, for the script and for us. */
const PACE = { one: '1M', two: '1.25M', three: '1.5M', four: '2M' } as const;

/** What people write: dump, compress, then one encrypting copy after the other. */
const SEQUENTIAL = `
set -eu
folder=$1 config=$2 places=$3
shift 3
pg_dump --format=custom --compress=0 --file="$folder/dump" immich
gzip -6 "$folder/dump"
while [ "$#" -gt 0 ]; do
  rclone --config "$config" --bwlimit "$2" copy "$folder/dump.gz" "vault,remote=\\"$places/$1\\":sequential"
  shift 2
done
rm "$folder/dump.gz"
`;

describeAsRoot('how fast a backup is', () => {
  let estate: Estate;
  let environment: NodeJS.ProcessEnv;
  beforeAll(async () => {
    estate = await startEstate();
    const { postgres } = estate;
    environment = {
      ...process.env,
      PGHOST: postgres.socketFolder,
      PGPORT: String(postgres.port),
      PGUSER: postgres.user,
      PGPASSWORD: postgres.password,
    };
    await postgres.sql('CREATE DATABASE immich');
    // About 100 MiB when it is compressed.
    await postgres.sql(`\\c immich
CREATE TABLE assets AS SELECT n AS id, repeat('camera ' || n % 100 || ' ', 20) AS note, encode(sha256(n::text::bytea), 'base64') || encode(sha256((n * 7)::text::bytea), 'base64') AS noise FROM generate_series(1, 1500000) n`);
  }, 300_000);
  afterAll(() => estate.stop());

  const timed = async (work: () => Promise<unknown>) => {
    const started = performance.now();
    await work();
    return (performance.now() - started) / 1000;
  };
  const shell = (script: string, ...list: string[]) =>
    execute('bash', ['-c', script, 'bash', ...list], { env: environment, maxBuffer: 64 * 1024 * 1024 });
  const shaped = (name: keyof typeof PACE): Destination => ({
    ...estate.local(name),
    bandwidth: PACE[name],
    attempts: 4,
  });
  const planOf = (set: string, destinations: readonly [Destination, ...Destination[]]) => ({
    ...estate.plan({ set, destinations }),
    spool: { folder: estate.spool, partBytes: 8 * 1024 * 1024, reserveBytes: 1024 * 1024 },
  });

  it('is 2.5 times as fast as a sequential script, within 10 % of what is possible, and encrypts once', async () => {
    const { pathOf, configFile, folder } = estate;
    const names = ['one', 'two', 'three', 'four'] as const;
    // What is possible: nothing is faster than the dump alone, or than the slowest destination takes the same bytes.
    const dump = await timed(() =>
      shell('set -o pipefail; pg_dump --format=custom --compress=0 immich | zstd -3 -q -c > /dev/null'),
    );
    const report: { value?: BackupReport } = {};
    const ours = await timed(async () => {
      report.value = await backUp(planOf('four', [shaped('one'), shaped('two'), shaped('three'), shaped('four')]));
    });
    expect(report.value).toMatchObject({ status: 'ok', sources: [{ status: 'ok' }] });
    // Two encryptions of one plaintext never give the same bytes, so the same bytes everywhere are one encryption.
    const files = await filesBelow(pathOf('one'));
    for (const other of names.slice(1)) await execute('diff', ['-r', pathOf('one'), pathOf(other)]);
    const bytes = (await Promise.all(files.map((file) => readFile(join(pathOf('one'), file))))).reduce(
      (sum, { length }) => sum + length,
      0,
    );
    const slowest = await timed(() =>
      execute('rclone', ['--config', '', '--bwlimit', PACE.one, 'copy', pathOf('one'), pathOf('again')]),
    );
    const sequential = await timed(() =>
      shell(SEQUENTIAL, folder, configFile, pathOf(''), ...names.flatMap((name) => [name, PACE[name]])),
    );
    const possible = Math.max(dump, slowest);
    console.log(
      `${(bytes / 1024 ** 2).toFixed(0)} MiB of ciphertext to four shaped legs: ours ${ours.toFixed(1)} s; sequential script ${sequential.toFixed(1)} s (${(sequential / ours).toFixed(2)} times as long); dump alone ${dump.toFixed(1)} s, slowest leg alone ${slowest.toFixed(1)} s (ours is ${(ours / possible).toFixed(3)} of the longer)`,
    );
    expect(sequential / ours).toBeGreaterThanOrEqual(2.5);
    expect(ours / possible).toBeLessThanOrEqual(1.1);
    for (const name of [...names, 'again']) await rm(pathOf(name), { recursive: true, force: true });
  }, 1_200_000);

  it('delays healthy destinations by 5 % at most when another one is dead, and one ten times slower', async () => {
    const text =
      estate.vault.rclone.kind === 'text'
        ? estate.vault.rclone.text.replace(/url = .*/, 'url = http://127.0.0.1:1')
        : '';
    const vault = { ...estate.vault, rclone: { kind: 'text' as const, text } };
    const healthy = [shaped('two'), shaped('three')] as const;
    const finished = async (destinations: readonly [Destination, ...Destination[]]) => {
      await writeFile(estate.logFile, '');
      await backUp({ ...planOf('healthy', destinations), vault, quorum: 1 });
      const log = await readFile(estate.logFile, 'utf8');
      const at = (line: RegExp) => Date.parse(line.exec(log)?.[1] ?? '');
      const seconds = ['two', 'three'].map(
        (name) => (at(new RegExp(`^(\\S+) .* ${name}: .* is complete`, 'm')) - at(/^(\S+) .* start:/m)) / 1000,
      );
      for (const name of ['two', 'three', 'slow']) await rm(estate.pathOf(name), { recursive: true, force: true });
      return Math.max(...seconds);
    };
    const dead: Destination = { ...estate.local('dead'), remote: 'dav:dead', attempts: 3 };
    const slow: Destination = { ...estate.local('slow'), bandwidth: '0.125M', deadlineSeconds: 130, attempts: 1 };
    const alone = await finished(healthy);
    const among = await finished([...healthy, dead, slow]);
    console.log(
      `healthy legs: ${alone.toFixed(1)} s alone, ${among.toFixed(1)} s beside a dead and a ten times slower one (${(among / alone).toFixed(3)})`,
    );
    expect(among / alone).toBeLessThanOrEqual(1.05);
  }, 1_200_000);

  async function backUp(plan: Parameters<Estate['backUp']>[0]): Promise<BackupReport> {
    return await estate.backUp(plan, 900_000);
  }
});
