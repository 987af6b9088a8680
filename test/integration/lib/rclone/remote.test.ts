import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { until } from '../../../../lab/hosts/waiting';
import { freePort } from '../../../../lab/ports';
import { cancelJob } from '../../../../lib/host/jobs/cancel';
import { aboutRemote, listRemote, testRemotes } from '../../../../lib/rclone/ask';
import { rcloneDaemon } from '../../../../lib/rclone/daemon';
import { awaitTransfer, readTransfer, startTransfer, type Transfer } from '../../../../lib/rclone/transfer';
import { describeAsRoot } from '../../lab/as-root';
import { startEstate, type Estate } from '../backup/estate';
import { taskOf } from '../host/machine';

const task = taskOf('remote test');

describeAsRoot('remotes, used from a host', () => {
  let estate: Estate;
  let source: string;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    estate = await startEstate({ database: false });
    source = join(estate.folder, 'source');
    await mkdir(source);
    for (const name of ['a', 'b', 'c']) await writeFile(join(source, name), name.repeat(1000));
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await estate.stop();
  });
  const transfer = async (wanted: Transfer) => {
    const { host } = estate.machine;
    const job = await startTransfer(host, estate.vault.rclone, wanted, {}, task);
    return await awaitTransfer(host, estate.vault.rclone, job, { timeoutMs: 55_000 }, task);
  };

  test('each is said to work, or why it does not, and no password is in what is said', async () => {
    const text = estate.vault.rclone.kind === 'text' ? estate.vault.rclone.text : '';
    const broken = `${text}\n[away]\ntype = webdav\nurl = http://127.0.0.1:1\nvendor = other\nuser = me\npass = ${estate.passwords[2]}\n`;
    const tested = await testRemotes(estate.machine.host, { kind: 'text', text: broken }, task);
    expect(tested.map(({ remote, type, works, sentence }) => [remote, type, works, sentence]).sort()).toEqual([
      ['away', 'webdav', false, expect.stringMatching(/^away fails: .*connection refused/)],
      ['dav', 'webdav', true, 'dav answers'],
      ['eva', 'sftp', true, 'eva answers'],
      ['vault', 'crypt', true, 'vault encrypts'],
    ]);
    expect(JSON.stringify(tested)).not.toContain(estate.passwords[2]);
  });

  test('a copy and a sync do what their dry run said, a sync deletes no more than it may, and a check finds what differs', async () => {
    const to = `eva:${estate.pathOf('synced')}`;
    const copied = await transfer({ kind: 'copy', from: source, to, dryRun: false });
    expect(copied).toMatchObject({ good: true, progress: { bytes: 3000, transfers: 3, errors: 0 } });
    await writeFile(join(estate.pathOf('synced'), 'b'), 'another');
    await writeFile(join(estate.pathOf('synced'), 'old1'), 'x');
    await writeFile(join(estate.pathOf('synced'), 'old2'), 'x');
    const before = await readdir(estate.pathOf('synced'));

    const checked = await transfer({ kind: 'check', from: source, to, download: false });
    expect(checked.good).toBe(false);
    expect([...checked.items].sort((one, other) => (one.path < other.path ? -1 : 1))).toEqual([
      { path: 'b', what: 'differs' },
      { path: 'old1', what: 'only at the destination' },
      { path: 'old2', what: 'only at the destination' },
    ]);
    const sync = { kind: 'sync', from: source, to, maxDelete: 1 } as const;
    const dry = await transfer({ ...sync, maxDelete: 10, dryRun: true });
    expect(dry.items.map(({ path, what }) => `${what} ${path}`).sort()).toEqual([
      'would copy b',
      'would delete old1',
      'would delete old2',
    ]);
    expect(await readdir(estate.pathOf('synced'))).toEqual(before);
    const refused = await transfer({ ...sync, dryRun: false });
    expect(refused.good).toBe(false);
    expect(refused.errors.join()).toContain('--max-delete threshold reached');
    const synced = await transfer({ ...sync, maxDelete: 10, dryRun: false });
    expect(synced.good).toBe(true);
    expect(await readdir(estate.pathOf('synced'))).toEqual(['a', 'b', 'c']);
    expect(
      await listRemote(estate.machine.host, estate.vault.rclone, { path: to, recursive: false, maxEntries: 10 }, task),
    ).toEqual(
      ['a', 'b', 'c'].map((name) => ({ path: name, name, folder: false, bytes: 1000, modifiedAt: expect.any(String) })),
    );
    expect(await aboutRemote(estate.machine.host, estate.vault.rclone, 'eva:', task)).toMatchObject({
      free: expect.any(Number),
    });
    await expect(
      listRemote(
        estate.machine.host,
        estate.vault.rclone,
        { path: `${to}/nowhere`, recursive: false, maxEntries: 10 },
        task,
      ),
    ).rejects.toMatchObject({ code: 'rclone_missing' });
  });

  test('a check of an encrypted copy finds the one that is not what was sent; twins and leftovers are cleaned where there can be any', async () => {
    const { rclone } = estate.vault;
    const place = estate.pathOf('closed');
    const own = rclone.kind === 'text' ? rclone.text.replace('/nonexistent', place) : '';
    const { host } = estate.machine;
    const closed = { kind: 'text', text: own } as const;
    const carried = async (wanted: Transfer) => {
      const job = await startTransfer(host, closed, wanted, {}, task);
      return await awaitTransfer(host, closed, job, { timeoutMs: 55_000 }, task);
    };
    await carried({ kind: 'copy', from: source, to: 'vault:', dryRun: false });
    const look = { kind: 'cryptCheck', from: source, to: 'vault:' } as const;
    expect(await carried(look)).toMatchObject({ good: true, items: [] });
    const b = (await run(['rclone', 'cryptdecode', '--config', estate.configFile, '--reverse', 'vault:', 'b']))
      .split('\t')[1]
      ?.trim();
    const file = await open(join(place, b ?? ''), 'r+');
    await file.write('x', 100);
    await file.close();
    expect(await carried(look)).toMatchObject({ good: false, items: [{ path: 'b', what: 'differs' }] });

    // Files of one name can only be where a remote allows it; anywhere else there is nothing to do, and nothing is done.
    const before = await readdir(place);
    const twins = await carried({ kind: 'dedupe', path: place, mode: 'newest', dryRun: false });
    expect(twins).toMatchObject({ good: true, errors: [] });
    expect(await readdir(place)).toEqual(before);
    const cleaned = await carried({ kind: 'cleanUp', path: 'eva:', dryRun: false });
    expect(cleaned.good).toBe(false);
    expect(cleaned.errors.join()).toMatch(/doesn't support cleanup/);
  });

  test('a delete takes what is old enough below a folder, and never a whole remote', async () => {
    const place = estate.pathOf('deleted');
    await mkdir(place);
    for (const name of ['new', 'old']) await writeFile(join(place, name), name);
    await run(['touch', '-d', '3 days ago', join(place, 'old')]);
    const wanted = { kind: 'delete', path: `eva:${place}`, minAge: '2d' } as const;
    expect((await transfer({ ...wanted, dryRun: true })).items).toEqual([{ path: 'old', what: 'would delete' }]);
    expect((await transfer({ ...wanted, dryRun: false })).good).toBe(true);
    expect(await readdir(place)).toEqual(['new']);
    for (const path of ['eva:', 'eva:/', '/'])
      await expect(
        startTransfer(estate.machine.host, estate.vault.rclone, { ...wanted, path, dryRun: false }, {}, task),
      ).rejects.toMatchObject({ code: 'rclone_request_unusable' });
  });

  test('one that is going tells how far it is, and is stopped with everything it started', async () => {
    await run(['dd', 'if=/dev/zero', `of=${join(source, 'big')}`, 'bs=1M', 'count=8', 'status=none']);
    const { host } = estate.machine;
    const { rclone } = estate.vault;
    const wanted: Transfer = {
      kind: 'copy',
      from: source,
      to: `eva:${estate.pathOf('slow')}`,
      bandwidth: '256K',
      dryRun: false,
    };
    const { id, run: name } = await startTransfer(host, rclone, wanted, {}, task);
    const state = await until('it tells how far it is', 30_000, async () => {
      const now = await readTransfer(host, rclone, { id, run: name }, task);
      return now.progress.bytes > 0 ? now : undefined;
    });
    expect(state.good).toBeUndefined();
    expect(state.sentence).toMatch(/^Rclone copy is running: \d+ of \d+ bytes/);
    expect(await cancelJob(host, id, { by: 'test', run: name }, task)).toMatchObject({ state: { kind: 'cancelled' } });
    const ended = await readTransfer(host, rclone, { id, run: name }, task);
    expect(ended).toMatchObject({ good: false, sentence: expect.stringContaining('did not go well') });
  });

  test('a daemon is asked over SSH: it copies, slows down, tells and stops', async () => {
    const port = await freePort();
    const rcd = ['rcd', '--rc-addr', `127.0.0.1:${port}`, '--config', estate.configFile];
    const environment = { ...process.env, RCLONE_RC_USER: 'n8n', RCLONE_RC_PASS: 'a word for the daemon' };
    children.push(spawn('rclone', rcd, { stdio: 'ignore', env: environment }));
    const access = { host: estate.machine.host, address: `127.0.0.1:${port}`, user: 'n8n' };
    const daemon = rcloneDaemon({ ...access, password: 'a word for the daemon' }, task);
    await until('the daemon answers', 20_000, () =>
      daemon.jobs(task).then(
        (): true => true,
        () => undefined,
      ),
    );
    await expect(rcloneDaemon({ ...access, password: 'wrong' }, task).limitBandwidth('1M', task)).rejects.toMatchObject(
      {
        message: expect.stringContaining('the rclone daemon'),
      },
    );
    expect(await daemon.limitBandwidth('256K', task)).toEqual({ rate: '256Ki', bytesPerSecond: 262_144 });
    const jobId = await daemon.start('copy', { from: source, to: `eva:${estate.pathOf('by-daemon')}` }, {}, task);
    await until('it has moved something', 30_000, async () =>
      (await daemon.stats(jobId, task)).bytes > 0 ? true : undefined,
    );
    expect(await daemon.job(jobId, task)).toMatchObject({ jobId, finished: false });
    expect(await daemon.jobs(task)).toContain(jobId);
    await daemon.stop(jobId, task);
    const stopped = await until('it has stopped', 20_000, async () => {
      const now = await daemon.job(jobId, task);
      return now.finished ? now : undefined;
    });
    expect(stopped).toMatchObject({ good: false, error: expect.stringContaining('context canceled') });
  });
});
