import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDescribed } from '../../../../lib/backup/described/described';
import { parseDescribedTree } from '../../../../lib/backup/described/tree';
import type { BackupPlan, Destination, Vault } from '../../../../lib/backup/plan';
import type { BackupReport } from '../../../../lib/backup/report';
import { applyRetention, previewRetention } from '../../../../lib/backup/retention/apply';
import { needManifest } from '../../../../lib/backup/stored';
import type { TreePlan } from '../../../../lib/backup/tree/plan';
import { applyTreeRetention, planTreeRetention } from '../../../../lib/backup/tree/retention';
import { awaitTree, restoreTree, startTree, verifyTree } from '../../../../lib/backup/tree/tree';
import { verifyBackup } from '../../../../lib/backup/verify';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { startBucketStorage, type BucketStorage } from './bucket-storage';
import { canaryFiles, filesBelow, logOf, startEstate, type Estate } from './estate';

const CANARY = 'CANARY-IN-A-BUCKET';
const PASSWORD = 'the word of the repositories';
const task = taskOf('bucket test');

// Each test is a dozen starts of real programs, one after the other.
jest.setTimeout(240_000);

describeAsRoot('buckets', () => {
  let estate: Estate;
  let storage: BucketStorage;
  /** With the key of whoever uploads, who cannot delete. */
  let vault: Vault;
  /** With that of whoever keeps house. */
  let keepers: Vault;
  beforeAll(async () => {
    [estate, storage] = await Promise.all([startEstate({ database: false }), startBucketStorage()]);
    for (const bucket of ['media', 'copies', 'empty']) storage.make(bucket);
    for (let n = 0; n < 30; n++) storage.put(`media/images/${n % 3}/${n}.jpg`, `${CANARY} ${n} `.repeat(4000));
    storage.put('media/.bucket', 'this is it');
    storage.put('media/images/cache/thumb', 'x');
    const text = estate.vault.rclone.kind === 'text' ? estate.vault.rclone.text : '';
    const media = storage.section('media', 'writer');
    vault = { crypt: 'vault', rclone: { kind: 'text', text: `${text}\n${media}\n${storage.section('s3', 'writer')}` } };
    keepers = {
      crypt: 'vault',
      rclone: { kind: 'text', text: `${text}\n${media}\n${storage.section('s3', 'keeper')}` },
    };
  });
  afterAll(async () => {
    await estate.stop();
    await storage.stop();
  });
  const s3 = (change: Partial<Destination> = {}): Destination => ({
    name: 's3',
    remote: 's3:copies/backups',
    provider: 'bucket',
    attempts: 2,
    pauseSeconds: 1,
    idleSeconds: 10,
    ...change,
  });
  const keysBelow = (place: string) => [...storage.objects.keys()].filter((key) => key.startsWith(place));

  describe('as places for backups', () => {
    let plan: BackupPlan;
    const names: string[] = [];
    /** What the first of them has stored. */
    let first: string[];
    beforeAll(() => {
      plan = estate.plan({
        set: 'buckets',
        vault,
        sources: [
          { kind: 'command', name: 'notes', argv: ['sh', '-c', `echo ${CANARY}; head -c 600000 /dev/urandom`] },
        ],
        destinations: [s3({ undeletable: true }), estate.local('disk')],
      });
    });

    test('a key that cannot delete is all that an upload needs, and its copies are proven', async () => {
      for (let round = 0; round < 2; round++) {
        const report = await estate.backUp(plan, 200_000);
        expect(report).toMatchObject({
          status: 'ok',
          undeletableCopy: true,
          sources: [{ sentence: 'all 2 destinations hold a proven copy' }],
        });
        names.push(report.sources[0]?.name ?? '');
        if (round === 0) first = keysBelow('copies/backups/');
      }
      expect(storage.asked.filter((each) => each.startsWith('DELETE') || each.startsWith('POST'))).toEqual([]);
      const backup = { source: 'notes', name: names[1] ?? '' };
      const request = { vault, backup, destinations: plan.destinations } as const;
      const copies = await verifyBackup(estate.machine.host, { ...request, depth: { kind: 'full' } }, task);
      expect(copies.copies.map(({ destination, status }) => [destination, status])).toEqual([
        ['s3', 'proven'],
        ['disk', 'proven'],
      ]);
    });

    test('where nothing is safe from the credentials of the run, the report says so', async () => {
      // A copy that has not come is none that is safe, whatever the plan says of its place.
      const nowhere = s3({ name: 'b2', remote: 's3:nowhere/x', provider: 'b2', undeletable: true, attempts: 1 });
      const destinations = [s3({ remote: 's3:copies/other' }), nowhere] as const;
      expect(await estate.backUp({ ...plan, set: 'deletable', vault: keepers, destinations }, 200_000)).toMatchObject({
        status: 'degraded',
        undeletableCopy: false,
        sources: [{ copies: [{ copy: 'proven' }, { copy: 'missing' }] }],
      });
      expect(await logOf(estate)).toContain(
        'not every source has a copy that is safe from the credentials of this run',
      );
    });

    test('a changed object is found by the hash of its bucket', async () => {
      const backup = { source: 'notes', name: names[0] ?? '' };
      const part = first.find((key) => (storage.objects.get(key)?.bytes.length ?? 0) > 200_000) ?? '';
      const { bytes = Buffer.alloc(0) } = storage.objects.get(part) ?? {};
      const flipped = Buffer.from(bytes);
      flipped[5000] = (flipped[5000] ?? 0) ^ 1;
      storage.put(part, flipped);
      const request = { vault, backup, destinations: plan.destinations, depth: { kind: 'hash' } } as const;
      const { copies } = await verifyBackup(estate.machine.host, request, task);
      expect(copies.map(({ status }) => status)).toEqual(['damaged', 'proven']);
      storage.put(part, bytes);
    });

    test('retention needs a rule of its own and a key of its own, and then does what was agreed', async () => {
      const described = (own: Vault) =>
        parseDescribed(
          {
            set: 'buckets',
            home: { provider: 'hetzner' },
            sources: [{ kind: 'command', name: 'notes', argv: ['true'] }],
            destinations: [
              { name: 's3', remote: 's3:copies/backups', provider: 'bucket', undeletable: true, keep: { last: 1 } },
            ],
            spool: { folder: estate.spool },
            logFile: null,
          },
          own,
          'bruno',
        );
      const { host } = estate.machine;
      const { hash, removals } = await previewRetention(host, described(vault), {}, task);
      expect(removals).toMatchObject([{ destination: 's3', name: names[0] }]);
      const refused = await applyRetention(host, described(vault), { hash }, task);
      expect(refused).toMatchObject({ removed: [], failures: [{ why: expect.stringContaining('AccessDenied') }] });
      const before = keysBelow('copies/backups/').length;
      const { removed, failures } = await applyRetention(host, described(keepers), { hash }, task);
      expect([removed.length, failures]).toEqual([1, []]);
      expect(keysBelow('copies/backups/').length).toBe(before / 2);
      await needManifest(host, vault, { source: 'notes', name: names[1] ?? '' }, s3(), task);
    });
  });

  describe('as trees', () => {
    let plan: TreePlan;
    const names: string[] = [];
    const backup = (index: number) => ({ source: 'tree/media', name: names[index] ?? '' });
    beforeAll(() => {
      plan = {
        set: 'media',
        vault: keepers,
        password: PASSWORD,
        tree: { name: 'tree/media', remote: 'media:media', marker: '.bucket', excludes: ['cache'] },
        destinations: [estate.local('disk'), s3({ remote: 's3:copies/trees' })],
        home: { host: 'kuanary', provider: 'storage' },
        quorum: 2,
        spool: { folder: estate.spool },
        logFile: estate.logFile,
      };
    });
    const copyTree = async (change: Partial<TreePlan> = {}): Promise<BackupReport> => {
      const wanted = { ...plan, ...change };
      const started = await startTree(estate.machine.host, wanted, {}, task);
      return await awaitTree(estate.machine.host, wanted, started, { timeoutMs: 200_000 }, task);
    };
    const read = () => storage.asked.filter((each) => each.startsWith('GET media/'));

    test('one is copied to a disk and to another bucket, and the next copy reads only what is new', async () => {
      const first = await copyTree();
      expect(first).toMatchObject({
        status: 'ok',
        sources: [{ source: 'tree/media@kuanary', sentence: 'all 2 destinations hold a proven copy' }],
      });
      names.push(first.sources[0]?.name ?? '');
      expect(new Set(read()).size).toBe(31);
      storage.asked.length = 0;
      storage.put('media/images/0/new.jpg', `${CANARY} new`);
      storage.objects.delete('media/images/1/1.jpg');
      const second = await copyTree();
      expect(second.status).toBe('ok');
      names.push(second.sources[0]?.name ?? '');
      expect([...new Set(read())]).toEqual(['GET media/images/0/new.jpg']);
      const { facts } = await needManifest(estate.machine.host, vault, backup(1), plan.destinations[0], task);
      expect(facts).toMatchObject({ kind: 'tree', path: 'media:media', files: 31 });
      // Nobody sees the mount, and nothing of it is left.
      expect(await readFile('/proc/mounts', 'utf8')).not.toContain('media:media');
      const words = [CANARY, PASSWORD, ...storage.secrets];
      expect(await canaryFiles(words, [estate.spool, estate.pathOf('disk'), estate.pathOf('disk-trees')])).toEqual([]);
      expect(keysBelow('copies/').filter((key) => storage.objects.get(key)?.bytes.includes(CANARY))).toEqual([]);
    });

    test('it is verified, and comes back whole or in part, from either', async () => {
      const { host } = estate.machine;
      const [disk, bucket] = [plan.destinations[0], plan.destinations[1] ?? plan.destinations[0]];
      const request = { ...plan, backup: backup(0), depth: { kind: 'full' } } as const;
      expect((await verifyTree(host, request, task)).copies.map(({ status }) => status)).toEqual(['proven', 'proven']);
      const target = join(estate.folder, 'media-again');
      await restoreTree(host, { ...plan, backup: backup(0), from: bucket, target }, task);
      expect(await filesBelow(target)).toHaveLength(31);
      expect(await readFile(join(target, 'images/1/1.jpg'), 'utf8')).toBe(`${CANARY} 1 `.repeat(4000));
      await rm(target, { recursive: true });
      await restoreTree(host, { ...plan, backup: backup(1), from: disk, target, only: ['images/0'] }, task);
      expect(await filesBelow(target)).toContain('images/0/new.jpg');
      expect(await filesBelow(target)).toHaveLength(11);
    });

    test('another bucket, an empty one and one that is not there are errors; no destination hears of them', async () => {
      const before = [...storage.objects.keys()].length;
      const disk = await filesBelow(join(estate.folder, 'places'));
      const said = async (change: Partial<TreePlan['tree']>) =>
        (await copyTree({ tree: { ...plan.tree, ...change } })).sources[0]?.sentence;
      expect(await said({ marker: '.other' })).toBe('media:media/.other is not there: it is not what is meant');
      expect(await said({ remote: 'media:empty' })).toBe('media:empty is empty, or not there');
      expect(await said({ remote: 'media:nowhere' })).toMatch(
        /^media:nowhere cannot be read: .*(not found|NoSuchBucket)/,
      );
      expect([...storage.objects.keys()].length).toBe(before);
      expect(await filesBelow(join(estate.folder, 'places'))).toEqual(disk);
    });

    test('a folder of it that cannot be read makes the copy fail, and never a smaller one', async () => {
      storage.closed.add('images/2/');
      const report = await copyTree({ destinations: [{ ...estate.local('disk'), attempts: 1 }], quorum: 1 });
      storage.closed.clear();
      expect(report).toMatchObject({
        status: 'failed',
        destinations: [{ failure: expect.stringContaining('files could not be read') }],
      });
    });

    test('old versions go by rule, as shown', async () => {
      const { host } = estate.machine;
      const [first, second] = plan.destinations;
      const written = {
        ...plan,
        password: 'credential:TREE',
        home: plan.home,
        destinations: [first, second],
        keep: { last: 1 },
        vault: undefined,
      };
      const { vault: _, ...json } = written;
      const parsed = parseDescribedTree(JSON.parse(JSON.stringify(json)), keepers, 'bruno');
      const described = { ...parsed, plan: { ...parsed.plan, password: PASSWORD } };
      const { hash, places } = await planTreeRetention(host, described, task);
      expect(places.map(({ destination, forgotten }) => [destination, forgotten.map(({ name }) => name)])).toEqual([
        ['disk', [names[0]]],
        ['s3', [names[0]]],
      ]);
      await applyTreeRetention(host, described, hash, task);
      const request = { ...plan, backup: backup(1), depth: { kind: 'full' } } as const;
      expect((await verifyTree(host, request, task)).good).toBe(true);
      await expect(needManifest(host, keepers, backup(0), first, task)).rejects.toMatchObject({
        code: 'backup_missing',
      });
    });
  });
});
