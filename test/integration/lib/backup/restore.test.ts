import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { fillDestination } from '../../../../lib/backup/fill';
import { drillRestore, restoreBackup } from '../../../../lib/backup/restore';
import type { Destination } from '../../../../lib/backup/plan';
import type { BackupReport } from '../../../../lib/backup/report';
import { verifyBackup } from '../../../../lib/backup/verify';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { fillDatabase, filesBelow, startEstate, type Estate } from './estate';

const task = taskOf('restore test');

describeAsRoot('a backup that was made', () => {
  let estate: Estate;
  let report: BackupReport;
  let destinations: readonly [Destination, Destination, Destination];
  const nameOf = (index: number) => report.sources[index]?.name ?? '';
  const immich = () => ({ source: 'postgres/immich', name: nameOf(0) });

  beforeAll(async () => {
    estate = await startEstate();
    const { local, sftp, webdav, plan, folder } = estate;
    await fillDatabase(estate.postgres, 'immich', 'CANARY-RESTORE');
    // The throwaway server runs as another user.
    await chmod(folder, 0o711);
    const home = join(folder, 'data');
    await mkdir(home);
    await writeFile(join(home, 'note.txt'), 'a note');
    await chmod(join(home, 'note.txt'), 0o640);
    await run([
      'sqlite3',
      join(folder, 'forgejo.db'),
      "CREATE TABLE repos (name); INSERT INTO repos VALUES ('one'), ('two');",
    ]);
    destinations = [local('one'), sftp('two'), webdav('three')];
    report = await estate.backUp(
      plan({
        sources: [
          estate.database,
          { kind: 'sqlite', name: 'forgejo', path: join(folder, 'forgejo.db') },
          { kind: 'directory', name: 'notes', path: home },
        ],
        destinations,
      }),
    );
    if (report.status === 'failed') throw new Error(JSON.stringify(report));
  });
  afterAll(() => estate.stop());

  const verify = (depth: 'hash' | 'full', backup = immich()) =>
    verifyBackup(estate.machine.host, { vault: estate.vault, backup, destinations, depth: { kind: depth } }, task);

  /** The stored files of the database at a destination: largest first, so never the manifest. */
  async function partsAt(name: string): Promise<string[]> {
    const files = await filesBelow(estate.pathOf(name));
    const sized = await Promise.all(
      files.map(async (file) => ({
        path: join(estate.pathOf(name), file),
        size: (await stat(join(estate.pathOf(name), file))).size,
      })),
    );
    return sized.sort((a, b) => b.size - a.size || a.path.localeCompare(b.path)).map(({ path }) => path);
  }

  test('is proven by hashes where the remote tells them, and by reading back where it does not', async () => {
    const byHash = await verify('hash');
    expect(
      byHash.copies.map(({ destination, status, compared, readBack }) => [destination, status, compared, readBack]),
    ).toEqual([
      ['one', 'proven', 'sha256', 0],
      ['two', 'proven', 'sha1', 0],
      ['three', 'unproven', 'none', 0],
    ]);
    const whole = await verify('full');
    expect(whole.copies.map(({ status, problems }) => [status, problems])).toEqual([
      ['proven', []],
      ['proven', []],
      ['proven', []],
    ]);
    expect(whole.copies[2]?.readBack).toBeGreaterThan(3);
  });

  test('a flipped bit, a cut object and a lost one are found, each by its name, and no damaged copy restores', async () => {
    const kept = join(estate.folder, 'kept');
    await cp(join(estate.folder, 'places'), kept, { recursive: true });
    try {
      const [one, two, three] = await Promise.all(['one', 'two', 'three'].map(partsAt));
      await flip(one?.[1] ?? '');
      const cut = two?.[0] ?? '';
      await truncate(cut, (await stat(cut)).size - 1);
      await flip(three?.[2] ?? '');
      const byHash = await verify('hash');
      expect(byHash.good).toBe(false);
      expect(byHash.copies.map(({ status, problems }) => [status, problems.map(({ problem }) => problem)])).toEqual([
        ['damaged', ['hash']],
        ['damaged', ['size']],
        // The remote tells no hashes: only a download finds it.
        ['unproven', []],
      ]);
      const whole = await verify('full');
      expect(whole.copies[2]).toMatchObject({
        status: 'damaged',
        problems: [{ part: expect.stringMatching(/part-\d{5}$/), problem: 'hash' }],
      });
      const drill = { vault: estate.vault, backup: immich(), from: destinations[2], folder: estate.folder };
      expect(await drillRestore(estate.machine.host, drill, task)).toMatchObject({
        restorable: false,
        sentence: expect.stringMatching(/^Restorable: no, not from three: /),
      });
      const target = { kind: 'file', path: join(estate.folder, 'never') } as const;
      for (const from of destinations) {
        const request = { vault: estate.vault, backup: immich(), from, target };
        await expect(restoreBackup(estate.machine.host, request, task)).rejects.toMatchObject({
          code: 'restore_failed',
        });
      }
      expect((await filesBelow(estate.folder)).filter((file) => /^never|selfhost-/.test(file))).toEqual([]);
      await unlink(cut);
      expect((await verify('hash')).copies[1]).toMatchObject({ status: 'damaged', problems: [{ problem: 'missing' }] });
    } finally {
      await rm(join(estate.folder, 'places'), { recursive: true });
      await cp(kept, join(estate.folder, 'places'), { recursive: true, preserveTimestamps: true });
      await rm(kept, { recursive: true });
    }
    expect((await verify('hash')).good).toBe(true);
  });

  test('a backup that is not there is missing, one behind a wrong password too, and neither is an empty answer', async () => {
    const { copies } = await verify('hash', { source: 'postgres/immich', name: '2020-01-01T000000Z' });
    expect(copies.map(({ status }) => status)).toEqual(['missing', 'missing', 'missing']);
    const gone: Destination = { ...destinations[0], name: 'gone', remote: 'eva:/nowhere/at/all' };
    await expect(
      restoreBackup(
        estate.machine.host,
        { vault: estate.vault, backup: immich(), from: gone, target: { kind: 'file', path: '/tmp/never' } },
        task,
      ),
    ).rejects.toMatchObject({ code: 'backup_missing' });
  });

  test('a drill restores into a database of its own, compares every table, and leaves nothing behind', async () => {
    const before = await filesBelow(estate.folder);
    const drill = await drillRestore(
      estate.machine.host,
      { vault: estate.vault, backup: immich(), from: destinations[1], folder: estate.folder },
      task,
    );
    expect(drill).toEqual({
      destination: 'two',
      restorable: true,
      seconds: expect.any(Number),
      sentence: expect.stringMatching(/^Restorable: yes, from two in \d+\.\d s$/),
      differences: [],
      tables: 3,
      amcheck: true,
    });
    for (const [index, source] of ['forgejo', 'notes'].entries()) {
      const other = await drillRestore(
        estate.machine.host,
        {
          vault: estate.vault,
          backup: { source, name: nameOf(index + 1) },
          from: destinations[2],
          folder: estate.folder,
        },
        task,
      );
      expect(other).toMatchObject({ restorable: true, tables: source === 'forgejo' ? 1 : 0 });
    }
    expect(await filesBelow(estate.folder)).toEqual(before);
  });

  test('it is restored to a new place, and never over anything', async () => {
    const { vault, machine, folder, postgres } = estate;
    const access = {
      address: postgres.socketFolder,
      port: postgres.port,
      user: postgres.user,
      password: postgres.password,
    };
    const request = { vault, from: destinations[0] };
    const target = { kind: 'postgres', database: 'immich_restored', access } as const;
    const restored = await restoreBackup(machine.host, { ...request, backup: immich(), target }, task);
    expect(restored.tables).toEqual([
      { schema: 'odd "schema', table: 'täble\\back', rows: 3 },
      { schema: 'public', table: 'empty', rows: 0 },
      { schema: 'public', table: 'photos', rows: 20_000 },
    ]);
    expect((await postgres.sql('\\c immich_restored\nSELECT note FROM photos LIMIT 1')).trim()).toContain(
      'CANARY-RESTORE',
    );
    await expect(restoreBackup(machine.host, { ...request, backup: immich(), target }, task)).rejects.toMatchObject({
      code: 'restore_failed',
      message: expect.stringContaining('already exists'),
    });
    expect((await postgres.sql('\\c immich_restored\nSELECT count(*) FROM photos')).trim()).toContain('20000');

    const file = join(folder, 'new.db');
    await restoreBackup(
      machine.host,
      { ...request, backup: { source: 'forgejo', name: nameOf(1) }, target: { kind: 'file', path: file } },
      task,
    );
    expect(await run(['sqlite3', file, 'SELECT name FROM repos'])).toBe('one\ntwo\n');
    await expect(
      restoreBackup(
        machine.host,
        { ...request, backup: { source: 'forgejo', name: nameOf(1) }, target: { kind: 'file', path: file } },
        task,
      ),
    ).rejects.toMatchObject({ code: 'restore_failed', message: expect.stringContaining('is there already') });
    const besideLog = join(folder, 'former.db');
    await writeFile(`${besideLog}-wal`, 'of a database that is gone');
    await expect(
      restoreBackup(
        machine.host,
        { ...request, backup: { source: 'forgejo', name: nameOf(1) }, target: { kind: 'file', path: besideLog } },
        task,
      ),
    ).rejects.toMatchObject({
      code: 'restore_failed',
      message: expect.stringContaining(`${besideLog}-wal of a former database lies there`),
    });

    const place = join(folder, 'new');
    await restoreBackup(
      machine.host,
      { ...request, backup: { source: 'notes', name: nameOf(2) }, target: { kind: 'directory', path: place } },
      task,
    );
    expect(await readFile(join(place, 'note.txt'), 'utf8')).toBe('a note');
    expect((await stat(join(place, 'note.txt'))).mode & 0o777).toBe(0o640);
  });

  test('a destination is filled from another one that has it, and a damaged copy is mended', async () => {
    const { vault, machine, local, webdav, pathOf } = estate;
    const request = { vault, backup: immich(), from: destinations[1] };
    expect(await fillDestination(machine.host, { ...request, to: local('new') }, task)).toEqual({
      destination: 'new',
      copy: 'proven',
    });
    expect(await fillDestination(machine.host, { ...request, to: webdav('newer') }, task)).toEqual({
      destination: 'newer',
      copy: 'unproven',
    });
    const [folder] = (await partsAt('new')).map((path) => path.slice(pathOf('new').length + 1, path.lastIndexOf('/')));
    const files = (await filesBelow(pathOf('two'))).filter((file) => file.startsWith(folder ?? 'none'));
    expect(await filesBelow(pathOf('new'))).toEqual(files);
    for (const file of files) {
      await expectSame(join(pathOf('new'), file), join(pathOf('two'), file));
      await expectSame(join(pathOf('newer'), file), join(pathOf('two'), file));
    }
    const [, damaged = ''] = await partsAt('new');
    await flip(damaged);
    await fillDestination(machine.host, { ...request, to: local('new') }, task);
    await expectSame(damaged, damaged.replace(pathOf('new'), pathOf('two')));
    // A damaged copy is never passed on.
    await flip(damaged);
    await expect(
      fillDestination(machine.host, { ...request, from: local('new'), to: local('newest') }, task),
    ).rejects.toMatchObject({ code: 'fill_failed', message: expect.stringMatching(/is not there as it was sent/) });
    expect((await filesBelow(pathOf('newest'))).map((file) => file.split('/')[1])).not.toContain(folder?.split('/')[1]);
  });

  test('docs/restore-without-n8n.md restores it with rclone, zstd and pg_restore alone', async () => {
    const page = await readFile(join(__dirname, '../../../../docs/restore-without-n8n.md'), 'utf8');
    const blocks = [...page.matchAll(/^```bash\n(.*?)^```/gms)].map(([, text = '']) => text);
    // The lines which the page asks to change, and nothing else.
    const values: Record<string, string> = {
      'export RCLONE_CONFIG': estate.configFile,
      place: `eva:${estate.pathOf('two')}`,
      source: 'postgres-immich',
      backup: nameOf(0),
    };
    const text = blocks
      .join('\n')
      .replace(
        /^(export RCLONE_CONFIG|place|source|backup)=.*$/gm,
        (_, name: string) => `${name}='${values[name] ?? ''}'`,
      );
    const { postgres } = estate;
    const output = await run(['bash', '-e'], {
      input: text,
      environment: {
        PGHOST: postgres.socketFolder,
        PGPORT: String(postgres.port),
        PGUSER: postgres.user,
        PGPASSWORD: postgres.password,
      },
    });
    expect(output).toContain(`postgres-immich/${nameOf(0)}/`);
    expect(output).toContain('"rows":20000');
    expect(output).toContain('TABLE DATA public photos postgres');
    expect((await postgres.sql('\\c restored\nSELECT count(*) FROM photos')).trim()).toContain('20000');
    expect(existsSync(join(estate.folder, 'restored'))).toBe(false);
  });
});

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const { mtime } = await stat(path);
  await writeFile(path, bytes);
  await run(['touch', '-d', mtime.toISOString(), path]);
}

async function expectSame(one: string, other: string): Promise<void> {
  expect([one, other, (await readFile(one)).equals(await readFile(other))]).toEqual([one, other, true]);
}
