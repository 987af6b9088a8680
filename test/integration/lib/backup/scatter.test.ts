import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { until } from '../../../../lab/hosts/waiting';
import { drillRestore } from '../../../../lib/backup/restore';
import { parseManifest } from '../../../../lib/manifest/manifest';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { canaryFiles, fillDatabase, filesBelow, logOf, startEstate, type Estate } from './estate';

/** Nobody else on this machine writes this word. */
const CANARY = `CANARY-${randomBytes(6).toString('hex')}-in-the-database`;
const REDIS_PASSWORD = 'a word for Redis';

describeAsRoot('scattering a backup', () => {
  let estate: Estate;
  let started: string;
  beforeAll(async () => {
    estate = await startEstate();
    started = join(estate.folder, 'started');
    await writeFile(started, '');
    await fillDatabase(estate.postgres, 'immich', CANARY);
  });
  const children: ChildProcess[] = [];
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await estate.stop();
  });

  async function startRedis(place: string): Promise<void> {
    await mkdir(place);
    const socket = join(place, 'socket');
    const list = ['--port', '0', '--unixsocket', socket, '--dir', place, '--save', '', '--requirepass', REDIS_PASSWORD];
    children.push(spawn('redis-server', list, { stdio: 'ignore' }));
    const environment = { REDISCLI_AUTH: REDIS_PASSWORD };
    await until('Redis has taken a word', 10_000, async () => {
      const answer = await run(['redis-cli', '-s', socket, 'SET', 'word', CANARY], { environment }).catch(() => '');
      return answer.trim() === 'OK' ? true : undefined;
    });
  }

  test('one dump is encrypted once, and the same ciphertext is at every destination', async () => {
    const { local, sftp, webdav, plan, pathOf } = estate;
    const report = await estate.backUp(plan({ quorum: 2, destinations: [local('one'), sftp('two'), webdav('three')] }));
    const name = report.sources[0]?.name ?? '';

    expect(report).toEqual({
      run: expect.stringMatching(/^run-/),
      status: 'degraded',
      startedAt: expect.any(String),
      finishedAt: expect.any(String),
      sources: [
        {
          source: 'postgres/immich@bruno',
          name: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d{6}Z$/),
          status: 'degraded',
          sentence: '2 of 3 destinations hold a proven copy; 1 more are complete but unproven until they are read back',
          copies: [
            { destination: 'one', copy: 'proven' },
            { destination: 'two', copy: 'proven' },
            { destination: 'three', copy: 'unproven' },
          ],
        },
      ],
      destinations: [
        { destination: 'one', failure: null },
        { destination: 'two', failure: null },
        { destination: 'three', failure: null },
      ],
      retryFromSpool: false,
      undeletableCopy: false,
    });

    const files = await filesBelow(pathOf('one'));
    expect(files.length).toBeGreaterThan(4);
    for (const other of ['two', 'three']) {
      expect(await filesBelow(pathOf(other))).toEqual(files);
      for (const file of files)
        expect(await sha256(join(pathOf(other), file))).toBe(await sha256(join(pathOf('one'), file)));
    }

    const manifest = parseManifest(
      await estate.rclone('cat', `vault,remote="${pathOf('two')}":postgres-immich/${name}/${name}.manifest.json`),
    );
    expect(manifest.parts).toHaveLength(files.length - 1);
    expect(manifest.facts).toMatchObject({
      kind: 'postgres',
      database: 'immich',
      extensions: ['plpgsql'],
      plainBytes: expect.any(Number),
      tables: [
        { schema: 'odd "schema', table: 'täble\\back', rows: 3 },
        { schema: 'public', table: 'empty', rows: 0 },
        { schema: 'public', table: 'photos', rows: 20_000 },
      ],
    });
    expect(manifest.producers.map(({ name: program }) => program)).toEqual(['pg_dump', 'psql', 'dd', 'zstd', 'split']);
    expect(await filesBelow(estate.spool)).toEqual(['nightly/lock']);
    expect(await logOf(estate)).toContain(`${report.run} two: postgres/immich@bruno is complete and proven\n`);
  });

  test('a copy that is read back counts as proven, and then all is well', async () => {
    const { local, webdav, plan } = estate;
    const report = await estate.backUp(
      plan({ destinations: [local('r1'), { ...webdav('r2'), proof: 'read-back', undeletable: true }] }),
    );
    expect(report.sources[0]).toMatchObject({ status: 'ok', sentence: 'all 2 destinations hold a proven copy' });
    expect(report).toMatchObject({ status: 'ok', undeletableCopy: true });
  });

  test('copies on the own host, or all with the provider of the source, are not enough', async () => {
    const { local, plan } = estate;
    const own = { ...local('own'), host: 'bruno', provider: 'hetzner' };
    const same = { ...local('same'), provider: 'hetzner' };
    const report = await estate.backUp(plan({ destinations: [own, same] }));
    expect(report.sources[0]).toMatchObject({
      status: 'degraded',
      sentence: '2 of 2 destinations hold a proven copy; none of them is with another provider than the source',
    });
    await expect(estate.backUp(plan({ quorum: 1, destinations: [own] }))).rejects.toMatchObject({
      code: 'backup_plan_unusable',
      message: expect.stringContaining('only 0 failure domains'),
    });
  });

  test('files, folders, roles and commands are sources, one after the other in one run', async () => {
    const { local, plan, folder, pathOf, database } = estate;
    const home = join(folder, 'data');
    await mkdir(join(home, 'inner'), { recursive: true });
    await writeFile(join(home, 'inner', 'note.txt'), CANARY);
    await writeFile(join(home, 'skip.tmp'), 'x');
    await run([
      'sqlite3',
      join(home, 'forgejo.db'),
      `PRAGMA journal_mode=WAL; CREATE TABLE "a ""b" (x); INSERT INTO "a ""b" VALUES ('${CANARY}'), (2);`,
    ]);
    const { address, port, user, password } = database;
    const redis = join(folder, 'redis');
    await startRedis(redis);
    const report = await estate.backUp(
      plan({
        sources: [
          { kind: 'sqlite', name: 'forgejo', path: join(home, 'forgejo.db') },
          { kind: 'directory', name: 'folder', path: home, excludes: ['*.tmp'] },
          { kind: 'postgres-globals', name: 'globals', address, port, user, password },
          { kind: 'redis', name: 'redis', socket: join(redis, 'socket'), password: REDIS_PASSWORD },
          { kind: 'command', name: 'said', argv: ['printf', '%s', "it's $HOME"] },
        ],
        destinations: [local('kinds')],
      }),
    );
    expect(report.sources.map(({ source, status }) => [source, status])).toEqual([
      ['forgejo@bruno', 'ok'],
      ['folder@bruno', 'ok'],
      ['globals@bruno', 'ok'],
      ['redis@bruno', 'ok'],
      ['said@bruno', 'ok'],
    ]);
    const streamOf = async (index: number, source: string) => {
      const name = report.sources[index]?.name ?? '';
      return await run([
        'bash',
        '-c',
        'set -o pipefail; rclone --config "$1" cat "$2" | zstd -dq | base64 -w 0',
        'bash',
        estate.configFile,
        `vault,remote="${pathOf('kinds')}":${source}/${name}/${name}.part-00001`,
      ]);
    };
    expect(Buffer.from(await streamOf(4, 'said'), 'base64').toString()).toBe("it's $HOME");
    const drill = {
      vault: estate.vault,
      backup: { source: 'redis', name: report.sources[3]?.name ?? '' },
      from: local('kinds'),
      folder,
    };
    expect(await drillRestore(estate.machine.host, drill, taskOf('drill'))).toMatchObject({
      restorable: true,
      tables: 0,
      amcheck: null,
    });
    expect(Buffer.from(await streamOf(2, 'globals'), 'base64').toString()).toContain('CREATE ROLE postgres');
    await writeFile(join(folder, 'copy.db'), Buffer.from(await streamOf(0, 'forgejo'), 'base64'));
    expect(await run(['sqlite3', join(folder, 'copy.db'), 'SELECT count(*) FROM "a ""b"'])).toBe('2\n');
    const tar = Buffer.from(await streamOf(1, 'folder'), 'base64').toString('latin1');
    expect(tar).toContain('inner/note.txt');
    expect(tar).not.toContain('skip.tmp');
    // What SQLite copies for us is gone, and the programs of the service can still use what it left.
    expect((await filesBelow(home)).filter((file) => file.includes('selfhost'))).toEqual([]);
    const manifest = parseManifest(
      await estate.rclone(
        'cat',
        `vault,remote="${pathOf('kinds')}":forgejo/${report.sources[0]?.name}/${report.sources[0]?.name}.manifest.json`,
      ),
    );
    expect(manifest.facts.tables).toEqual([{ schema: 'main', table: 'a "b', rows: 2 }]);
  });

  test('what is not good is said to be failed, and never gets a name', async () => {
    const { local, plan, folder, pathOf } = estate;
    await writeFile(join(folder, 'broken.db'), 'this is no database'.repeat(1000));
    const report = await estate.backUp(
      plan({
        sources: [
          {
            kind: 'command',
            name: 'wrong',
            argv: ['sh', '-c', 'head -c 700000 /dev/urandom; echo no more >&2; exit 3'],
          },
          { kind: 'command', name: 'silent', argv: ['true'] },
          { kind: 'sqlite', name: 'broken', path: join(folder, 'broken.db') },
          { kind: 'directory', name: 'unmounted', path: folder, marker: '.mounted' },
          {
            kind: 'postgres',
            name: 'nowhere',
            database: 'nowhere',
            address: estate.postgres.socketFolder,
            port: estate.postgres.port,
            user: 'postgres',
            password: estate.postgres.password,
          },
          { kind: 'command', name: 'fine', argv: ['echo', 'fine'] },
        ],
        destinations: [local('bad')],
      }),
    );
    expect(report.status).toBe('failed');
    expect(report.sources.map(({ source, status, sentence }) => [source, status, sentence])).toEqual([
      ['wrong@bruno', 'failed', 'sh ended with 3: no more'],
      ['silent@bruno', 'failed', 'it produced nothing at all'],
      ['broken@bruno', 'failed', expect.stringMatching(/sqlite3 ended with .*file is not a database/)],
      ['unmounted@bruno', 'failed', expect.stringContaining('/.mounted is not there: what should be mounted at')],
      ['nowhere@bruno', 'failed', expect.stringContaining('database "nowhere" does not exist')],
      ['fine@bruno', 'ok', 'all 1 destinations hold a proven copy'],
    ]);
    const names = (await estate.rclone('lsf', '-R', '--files-only', `vault,remote="${pathOf('bad')}":`))
      .trim()
      .split('\n');
    expect(names).toEqual([
      expect.stringMatching(/^fine\/.*manifest\.json$/),
      expect.stringMatching(/^fine\/.*part-00001$/),
    ]);
  });

  test('no plaintext and no password is on any disk, in any record of the job, or in the log', async () => {
    const { machine, folder, spool, pathOf, logFile } = estate;
    expect(await canaryFiles([CANARY], [spool, pathOf(''), '/dev/shm', '/run'])).toEqual([]);
    expect(
      await canaryFiles(
        [...estate.passwords, REDIS_PASSWORD],
        [machine.state, spool, pathOf(''), logFile, '/dev/shm', '/run'],
      ),
    ).toEqual([]);
    expect(await filesBelow(folder)).not.toContainEqual(expect.stringContaining('selfhost-copy'));
    // Nor in any other file that was written since: only the sources hold it, and what the tests above have unpacked.
    const own = [estate.postgres.socketFolder, join(folder, 'data'), join(folder, 'redis'), join(folder, 'copy.db')];
    const script =
      'find /tmp /var /run /dev/shm /root -xdev -type f -newer "$1" -size -1000000k -print0 2>/dev/null | xargs -0 -r grep -laF -e "$2" 2>/dev/null; true';
    const found = (await run(['bash', '-c', script, 'bash', started, CANARY])).split('\n');
    expect(found.filter((file) => file !== '' && !own.some((place) => file.startsWith(place)))).toEqual([]);
    expect(found.some((file) => file.startsWith(join(folder, 'data')))).toBe(true);
  });
});

async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
