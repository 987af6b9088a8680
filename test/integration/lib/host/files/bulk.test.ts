import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, open, readFile as read, readdir, stat, truncate, writeFile as put } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { until } from '../../../../../lab/hosts/waiting';
import { downloadStream } from '../../../../../lib/host/files/download';
import { uploadStream } from '../../../../../lib/host/files/upload';
import { writeFile } from '../../../../../lib/host/files/write';
import { eachInItsFolder, newTask } from './bench';
import { failureOf } from '../../../../shared/failure';

const run = promisify(execFile);
const MiB = 1024 * 1024;

/** So many bytes, made as they are read. */
function bytesOf(size: number): Readable {
  const piece = randomBytes(64 * 1024);
  let left = size;
  return new Readable({
    read() {
      if (left === 0) {
        this.push(null);
        return;
      }
      const next = piece.subarray(0, Math.min(left, piece.length));
      left -= next.length;
      this.push(next);
    },
  });
}

const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });

/** How far the memory of this process grows while something runs. */
async function growthDuring(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().rss;
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 20);
  await work().finally(() => {
    clearInterval(timer);
  });
  return (most - before) / MiB;
}

describe('large files', () => {
  const base = eachInItsFolder();

  it('go up and come down, 256 MiB each, with memory growing less than 100 MiB and progress to the end', async () => {
    const path = join(base.folder, 'large');
    const size = 256 * MiB;
    const up = newTask();
    let uploaded = '';
    const growthUp = await growthDuring(async () => {
      uploaded = (await uploadStream(base.host, path, bytesOf(size), { size }, up)).sha256;
    });
    expect(up.reports.at(-1)).toEqual({ message: 'Sent 256.0 MiB of 256.0 MiB', fraction: 1 });
    expect((await stat(path)).size).toBe(size);

    const down = newTask();
    let downloaded = '';
    const growthDown = await growthDuring(async () => {
      const { stream, sha256 } = await downloadStream(base.host, path, {}, down);
      await pipeline(stream, nowhere());
      downloaded = await sha256;
    });
    expect(downloaded).toBe(uploaded);
    expect(down.reports.at(-1)).toEqual({ message: 'Received 256.0 MiB of 256.0 MiB', fraction: 1 });
    // Of 256 MiB; what the collector leaves lying about for a while is in it.
    expect(growthUp).toBeLessThan(100);
    expect(growthDown).toBeLessThan(100);
  }, 180_000);

  it('wait on the host while nobody reads them', async () => {
    const path = join(base.folder, 'waiting');
    await run('truncate', ['-s', '256M', path]);
    const task = newTask();
    const { stream } = await downloadStream(base.host, path, { stallMs: 200 }, task);
    await new Promise((resolve) => stream.once('readable', resolve));
    // Twice the stall limit: a reader that takes its time is no stall.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const fraction = task.reports.at(-1)?.fraction ?? 0;
    expect(fraction).toBeLessThan(0.1);
    stream.destroy();
    await new Promise((resolve) => stream.once('close', resolve));
  });

  it('are refused when they are not as long as announced', async () => {
    const path = join(base.folder, 'wrong');
    for (const size of [999, 1001]) {
      const failure = await failureOf(uploadStream(base.host, path, bytesOf(1000), { size }, newTask()));
      expect(failure.code).toBe('file_source_broken');
    }
    expect(await readdir(base.folder)).toEqual([]);
    expect(await uploadStream(base.host, path, bytesOf(1000), { size: 1000 }, newTask())).toMatchObject({
      changed: true,
    });
  });

  it('leave nothing behind when Stop is pressed in the middle of an upload', async () => {
    const stop = new AbortController();
    const source = endless();
    const upload = uploadStream(base.host, join(base.folder, 'stopped'), source, {}, newTask(stop.signal));
    await until('a draft grows', 10_000, async () => ((await sizes(base.folder)) > 100_000 ? true : undefined));
    stop.abort();
    expect((await failureOf(upload)).code).toBe('cancelled');
    expect(source.destroyed).toBe(true);
    expect(await readdir(base.folder)).toEqual([]);
  });

  it('leave nothing behind when the connection is cut in the middle of an upload', async () => {
    const path = join(base.folder, 'cut');
    await put(path, 'old');
    const upload = uploadStream(base.host, path, endless(), {}, newTask());
    const failure = failureOf(upload);
    await until('a draft grows', 10_000, async () => ((await sizes(base.folder)) > 100_000 ? true : undefined));
    await base.lab.dropConnections();
    expect((await failure).code).toBe('connection_lost');
    expect(await read(path, 'utf8')).toBe('old');
    // The host notices on its own; if it cannot, the next writer cleans up.
    await writeFile(base.host, path, 'new', {}, newTask());
    await until('the draft is gone', 10_000, async () =>
      (await readdir(base.folder)).length === 1 ? true : undefined,
    );
    expect(await read(path, 'utf8')).toBe('new');
  });

  it('end a download as a failure when the connection is cut', async () => {
    const path = join(base.folder, 'down');
    await run('truncate', ['-s', '64M', path]);
    const { stream, sha256 } = await downloadStream(base.host, path, {}, newTask());
    await new Promise((resolve) => stream.once('readable', resolve));
    const ended = failureOf(pipeline(stream, nowhere()));
    await base.lab.dropConnections();
    expect((await ended).code).toBe('connection_lost');
    expect((await failureOf(sha256)).code).toBe('connection_lost');
  });

  it('end a download on Stop, with nothing left running on the host', async () => {
    const path = join(base.folder, `stop-${randomBytes(6).toString('hex')}`);
    await run('truncate', ['-s', '256M', path]);
    const stop = new AbortController();
    const { stream } = await downloadStream(base.host, path, {}, newTask(stop.signal));
    const ended = pipeline(stream, new Writable({ write: () => stop.abort() }));
    expect((await failureOf(ended)).code).toBe('cancelled');
    const { stdout } = await run('ps', ['-eo', 'args']);
    expect(stdout.includes(path)).toBe(false);
  });

  it('are a failure when they change or shrink while they come', async () => {
    const change = async (name: string, act: (path: string) => Promise<unknown>) => {
      const path = join(base.folder, name);
      await run('truncate', ['-s', '64M', path]);
      const { stream, sha256 } = await downloadStream(base.host, path, {}, newTask());
      await new Promise((resolve) => stream.once('readable', resolve));
      await act(path);
      const failure = await failureOf(pipeline(stream, nowhere()));
      expect((await failureOf(sha256)).code).toBe('file_changed');
      return failure.code;
    };
    expect(await change('grown', (path) => appendFile(path, 'x'))).toBe('file_changed');
    expect(await change('shrunk', (path) => truncate(path, 1000))).toBe('file_changed');
    expect(
      await change('rewritten', async (path) => {
        const file = await open(path, 'r+');
        await file.write('x', 0);
        await file.close();
      }),
    ).toBe('file_changed');
  });

  it('tell an empty file, a missing one and a directory apart', async () => {
    await put(join(base.folder, 'empty'), '');
    const { stream, sha256, size } = await downloadStream(base.host, join(base.folder, 'empty'), {}, newTask());
    await pipeline(stream, nowhere());
    expect([size, await sha256]).toEqual([0, createHash('sha256').digest('hex')]);
    expect((await failureOf(downloadStream(base.host, join(base.folder, 'none'), {}, newTask()))).code).toBe(
      'file_missing',
    );
    expect((await failureOf(downloadStream(base.host, base.folder, {}, newTask()))).code).toBe('file_is_directory');
  });

  it('that do not fit on the disk leave the old file and no draft', async () => {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', base.folder]);
    try {
      const path = join(base.folder, 'file');
      await put(path, 'old');
      const source = bytesOf(8 * MiB);
      const failure = await failureOf(uploadStream(base.host, path, source, { size: 8 * MiB }, newTask()));
      expect(failure.code).toBe('file_disk_full');
      expect(failure.nextStep).toContain('Free space');
      expect(source.destroyed).toBe(true);
      expect([await readdir(base.folder), await read(path, 'utf8')]).toEqual([['file'], 'old']);
    } finally {
      await run('umount', [base.folder]);
    }
  });
});

/** Never ends, and never gives more than is taken. */
function endless(): Readable {
  const piece = Buffer.alloc(64 * 1024);
  return new Readable({
    read() {
      this.push(piece);
    },
  });
}

async function sizes(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(folder)) {
    if (name.startsWith('.selfhost-'))
      sum += await stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      );
  }
  return sum;
}
