import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDatabaseImage } from '../../../../lab/database-image';
import { run } from '../../../../lab/hosts/programs';
import { until } from '../../../../lab/hosts/waiting';
import { takeCoverage } from '../../../../lib/backup/coverage/coverage';
import { expandSources } from '../../../../lib/backup/expand';
import type { BackupPlan, Destination, Vault } from '../../../../lib/backup/plan';
import type { BackupReport } from '../../../../lib/backup/report';
import { drillRestore, restoreBackup } from '../../../../lib/backup/restore';
import { awaitBackup, startBackup } from '../../../../lib/backup/scatter';
import { needManifest } from '../../../../lib/backup/stored';
import { describeAsRoot } from '../../lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';
import { taskOf } from '../host/machine';
import { canaryFiles, filesBelow } from './estate';

const CANARY = 'CANARY-IN-A-CONTAINER';
const PASSWORD = "a pass:word \\ with 'odd' things";
const task = taskOf('container backup');

const POSTGRES = `
umask 077
printf %s "$1" > /tmp/word
initdb -D /data/pg -U postgres -E UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile=/tmp/word --no-sync > /dev/null
rm /tmp/word
exec postgres -D /data/pg -c listen_addresses= -c unix_socket_directories=/tmp -c fsync=off
`;
const MARIADB = `
mariadb-install-db --no-defaults --datadir=/data/my --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve > /dev/null
exec mariadbd --no-defaults --datadir=/data/my --socket=/tmp/mysqld.sock --skip-networking
`;

describeAsRoot('databases and volumes of containers', () => {
  let machine: DockerMachine;
  let folder: string;
  let image: string;
  let vault: Vault;
  let destination: Destination;
  beforeAll(async () => {
    machine = await startDockerMachine();
    folder = await mkdtemp(join(tmpdir(), 'selfhost-container-backup-'));
    await mkdir(join(folder, 'place'));
    image = await makeDatabaseImage(machine.docker);
    const word = (await run(['rclone', 'obscure', 'a crypt word'])).trim();
    const text = `[vault]\ntype = crypt\nremote = /nonexistent\npassword = ${word}\n`;
    vault = { crypt: 'vault', rclone: { kind: 'text', text } };
    destination = { name: 'place', remote: join(folder, 'place'), provider: 'elsewhere', attempts: 2, pauseSeconds: 1 };
    const { docker } = machine.docker;
    await docker('run', '--detach', '--name', 'pg', '--user', 'postgres', image, 'sh', '-c', POSTGRES, 'sh', PASSWORD);
    await docker('run', '--detach', '--name', 'my', '--user', 'mysql', image, 'sh', '-c', MARIADB);
    await docker('run', '--detach', '--name', 'kv', image, 'redis-server', '--save', '', '--requirepass', PASSWORD);
    await docker('volume', 'create', 'photos');
    await docker(
      'run',
      '--rm',
      '--volume',
      'photos:/v',
      image,
      'sh',
      '-c',
      `mkdir /v/inner; echo ${CANARY} > /v/inner/a; echo b > /v/b`,
    );
    await until('PostgreSQL in its container answers', 60_000, () =>
      ask('SELECT 1').then(
        () => true,
        () => undefined,
      ),
    );
    await until('MariaDB in its container answers', 60_000, () =>
      askMysql('SELECT 1').then(
        () => true,
        () => undefined,
      ),
    );
    await ask('CREATE DATABASE immich');
    await ask(`CREATE TABLE photos AS SELECT n AS id, '${CANARY}' AS note FROM generate_series(1, 5000) n`, 'immich');
    await ask('CREATE DATABASE "Odd Name"');
    await askMysql(`CREATE DATABASE shop; CREATE TABLE shop.t (x int); INSERT INTO shop.t VALUES (1), (2);`);
    await docker('exec', 'kv', 'redis-cli', '-a', PASSWORD, 'SET', 'word', CANARY);
  }, 240_000);
  afterAll(async () => {
    await machine.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = (sql: string, database = 'postgres') =>
    machine.docker.docker(
      'exec',
      '--env',
      `PGPASSWORD=${PASSWORD}`,
      'pg',
      'psql',
      '-XAtqw',
      '-h',
      '/tmp',
      '-U',
      'postgres',
      '-d',
      database,
      '-c',
      sql,
    );
  const askMysql = (sql: string) =>
    machine.docker.docker(
      'exec',
      'my',
      'mariadb',
      '--socket=/tmp/mysqld.sock',
      '--user=root',
      '--batch',
      '--skip-column-names',
      '--execute',
      sql,
    );
  const postgres = () => ({
    container: 'pg',
    dockerSocket: machine.docker.socket,
    address: '/tmp',
    password: PASSWORD,
    runAs: 'postgres',
  });
  const mysql = () => ({ container: 'my', dockerSocket: machine.docker.socket, address: '/tmp/mysqld.sock' });
  let report: BackupReport;
  const backupOf = (source: string) => ({
    source,
    name: report.sources.find((each) => each.source === `${source}@bruno`)?.name ?? '',
  });
  const request = (source: string) => ({ vault, backup: backupOf(source), from: destination });
  const plan = (set: string, sources: BackupPlan['sources']): BackupPlan => ({
    set,
    vault,
    sources,
    destinations: [destination],
    home: { host: 'bruno', provider: 'hetzner' },
    quorum: 1,
    spool: { folder: join(folder, 'spool'), partBytes: 256 * 1024, reserveBytes: 1024 * 1024 },
    logFile: join(folder, 'log'),
  });

  test('every database is found and backed up, through docker', async () => {
    const { host } = machine.access;
    const sources = await expandSources(
      host,
      [
        { kind: 'every-postgres', name: 'pg', except: ['postgres'], ...postgres() },
        { kind: 'every-mysql', name: 'my', ...mysql() },
        { kind: 'redis', name: 'kv', container: 'kv', dockerSocket: machine.docker.socket, password: PASSWORD },
        {
          kind: 'docker-volume',
          name: 'photos',
          volume: 'photos',
          dockerSocket: machine.docker.socket,
          excludes: ['./b'],
        },
      ],
      task,
    );
    expect(sources.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'postgres-globals pg/globals',
      'postgres pg/Odd Name',
      'postgres pg/immich',
      'mysql-accounts my/accounts',
      'mysql my/shop',
      'redis kv',
      'docker-volume photos',
    ]);
    const wanted = plan('containers', sources);
    report = await awaitBackup(host, wanted, await startBackup(host, wanted, {}, task), { timeoutMs: 100_000 }, task);
    expect(report.sources.map(({ status, sentence }) => `${status}: ${sentence}`)).toEqual(
      sources.map(() => 'ok: all 1 destinations hold a proven copy'),
    );
    const { facts } = await needManifest(host, vault, backupOf('pg/immich'), destination, task);
    expect(facts).toMatchObject({ tables: [{ schema: 'public', table: 'photos', rows: 5000 }], preload: '' });
  });

  test('what of them is in no backup is told, each by its own server', async () => {
    const { host } = machine.access;
    const sources: BackupPlan['sources'] = [
      { kind: 'postgres', name: 'pg/immich', database: 'immich', ...postgres() },
      { kind: 'mysql', name: 'my/shop', database: 'shop', ...mysql() },
      { kind: 'docker-volume', name: 'photos', volume: 'photos', dockerSocket: machine.docker.socket },
    ];
    await machine.docker.docker('volume', 'create', 'forgotten');
    await askMysql('CREATE DATABASE wiki');
    const request = { plan: plan('covered', sources), folders: [], buckets: [], trees: [], ignore: [] };
    const covered = await takeCoverage(host, request, task);
    await machine.docker.docker('volume', 'rm', 'forgotten');
    await askMysql('DROP DATABASE wiki');
    const told = covered.map(({ what, state, sources: by }) => [what, state, by.join(' ')]);
    expect(told.filter(([what]) => /^(database|volume (photos|forgotten)) /.test(what ?? ''))).toEqual([
      ['database Odd Name (container pg)', 'in no backup', ''],
      ['database wiki (container my)', 'in no backup', ''],
      ['volume forgotten (no container uses it)', 'in no backup', ''],
      ['database immich (container pg)', 'covered', 'pg/immich'],
      ['database shop (container my)', 'covered', 'my/shop'],
      ['volume photos (no container uses it)', 'covered', 'photos'],
    ]);
    expect(covered.filter(({ state }) => state === 'unknown')).toEqual([]);
  });

  test('they are drilled in a container of their own image, which is gone afterwards', async () => {
    const { host } = machine.access;
    const container = { image, dockerSocket: machine.docker.socket };
    for (const [source, tables] of [
      ['pg/immich', 1],
      ['my/shop', 1],
    ] as const) {
      expect(await drillRestore(host, { ...request(source), folder, container }, task)).toMatchObject({
        sentence: expect.stringMatching(/^Restorable: yes, from place in /),
        tables,
        differences: [],
        amcheck: true,
      });
    }
    expect((await machine.docker.docker('ps', '--all', '--format', '{{.Names}}')).trim().split('\n').sort()).toEqual([
      'kv',
      'my',
      'pg',
    ]);
  });

  test('they are restored through docker, never over anything', async () => {
    const { host } = machine.access;
    await restoreBackup(
      host,
      { ...request('pg/immich'), target: { kind: 'postgres', database: 'again', access: postgres() } },
      task,
    );
    expect((await ask('SELECT count(*), min(note) FROM photos', 'again')).trim()).toBe(`5000|${CANARY}`);
    await restoreBackup(
      host,
      { ...request('my/shop'), target: { kind: 'mysql', database: 'again', access: mysql() } },
      task,
    );
    expect((await askMysql('SELECT count(*) FROM again.t')).trim()).toBe('2');
    const volume = { kind: 'docker-volume', volume: 'photos-again', dockerSocket: machine.docker.socket } as const;
    await restoreBackup(host, { ...request('photos'), target: volume }, task);
    expect(
      await machine.docker.docker(
        'run',
        '--rm',
        '--volume',
        'photos-again:/v',
        image,
        'sh',
        '-c',
        'cd /v; find . -type f; cat inner/a',
      ),
    ).toBe(`./inner/a\n${CANARY}\n`);
    await expect(restoreBackup(host, { ...request('photos'), target: volume }, task)).rejects.toMatchObject({
      code: 'restore_failed',
      message: expect.stringContaining('is there already'),
    });
    const only = { kind: 'directory', path: join(folder, 'only'), only: ['inner/a'] } as const;
    await restoreBackup(host, { ...request('photos'), target: only }, task);
    expect(await filesBelow(join(folder, 'only'))).toEqual(['inner/a']);
    const missing = { kind: 'directory', path: join(folder, 'never'), only: ['inner/none'] } as const;
    await expect(restoreBackup(host, { ...request('photos'), target: missing }, task)).rejects.toMatchObject({
      message: expect.stringContaining('inner/none: Not found in archive'),
    });
    expect(
      await canaryFiles(
        [CANARY, PASSWORD],
        [join(folder, 'spool'), join(folder, 'place'), join(folder, 'log'), '/run/selfhost-private', '/dev/shm'],
      ),
    ).toEqual([]);
  });

  test('SQLite databases are found by their first bytes, and finding none is a failure', async () => {
    const { host } = machine.access;
    const place = join(folder, 'sqlite');
    await mkdir(join(place, 'deep', 'skip'), { recursive: true });
    for (const name of ['Forgejo', 'forgejo', 'deep/a file\nof.dat', 'deep/skip/cache.db'])
      await run(['sqlite3', join(place, name), 'CREATE TABLE t (x)']);
    await writeFile(join(place, 'not.db'), 'SQLite format 2');
    await writeFile(join(place, 'empty.db'), '');
    const wanted = { kind: 'every-sqlite', name: 'lite', path: `${place}/`, except: ['/deep/skip/'] } as const;
    const found = await expandSources(host, [{ ...wanted, scratch: 'memory' }], task);
    expect(found).toEqual([
      {
        kind: 'sqlite',
        name: expect.stringMatching(/^lite\/Forgejo-[0-9a-f]{8}$/),
        path: join(place, 'Forgejo'),
        scratch: 'memory',
      },
      {
        kind: 'sqlite',
        name: expect.stringMatching(/^lite\/deep\/a file-of.dat-[0-9a-f]{8}$/),
        path: join(place, 'deep/a file\nof.dat'),
        scratch: 'memory',
      },
      {
        kind: 'sqlite',
        name: expect.stringMatching(/^lite\/forgejo-[0-9a-f]{8}$/),
        path: join(place, 'forgejo'),
        scratch: 'memory',
      },
    ]);
    await expect(
      expandSources(host, [{ ...wanted, path: join(place, 'deep'), except: ['.', '*'] }], task),
    ).rejects.toMatchObject({
      code: 'backup_nothing_found',
      message: expect.stringContaining('there is no SQLite database below'),
    });
    await expect(expandSources(host, [{ ...wanted, path: join(place, 'nowhere') }], task)).rejects.toMatchObject({
      message: expect.stringContaining('No such file or directory'),
    });
  });

  test('a docker client that is killed leaves no dump running in the container', async () => {
    const { host } = machine.access;
    await ask(
      `CREATE TABLE noise AS SELECT n, encode(sha256(n::text::bytea), 'hex') AS x FROM generate_series(1, 300000) n`,
      'immich',
    );
    const wanted: BackupPlan = {
      ...plan('cut', [{ kind: 'postgres', name: 'cut', database: 'immich', ...postgres() }]),
      destinations: [{ ...destination, bandwidth: '50k' }],
      spool: {
        folder: join(folder, 'spool'),
        partBytes: 256 * 1024,
        reserveBytes: 1024 * 1024,
        limitBytes: 512 * 1024,
        roomWaitSeconds: 60,
      },
    };
    const started = await startBackup(host, wanted, {}, task);
    const client = await until('the dump runs', 30_000, () => processWith('pg_dump', 'exec'));
    await until('it is in the container', 30_000, async () => ((await dumps()) > 0 ? true : undefined));
    process.kill(client, 'SIGKILL');
    const report = await awaitBackup(host, wanted, started, { timeoutMs: 90_000 }, task);
    expect(report.sources).toMatchObject([
      { status: 'failed', sentence: expect.stringMatching(/^pg_dump was killed by SIGKILL/) },
    ]);
    await until('nothing of the dump is left', 20_000, async () => ((await dumps()) === 0 ? true : undefined));
  });

  const dumps = async () =>
    Number(
      (
        await ask(
          `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' OR (application_name = 'selfhost-backup' AND query LIKE 'COPY%')`,
        )
      ).trim(),
    );
});

/** A docker client with this word among its arguments. */
async function processWith(...words: readonly string[]): Promise<number | undefined> {
  for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const list = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (list[0]?.endsWith('docker') === true && words.every((word) => list.includes(word))) return Number(pid);
  }
  return undefined;
}
