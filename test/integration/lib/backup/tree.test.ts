import { mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import type { BackupReport } from '../../../../lib/backup/report';
import { drillRestore } from '../../../../lib/backup/restore';
import { needManifest } from '../../../../lib/backup/stored';
import type { TreeDestination, TreePlan } from '../../../../lib/backup/tree/plan';
import {
  awaitTree,
  drillTree,
  forgetSnapshots,
  previewTreeRetention,
  restoreTree,
  startTree,
  verifyTree,
} from '../../../../lib/backup/tree/tree';
import { verifyBackup } from '../../../../lib/backup/verify';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { canaryFiles, filesBelow, startEstate, type Estate } from './estate';

const CANARY = 'CANARY-IN-A-TREE';
const PASSWORD = 'the word of the repositories';
const task = taskOf('tree test');

jest.setTimeout(240_000);

describeAsRoot('a tree', () => {
  let estate: Estate;
  let path: string;
  let plan: TreePlan;
  let destinations: readonly [TreeDestination, TreeDestination, TreeDestination];
  const names: string[] = [];
  beforeAll(async () => {
    estate = await startEstate();
    const { folder, local, sftp, webdav, vault, spool, logFile } = estate;
    path = join(folder, 'photos');
    await mkdir(join(path, 'album', 'skip'), { recursive: true });
    await writeFile(join(path, '.mounted'), '');
    for (let n = 0; n < 50; n++) await writeFile(join(path, 'album', `${n}.txt`), `${CANARY} ${n}\n`.repeat(300));
    await run(['sh', '-c', 'head -c 3000000 /dev/urandom > "$1"', 'sh', join(path, 'large')]);
    await writeFile(join(path, 'album', 'skip', 'thumb'), 'x');
    destinations = [local('t1'), sftp('t2'), webdav('t3')];
    plan = {
      set: 'photos',
      vault,
      password: PASSWORD,
      tree: { name: 'tree/photos', path, marker: '.mounted', excludes: ['skip'] },
      destinations,
      home: { host: 'bruno', provider: 'hetzner' },
      quorum: 2,
      spool: { folder: spool },
      logFile,
    };
  });
  afterAll(() => estate.stop());

  const copyTree = async (change: Partial<TreePlan> = {}): Promise<BackupReport> => {
    const wanted = { ...plan, ...change };
    const started = await startTree(estate.machine.host, wanted, {}, task);
    return await awaitTree(estate.machine.host, wanted, started, { timeoutMs: 200_000 }, task);
  };
  const backup = (index: number) => ({ source: 'tree/photos', name: names[index] ?? '' });
  const place = () => ({ vault: plan.vault, password: PASSWORD, spool: plan.spool, tree: plan.tree });
  const repository = (name: string) => join(estate.folder, 'places', `${name}-trees`, 'tree-photos');
  const bytesOf = async (name: string) => Number((await run(['du', '-sb', repository(name)])).split('\t')[0]);

  test('is copied to every destination and proven there, and the next copy carries only what is new', async () => {
    const first = await copyTree();
    expect(first).toMatchObject({
      status: 'ok',
      sources: [
        {
          source: 'tree/photos@bruno',
          sentence: 'all 3 destinations hold a proven copy',
          copies: [{ copy: 'proven' }, { copy: 'proven' }, { copy: 'proven' }],
        },
      ],
    });
    names.push(first.sources[0]?.name ?? '');
    const before = await bytesOf('t2');
    await writeFile(join(path, 'album', '7.txt'), `${CANARY} changed`);
    await rename(join(path, 'album'), join(path, 'renamed'));
    const second = await copyTree();
    expect(second.status).toBe('ok');
    names.push(second.sources[0]?.name ?? '');
    // A renamed folder costs no second copy of what is in it, nor does what stays as it is.
    expect((await bytesOf('t2')) - before).toBeLessThan(100_000);
    const { facts } = await needManifest(estate.machine.host, plan.vault, backup(1), destinations[2], task);
    expect(facts).toEqual({
      kind: 'tree',
      engine: 'restic',
      path,
      repository: 'dav:t3-trees/tree-photos',
      newRepository: false,
      snapshot: expect.stringMatching(/^[0-9a-f]{64}$/),
      files: 52,
      hashes: { md5: [expect.stringMatching(/^[0-9a-f]{32}$/)], sha1: [expect.stringMatching(/^[0-9a-f]{40}$/)] },
      plainBytes: expect.any(Number),
      addedBytes: expect.any(Number),
    });
    // One manifest and one inventory: what looks at other backups understands this one.
    const looked = await verifyBackup(
      estate.machine.host,
      { vault: plan.vault, backup: backup(1), destinations, depth: { kind: 'hash' } },
      task,
    );
    expect(looked.copies.map(({ status }) => status)).toEqual(['proven', 'proven', 'unproven']);
    await expect(
      drillRestore(estate.machine.host, { vault: plan.vault, backup: backup(1), from: destinations[0] }, task),
    ).rejects.toMatchObject({ code: 'backup_is_tree' });
    expect(
      await canaryFiles(
        [CANARY, PASSWORD],
        [estate.spool, join(estate.folder, 'places'), estate.logFile, '/run', '/dev/shm', estate.machine.state],
      ),
    ).toEqual([]);
  });

  test('every version comes back: whole, one path of it, and in a drill that leaves nothing', async () => {
    const { machine, folder } = estate;
    const old = join(folder, 'old');
    expect(
      await restoreTree(machine.host, { ...place(), backup: backup(0), from: destinations[1], target: old }, task),
    ).toMatchObject({ destination: 't2', files: 52 });
    expect((await readFile(join(old, 'album', '7.txt'), 'utf8')).split('\n')[0]).toBe(`${CANARY} 7`);
    expect(await filesBelow(old)).not.toContain('album/skip/thumb');
    const one = join(folder, 'one');
    await restoreTree(
      machine.host,
      { ...place(), backup: backup(1), from: destinations[2], target: one, only: ['renamed/7.txt'] },
      task,
    );
    expect(await filesBelow(one)).toEqual(['renamed/7.txt']);
    expect(await readFile(join(one, 'renamed/7.txt'), 'utf8')).toBe(`${CANARY} changed`);
    await expect(
      restoreTree(machine.host, { ...place(), backup: backup(1), from: destinations[0], target: one }, task),
    ).rejects.toMatchObject({
      code: 'restore_failed',
      message: expect.stringContaining('is there already'),
    });
    await expect(
      restoreTree(
        machine.host,
        { ...place(), backup: backup(1), from: destinations[0], target: join(folder, 'none'), only: ['no/such'] },
        task,
      ),
    ).rejects.toMatchObject({ message: expect.stringContaining('nothing of that is in the snapshot') });
    const before = await readdir(folder);
    expect(
      await drillTree(machine.host, { ...place(), backup: backup(1), from: destinations[0], folder }, task),
    ).toMatchObject({
      restorable: true,
      files: 52,
      sentence: expect.stringMatching(/^Restorable: yes, 52 files from t1 in \d+\.\d s$/),
    });
    expect(await readdir(folder)).toEqual(before);
  });

  test('a mount that is missing, or an empty one, is an error; no destination hears of it', async () => {
    const before = await filesBelow(join(estate.folder, 'places'));
    await rename(join(path, '.mounted'), join(estate.folder, '.mounted'));
    const report = await copyTree();
    expect(report).toMatchObject({
      status: 'failed',
      sources: [
        { status: 'failed', sentence: expect.stringContaining('/.mounted is not there: what should be mounted at') },
      ],
    });
    const empty = join(estate.folder, 'empty');
    await mkdir(empty);
    const { marker: _, ...tree } = plan.tree;
    expect((await copyTree({ tree: { ...tree, path: empty } })).sources[0]?.sentence).toBe(`${empty} is empty`);
    expect((await copyTree({ tree: { ...tree, path: join(empty, 'gone') } })).sources[0]?.sentence).toMatch(
      /gone is not there$/,
    );
    await rename(join(estate.folder, '.mounted'), join(path, '.mounted'));
    expect(await filesBelow(join(estate.folder, 'places'))).toEqual(before);
  });

  test('a flipped bit and a lost pack are found, and what is whole is said to be', async () => {
    const { machine } = estate;
    await damage(await largest(repository('t1')));
    await unlink(await largest(repository('t2')));
    const request = { ...place(), backup: backup(1), destinations, depth: { kind: 'full' } } as const;
    const { copies } = await verifyTree(machine.host, request, task);
    expect(copies.map(({ destination, status }) => [destination, status])).toEqual([
      ['t1', 'damaged'],
      ['t2', 'damaged'],
      ['t3', 'proven'],
    ]);
  });

  test('a destination that is dead spoils no other', async () => {
    const dead = { ...destinations[0], name: 'dead', remote: ':webdav,url="http://127.0.0.1:1":x' };
    const report = await copyTree({ destinations: [destinations[2], dead], quorum: 1 });
    expect(report).toMatchObject({
      status: 'degraded',
      sources: [{ copies: [{ copy: 'proven' }, { copy: 'missing' }] }],
      destinations: [{ failure: null }, { failure: expect.stringContaining('connection refused') }],
    });
    names.push(report.sources[0]?.name ?? '');
  });

  test('its versions are kept by rule: first shown, then forgotten exactly so, with their manifests', async () => {
    const { machine } = estate;
    const at = destinations[2];
    const shown = await previewTreeRetention(machine.host, { ...place(), at, keep: { last: 2 } }, task);
    expect([shown.kept, shown.forgotten].map((list) => list.map(({ name }) => name).sort())).toEqual([
      [names[1], names[2]],
      [names[0]],
    ]);
    await forgetSnapshots(machine.host, { ...place(), at }, shown, task);
    const again = await previewTreeRetention(machine.host, { ...place(), at, keep: { last: 9 } }, task);
    expect(again.kept).toHaveLength(2);
    expect(again.forgotten).toEqual([]);
    await expect(needManifest(machine.host, plan.vault, backup(0), at, task)).rejects.toMatchObject({
      code: 'backup_missing',
    });
    await needManifest(machine.host, plan.vault, backup(1), at, task);
    expect(
      (
        await verifyTree(
          machine.host,
          { ...place(), backup: backup(1), destinations: [at], depth: { kind: 'full' } },
          task,
        )
      ).good,
    ).toBe(true);
    for (const keep of [{}, { last: 0 }])
      await expect(previewTreeRetention(machine.host, { ...place(), at, keep }, task)).rejects.toMatchObject({
        message: expect.stringContaining('keeps nothing'),
      });
  });

  async function largest(folder: string): Promise<string> {
    const files = (await filesBelow(join(folder, 'data'))).map((file) => join(folder, 'data', file));
    const sized = await Promise.all(files.map(async (file) => ({ file, size: (await stat(file)).size })));
    return sized.sort((a, b) => b.size - a.size)[0]?.file ?? '';
  }

  async function damage(file: string): Promise<void> {
    const bytes = await readFile(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await rm(file);
    await writeFile(file, bytes);
  }
});
