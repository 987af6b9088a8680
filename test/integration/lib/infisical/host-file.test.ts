import { execFileSync } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closeSessions } from '../../../../lib/host/sessions';
import { type FileOptions, writeSecretFile } from '../../../../lib/infisical/host-file';
import { labHost, newTask } from '../host/files/bench';
import { failureOf } from '../../../shared/failure';

describe('a secret file on a host', () => {
  let base: Awaited<ReturnType<typeof labHost>>;
  let file: string;
  let turn = 0;
  beforeAll(async () => {
    base = await labHost();
  });
  beforeEach(() => {
    turn += 1;
    file = join(base.folder, `${turn}.env`);
  });
  afterAll(async () => {
    await closeSessions();
    await base.stop();
  });

  const put = (entries: Readonly<Record<string, string>>, options: Partial<FileOptions> = {}) =>
    writeSecretFile(
      base.host,
      file,
      Object.entries(entries).map(([key, value]) => ({ key, value })),
      { format: 'shell', ...options },
      newTask(),
    );

  test('it is for its owner only from the first byte, and says which names changed', async () => {
    expect(await put({ A: 'one', B: 'two' }, { owner: 'nobody' })).toEqual({
      path: file,
      changed: true,
      before: 'missing',
      added: ['A', 'B'],
      altered: [],
      removed: [],
      keys: 2,
      mode: '0600',
      owner: 'nobody',
      group: 'root',
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await put({ B: 'new', C: '3' })).toMatchObject({
      changed: true,
      before: 'read',
      added: ['C'],
      altered: ['B'],
      removed: ['A'],
      owner: 'nobody',
    });
    expect(await put({ B: 'new', C: '3' })).toMatchObject({ changed: false, added: [], altered: [], removed: [] });
  });

  test('the shell of the host reads what was written, whatever characters it has', async () => {
    const value = `it's "all" \`of\` $them\\ #and\n\tmore! 日本`;
    await put({ VALUE: value });
    expect(execFileSync('/bin/bash', ['-c', '. "$1"; printf %s "$VALUE"', 'bash', file]).toString()).toBe(value);
  });

  test('a wider mode is drift and is put right, though the content is the same', async () => {
    await put({ A: 'one' });
    execFileSync('chmod', ['644', file]);
    expect(await put({ A: 'one' }, { dryRun: true })).toMatchObject({ changed: true, altered: [], mode: '0600' });
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    await put({ A: 'one' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('a dry run writes nothing', async () => {
    await put({ A: 'one' });
    const before = await readFile(file, 'utf8');
    expect(await put({ A: 'two', B: 'x' }, { dryRun: true })).toMatchObject({
      changed: true,
      added: ['B'],
      altered: ['A'],
    });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test('a file by hand that is not understood is said to be that', async () => {
    await writeFile(file, 'if true; then export A=planted; fi\n');
    expect(await put({ A: 'one' })).toMatchObject({ changed: true, before: 'not understood', added: ['A'] });
  });

  test('an empty list does not empty a file, unless it is to', async () => {
    await put({ A: 'one' });
    expect((await failureOf(put({}))).code).toBe('no_secrets');
    expect(await put({}, { allowEmpty: true })).toMatchObject({ changed: true, removed: ['A'], keys: 0 });
  });

  test('a directory in its place is a failure without any value', async () => {
    file = base.folder;
    const failure = await failureOf(put({ A: 'planted-value' }));
    expect(failure.code).toBe('file_is_directory');
    expect(`${JSON.stringify(failure)} ${failure.message}`).not.toContain('planted');
  });
});
