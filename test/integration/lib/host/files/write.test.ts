import { createHash } from 'node:crypto';
import {
  lchown,
  link,
  lstat,
  mkdir,
  readFile as read,
  readdir,
  readlink,
  stat,
  symlink,
  utimes,
  writeFile as put,
} from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { until } from '../../../../../lab/hosts/waiting';
import { readFile } from '../../../../../lib/host/files/read';
import { writeFile } from '../../../../../lib/host/files/write';
import { hostileNames, eachInItsFolder, newTask } from './bench';
import { failureOf } from '../../../../shared/failure';

const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

describe('writing a file as root', () => {
  const base = eachInItsFolder();

  it('makes a new file, and says what it is', async () => {
    const path = join(base.folder, 'new');
    expect(await writeFile(base.host, path, 'hello\n', {}, newTask())).toEqual({
      changed: true,
      path,
      sha256: sha256('hello\n'),
      after: { size: 6, sha256: sha256('hello\n'), mode: '0644', owner: 'root', group: 'root' },
    });
    expect(await read(path, 'utf8')).toBe('hello\n');
    expect(await readdir(base.folder)).toEqual(['new']);
  });

  it('writes and reads an empty file', async () => {
    const path = join(base.folder, 'empty');
    const result = await writeFile(base.host, path, '', {}, newTask());
    expect(result.after.size).toBe(0);
    expect((await readFile(base.host, path, {}, newTask())).content).toEqual(Buffer.alloc(0));
  });

  it('leaves a file alone that is as wanted already', async () => {
    const path = join(base.folder, 'same');
    await writeFile(base.host, path, 'same', { mode: '0640' }, newTask());
    const inode = (await stat(path)).ino;
    for (const content of ['same', Buffer.from('same'), Readable.from([Buffer.from('sa'), Buffer.from('me')])]) {
      const again = await writeFile(base.host, path, content, { mode: '0640', owner: 'root', group: '0' }, newTask());
      expect(again).toMatchObject({
        changed: false,
        before: { mode: '0640', size: 4 },
        after: { mode: '0640', size: 4 },
      });
    }
    expect((await stat(path)).ino).toBe(inode);
    expect(await readdir(base.folder)).toEqual(['same']);
  });

  it('keeps mode and owner of what it replaces, and changes them when asked to', async () => {
    const path = join(base.folder, 'kept');
    await writeFile(base.host, path, 'one', { mode: '4750', owner: 'daemon', group: 'games' }, newTask());
    const second = await writeFile(base.host, path, 'two', {}, newTask());
    expect(second).toEqual({
      changed: true,
      path,
      sha256: sha256('two'),
      before: { size: 3, sha256: sha256('one'), mode: '4750', owner: 'daemon', group: 'games' },
      after: { size: 3, sha256: sha256('two'), mode: '4750', owner: 'daemon', group: 'games' },
    });
    const third = await writeFile(base.host, path, 'two', { owner: '54321' }, newTask());
    expect(third.after).toMatchObject({ owner: '54321', group: 'games', mode: '4750' });
    const facts = await stat(path);
    expect([facts.uid, facts.mode & 0o7777]).toEqual([54321, 0o4750]);
  });

  it('answers a dry run as the run itself, and writes nothing', async () => {
    const path = join(base.folder, 'sub', 'dry');
    const options = { mode: '0600', owner: 'daemon', createParents: true };
    const content = () => Readable.from([Buffer.from('dry')]);
    const dry = await writeFile(base.host, path, content(), { ...options, dryRun: true }, newTask());
    expect(await readdir(base.folder)).toEqual([]);
    const real = await writeFile(base.host, path, content(), options, newTask());
    expect(dry).toEqual(real);
    const dryAgain = await writeFile(base.host, path, 'other', { dryRun: true }, newTask());
    expect(await read(path, 'utf8')).toBe('dry');
    expect(dryAgain).toEqual(await writeFile(base.host, path, 'other', {}, newTask()));
  });

  it('keeps the former file as a backup', async () => {
    const path = join(base.folder, 'config');
    await writeFile(base.host, path, 'old', {}, newTask());
    const { backup = '' } = await writeFile(base.host, path, 'new', { backup: true }, newTask());
    expect(backup).toMatch(/config\.before-\d{8}T\d{6}Z$/);
    expect([await read(backup, 'utf8'), await read(path, 'utf8')]).toEqual(['old', 'new']);
  });

  it('keeps a link and replaces what it leads to', async () => {
    await mkdir(join(base.folder, 'real'));
    await put(join(base.folder, 'real', 'file'), 'old');
    await symlink('real/file', join(base.folder, 'second'));
    await symlink(join(base.folder, 'second'), join(base.folder, 'first'));
    const result = await writeFile(base.host, join(base.folder, 'first'), 'new', {}, newTask());
    expect(result.path).toBe(join(base.folder, 'real', 'file'));
    expect(await readlink(join(base.folder, 'first'))).toBe(join(base.folder, 'second'));
    expect(await read(join(base.folder, 'real', 'file'), 'utf8')).toBe('new');
  });

  it('refuses a link that a stranger made, and links in a circle', async () => {
    await put(join(base.folder, 'secret'), 'old');
    await symlink(join(base.folder, 'secret'), join(base.folder, 'planted'));
    await lchown(join(base.folder, 'planted'), 1, 1);
    expect((await failureOf(writeFile(base.host, join(base.folder, 'planted'), 'new', {}, newTask()))).code).toBe(
      'file_link_refused',
    );
    expect(await read(join(base.folder, 'secret'), 'utf8')).toBe('old');
    await symlink('circle', join(base.folder, 'circle'));
    expect((await failureOf(writeFile(base.host, join(base.folder, 'circle'), 'x', {}, newTask()))).code).toBe(
      'file_link_loop',
    );
  });

  it('writes only over what was expected', async () => {
    const path = join(base.folder, 'guarded');
    const attempt = (content: string, ifUnchanged: string) =>
      writeFile(base.host, path, content, { ifUnchanged }, newTask());
    expect((await failureOf(attempt('x', sha256('old')))).code).toBe('file_changed');
    await attempt('old', 'missing');
    expect((await failureOf(attempt('x', 'missing'))).code).toBe('file_changed');
    expect((await failureOf(attempt('x', sha256('other')))).code).toBe('file_changed');
    await attempt('new', sha256('old'));
    expect(await read(path, 'utf8')).toBe('new');
    expect(await readdir(base.folder)).toEqual(['guarded']);
  });

  it.each(hostileNames.map((name) => [JSON.stringify(name).slice(0, 40), name]))(
    'writes and reads %s',
    async (_, name) => {
      const path = join(base.folder, name);
      await writeFile(base.host, path, 'one', {}, newTask());
      await writeFile(base.host, path, Readable.from([Buffer.from(name)]), { mode: '0600' }, newTask());
      expect((await readFile(base.host, path, {}, newTask())).content.toString()).toBe(name);
      expect(await readdir(base.folder)).toEqual([name]);
    },
  );

  it('tells apart what stands in the way', async () => {
    await mkdir(join(base.folder, 'directory'));
    const codeAt = async (path: string, options = {}) =>
      (await failureOf(writeFile(base.host, path, 'x', options, newTask()))).code;
    expect(await codeAt(join(base.folder, 'directory'))).toBe('file_is_directory');
    expect(await codeAt(join(base.folder, 'none', 'file'))).toBe('file_parent_missing');
    expect(await codeAt('/dev/null')).toBe('file_not_regular');
    expect(await codeAt(join(base.folder, 'm'.repeat(256)))).toBe('file_name_too_long');
    expect(await codeAt(join(base.folder, 'x'), { owner: 'nobody-like-that' })).toBe('file_owner_unknown');
    expect(await codeAt(join(base.folder, 'x'), { group: '-x' })).toBe('file_owner_unknown');
    expect(await codeAt(join(base.folder, 'x'), { mode: 'rw' })).toBe('file_mode_unusable');
    expect(await codeAt('relative')).toBe('file_path_unusable');
    expect(await codeAt(`${base.folder}/..`)).toBe('file_path_unusable');
    expect(await readdir(base.folder)).toEqual(['directory']);
  });

  it('changes nothing when the source breaks, is too long or too short', async () => {
    const path = join(base.folder, 'broken');
    await put(path, 'old');
    async function* breaking() {
      yield Buffer.alloc(100_000);
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('the disk of the source died');
    }
    const failure = await failureOf(writeFile(base.host, path, Readable.from(breaking()), {}, newTask()));
    expect(failure.code).toBe('file_source_broken');
    expect(failure.message).toContain('the disk of the source died');
    expect(await read(path, 'utf8')).toBe('old');
    expect(await readdir(base.folder)).toEqual(['broken']);
  });

  it('hears Stop while a dry run reads its source', async () => {
    const stop = new AbortController();
    const silent = new Readable({ read: () => stop.abort() });
    const work = writeFile(base.host, join(base.folder, 'x'), silent, { dryRun: true }, newTask(stop.signal));
    expect((await failureOf(work)).code).toBe('cancelled');
    expect(silent.destroyed).toBe(true);
  });

  it('gives up when nothing moves any more', async () => {
    const path = join(base.folder, 'stalled');
    const silent = new Readable({ read: () => undefined });
    const failure = await failureOf(writeFile(base.host, path, silent, { stallMs: 300 }, newTask()));
    expect(failure.code).toBe('file_transfer_stalled');
    expect(silent.destroyed).toBe(true);
    expect(await readdir(base.folder)).toEqual([]);
  });

  it('removes the drafts of writers that are gone, and only those', async () => {
    const path = join(base.folder, 'file');
    const prefix = `.selfhost-${sha256('file').slice(0, 16)}.`;
    await put(join(base.folder, `${prefix}leftover`), 'half');
    await put(join(base.folder, '.selfhost-0123456789abcdef.other'), 'of another file');
    const held = new Readable({ read: () => undefined });
    held.push(Buffer.alloc(1000));
    const stop = new AbortController();
    const other = writeFile(base.host, path, held, {}, newTask(stop.signal));
    const drafts = async () => (await readdir(base.folder)).filter((name) => name.startsWith(prefix));
    const [draft = ''] = await until('the first writer has its draft and the leftover is gone', 10_000, async () => {
      const names = await drafts();
      return names.length === 1 && !names[0]?.endsWith('leftover') ? names : undefined;
    });
    expect((await lstat(join(base.folder, draft))).mode & 0o777).toBe(0o600);
    await utimes(join(base.folder, draft), 1, 1);
    await writeFile(base.host, path, 'second', {}, newTask());
    expect(await drafts()).toEqual([draft]);
    stop.abort();
    expect((await failureOf(other)).code).toBe('cancelled');
    expect((await readdir(base.folder)).sort()).toEqual(['.selfhost-0123456789abcdef.other', 'file']);
  });

  it('leaves other names of the old file with the old content', async () => {
    await put(join(base.folder, 'one'), 'old');
    await link(join(base.folder, 'one'), join(base.folder, 'two'));
    await writeFile(base.host, join(base.folder, 'one'), 'new', {}, newTask());
    expect(await read(join(base.folder, 'two'), 'utf8')).toBe('old');
  });

  it('shows readers the old or the new content, never a part, while twelve writers write', async () => {
    const path = join(base.folder, 'busy');
    const contents = Array.from({ length: 12 }, (_, index) => String(index % 10).repeat(200_000 + index));
    await put(path, contents[0] ?? '');
    const state = { writing: true };
    const seen: string[] = [];
    const reader = (async () => {
      while (state.writing) seen.push(await read(path, 'utf8'));
    })();
    await Promise.all(contents.map((content) => writeFile(base.host, path, content, {}, newTask())));
    state.writing = false;
    await reader;
    expect(seen.filter((content) => !contents.includes(content))).toEqual([]);
    expect(await readdir(base.folder)).toEqual(['busy']);
  });
});
