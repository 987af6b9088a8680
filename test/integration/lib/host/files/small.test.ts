import {
  chmod,
  lstat,
  mkdir,
  readFile as read,
  readdir,
  stat,
  symlink,
  truncate,
  writeFile as put,
} from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { appendLine } from '../../../../../lib/host/files/append';
import { deleteFile } from '../../../../../lib/host/files/delete';
import { ensureFile } from '../../../../../lib/host/files/ensure';
import { listDirectory } from '../../../../../lib/host/files/list';
import { readFile } from '../../../../../lib/host/files/read';
import { statFile } from '../../../../../lib/host/files/stat';
import { hostileNames, eachInItsFolder, newTask } from './bench';
import { failureOf } from '../../../../shared/failure';

const run = promisify(execFile);

async function modifiedAtOf(path: string): Promise<string> {
  const { mtimeNs } = await stat(path, { bigint: true });
  return new Date(Number(mtimeNs / 1_000_000n)).toISOString();
}

describe('small operations on files, as root', () => {
  const base = eachInItsFolder();

  describe('reading', () => {
    it('gives content and facts, also of bytes that are no text', async () => {
      const content = Buffer.from([0, 255, 254, 10, 0, 13, 10]);
      await put(join(base.folder, 'raw'), content, { mode: 0o600 });
      const { modifiedAt, ...rest } = await readFile(base.host, join(base.folder, 'raw'), {}, newTask());
      expect(rest).toEqual({ content, size: 7, mode: '0600', owner: 'root', group: 'root' });
      expect(modifiedAt).toBe(await modifiedAtOf(join(base.folder, 'raw')));
    });

    it('tells empty, missing, a directory, a device and too large apart', async () => {
      await put(join(base.folder, 'empty'), '');
      await put(join(base.folder, 'large'), Buffer.alloc(1001));
      await put(join(base.folder, 'fits'), Buffer.alloc(1000));
      const codeOf = async (path: string) =>
        (await failureOf(readFile(base.host, path, { maxBytes: 1000 }, newTask()))).code;
      expect((await readFile(base.host, join(base.folder, 'empty'), {}, newTask())).content.length).toBe(0);
      expect((await readFile(base.host, join(base.folder, 'fits'), { maxBytes: 1000 }, newTask())).size).toBe(1000);
      expect(await codeOf(join(base.folder, 'none'))).toBe('file_missing');
      expect(await codeOf(base.folder)).toBe('file_is_directory');
      expect(await codeOf('/dev/zero')).toBe('file_not_regular');
      expect(await codeOf(join(base.folder, 'large'))).toBe('file_too_large');
    });

    it('reads what the kernel makes up', async () => {
      const { content } = await readFile(base.host, '/proc/self/mountinfo', {}, newTask());
      expect(content.length).toBeGreaterThan(0);
    });

    it('says which file on which host, and what to do', async () => {
      const failure = await failureOf(readFile(base.host, '/none/at all', {}, newTask()));
      expect(failure.message).toBe(
        `"/none/at all" on host lab (127.0.0.1:${base.lab.port}) could not be read: it does not exist`,
      );
      expect(failure.nextStep).toBe('Check the path and the host.');
    });
  });

  describe('looking', () => {
    it('tells what is there and what is not', async () => {
      await put(join(base.folder, 'file'), 'abc', { mode: 0o640 });
      await symlink('file', join(base.folder, 'link'));
      const plain = await statFile(base.host, join(base.folder, 'file'), {}, newTask());
      expect(plain).toEqual({
        exists: true,
        type: 'file',
        size: 3,
        mode: '0640',
        owner: 'root',
        group: 'root',
        modifiedAt: await modifiedAtOf(join(base.folder, 'file')),
      });
      expect(await statFile(base.host, join(base.folder, 'link'), {}, newTask())).toMatchObject({
        type: 'link',
        linkTarget: 'file',
      });
      expect(await statFile(base.host, join(base.folder, 'link'), { followLinks: true }, newTask())).toEqual(plain);
      expect(await statFile(base.host, join(base.folder, 'none'), {}, newTask())).toEqual({ exists: false });
      expect(await statFile(base.host, '~/', {}, newTask())).toMatchObject({ exists: true, type: 'directory' });
    });
  });

  describe('listing', () => {
    it('shows names of every kind as they are', async () => {
      for (const name of hostileNames) await put(join(base.folder, name), name);
      await run('bash', ['-c', 'printf x > "$1"/$\'\\xff\\xfe\'', 'x', base.folder]);
      const { entries, complete } = await listDirectory(base.host, base.folder, {}, newTask());
      expect(complete).toBe(true);
      expect(entries.filter(({ nameBase64 }) => nameBase64 === undefined).map(({ name }) => name)).toEqual(
        [...hostileNames].sort(),
      );
      expect(entries.filter(({ nameBase64 }) => nameBase64 !== undefined)).toMatchObject([
        { name: '\uFFFD\uFFFD', nameBase64: '//4=', size: 1 },
      ]);
    });

    it('goes as deep and as far as asked, and says what is missing', async () => {
      await mkdir(join(base.folder, 'a', 'b', 'c'), { recursive: true });
      await put(join(base.folder, 'a', 'b', 'file'), '');
      await symlink('nowhere', join(base.folder, 'link'));
      const namesTo = async (depth: number, limit?: number) => {
        const { entries, complete, cut } = await listDirectory(base.host, base.folder, { depth, limit }, newTask());
        return { names: entries.map(({ name }) => name), complete, ...cut };
      };
      const whole = { complete: true, byLimit: false, byDepth: 0, forbidden: 0, errors: 0 };
      expect(await namesTo(1)).toEqual({ ...whole, names: ['a', 'link'] });
      expect(await namesTo(2)).toEqual({ ...whole, names: ['a', 'a/b', 'link'], complete: false, byDepth: 1 });
      expect(await namesTo(9)).toEqual({ ...whole, names: ['a', 'a/b', 'a/b/c', 'a/b/file', 'link'] });
      expect(await namesTo(9, 5)).toEqual({ ...whole, names: ['a', 'a/b', 'a/b/c', 'a/b/file', 'link'] });
      const cut = await namesTo(9, 4);
      expect(cut).toMatchObject({ complete: false, byLimit: true });
      expect(cut.names).toHaveLength(4);
    });

    it('tells an empty directory from a missing one and from a file', async () => {
      await put(join(base.folder, 'file'), '');
      expect((await failureOf(listDirectory(base.host, join(base.folder, 'file'), {}, newTask()))).code).toBe(
        'file_not_directory',
      );
      expect((await failureOf(listDirectory(base.host, join(base.folder, 'none'), {}, newTask()))).code).toBe(
        'file_missing',
      );
      await mkdir(join(base.folder, 'empty'));
      expect((await listDirectory(base.host, join(base.folder, 'empty'), {}, newTask())).entries).toEqual([]);
    });
  });

  describe('appending', () => {
    const append = (path: string, line: string, options = {}) => appendLine(base.host, path, line, options, newTask());

    it('ends the last line first and makes a missing file', async () => {
      const path = join(base.folder, 'lines');
      expect(await append(path, 'one')).toEqual({ changed: true, path, created: true, sizeBefore: 0, sizeAfter: 4 });
      await truncate(path, 3);
      expect(await append(path, '$(two) \'" \\n')).toEqual({
        changed: true,
        path,
        created: false,
        sizeBefore: 3,
        sizeAfter: 17,
      });
      expect(await read(path, 'utf8')).toBe('one\n$(two) \'" \\n\n');
    });

    it('adds a line only where it is absent as a whole line', async () => {
      const path = join(base.folder, 'once');
      await put(path, 'host example.org\n-v\n');
      const only = { onlyIfAbsent: true };
      expect((await append(path, 'example.org', only)).changed).toBe(true);
      expect((await append(path, 'host.example.org', only)).changed).toBe(true);
      expect(await append(path, '-v', only)).toMatchObject({ changed: false, sizeBefore: 49, sizeAfter: 49 });
      expect((await append(path, '-v', { ...only, dryRun: true })).changed).toBe(false);
      expect(await append(path, 'new', { dryRun: true })).toMatchObject({ changed: true, sizeAfter: 53 });
      expect(await read(path, 'utf8')).toBe('host example.org\n-v\nexample.org\nhost.example.org\n');
    });

    it('refuses what is not one line', async () => {
      expect((await failureOf(append(join(base.folder, 'x'), 'a\nb'))).code).toBe('file_line_unusable');
    });

    it('loses nothing when many append at once', async () => {
      const path = join(base.folder, 'many');
      const lines = Array.from({ length: 16 }, (_, index) => `line ${index}`);
      await Promise.all([...lines, ...lines].map((line) => append(path, line, { onlyIfAbsent: true })));
      expect((await read(path, 'utf8')).trimEnd().split('\n').sort()).toEqual([...lines].sort());
    });
  });

  describe('putting in order', () => {
    it('makes a file or a directory once, and answers a dry run the same', async () => {
      for (const kind of ['file', 'directory'] as const) {
        const path = join(base.folder, 'made', kind);
        const options = { kind, mode: '2750', owner: 'daemon', group: 'games', createParents: true };
        const dry = await ensureFile(base.host, path, { ...options, dryRun: true }, newTask());
        expect(dry).toEqual({ changed: true, path, after: { mode: '2750', owner: 'daemon', group: 'games' } });
        expect(await ensureFile(base.host, path, options, newTask())).toEqual(dry);
        expect(await ensureFile(base.host, path, options, newTask())).toEqual({
          ...dry,
          changed: false,
          before: dry.after,
        });
      }
    });

    it('changes mode and owner in place', async () => {
      const path = join(base.folder, 'file');
      await put(path, 'content', { mode: 0o644 });
      const result = await ensureFile(base.host, path, { kind: 'file', mode: '0600' }, newTask());
      expect(result).toEqual({
        changed: true,
        path,
        before: { mode: '0644', owner: 'root', group: 'root' },
        after: { mode: '0600', owner: 'root', group: 'root' },
      });
      expect(await read(path, 'utf8')).toBe('content');
    });

    it('refuses to turn one kind into the other', async () => {
      await put(join(base.folder, 'file'), '');
      const codeOf = async (path: string, kind: 'file' | 'directory') =>
        (await failureOf(ensureFile(base.host, path, { kind }, newTask()))).code;
      expect(await codeOf(join(base.folder, 'file'), 'directory')).toBe('file_not_directory');
      expect(await codeOf(base.folder, 'file')).toBe('file_is_directory');
    });
  });

  describe('deleting', () => {
    const remove = (path: string, options = {}) => deleteFile(base.host, path, options, newTask());

    it.each(hostileNames.map((name) => [JSON.stringify(name).slice(0, 40), name]))(
      'deletes %s and nothing else',
      async (_, name) => {
        await put(join(base.folder, name), '');
        await put(join(base.folder, 'stays'), '');
        expect((await remove(join(base.folder, name), { dryRun: true })).changed).toBe(true);
        expect((await remove(join(base.folder, name))).changed).toBe(true);
        expect((await remove(join(base.folder, name))).changed).toBe(false);
        expect(await readdir(base.folder)).toEqual(['stays']);
      },
    );

    it('deletes a link and not what it points to', async () => {
      await mkdir(join(base.folder, 'real'));
      await put(join(base.folder, 'real', 'file'), 'stays');
      await symlink('real', join(base.folder, 'link'));
      expect(await remove(join(base.folder, 'link'))).toMatchObject({
        changed: true,
        before: { type: 'link' },
        entries: 1,
      });
      expect(await read(join(base.folder, 'real', 'file'), 'utf8')).toBe('stays');
    });

    it('deletes a directory only when told so', async () => {
      await mkdir(join(base.folder, 'tree', 'a b'), { recursive: true });
      await put(join(base.folder, 'tree', 'a b', 'c'), '');
      expect((await failureOf(remove(join(base.folder, 'tree')))).code).toBe('file_is_directory');
      expect(await remove(`${base.folder}/tree/`, { recursive: true, dryRun: true })).toMatchObject({
        changed: true,
        entries: 3,
      });
      expect(await remove(`${base.folder}/tree/`, { recursive: true })).toMatchObject({ changed: true, entries: 3 });
      expect(await readdir(base.folder)).toEqual([]);
      expect(await remove(join(base.folder, 'none', 'deeper'))).toMatchObject({ changed: false, entries: 0 });
    });

    it('refuses what the system and its people live on, however it is written', async () => {
      await symlink('/', join(base.folder, 'root'));
      // Only asked for as a dry run: a mistake here must not cost the machine.
      const paths = [
        '/',
        '/etc',
        '/usr',
        '/home',
        '/var',
        '/root',
        '/proc',
        '/tmp',
        '/var/lib',
        '/etc/ssh',
        '/usr/bin',
      ];
      for (const path of [...paths, '//etc//', '/tmp/../etc', '/usr/..', '/etc/.', `${base.folder}/root/etc`, '~']) {
        const failure = await failureOf(remove(path, { recursive: true, dryRun: true }));
        expect([path, failure.code]).toEqual([path, 'file_protected']);
      }
    });

    it('refuses a mount point and what contains one', async () => {
      const mounted = join(base.folder, 'a b', 'mount\\ed');
      await mkdir(mounted, { recursive: true });
      await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mounted]);
      try {
        await put(join(mounted, 'precious'), '');
        for (const path of [mounted, join(base.folder, 'a b')]) {
          expect((await failureOf(remove(path, { recursive: true }))).code).toBe('file_protected');
        }
        expect(await readdir(mounted)).toEqual(['precious']);
      } finally {
        await run('umount', [mounted]);
      }
    });
  });

  it('tells of a disk that is read-only', async () => {
    await run('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', base.folder]);
    try {
      expect((await failureOf(appendLine(base.host, join(base.folder, 'x'), 'y', {}, newTask()))).code).toBe(
        'file_system_read_only',
      );
      expect(
        (await failureOf(ensureFile(base.host, join(base.folder, 'x'), { kind: 'directory' }, newTask()))).code,
      ).toBe('file_system_read_only');
    } finally {
      await run('umount', [base.folder]);
    }
    await chmod(base.folder, 0o755);
    expect((await lstat(base.folder)).isDirectory()).toBe(true);
  });
});
