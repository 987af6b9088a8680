import { hostOf } from '../../../../../lab/hosts/as-host';
import { chmod, chown, mkdir, readFile as read, readdir, stat, writeFile as put } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { until } from '../../../../../lab/hosts/waiting';
import type { Sudo } from '../../../../../lib/host/host';
import { closeSessions } from '../../../../../lib/host/sessions';
import { appendLine } from '../../../../../lib/host/files/append';
import { deleteFile } from '../../../../../lib/host/files/delete';
import { listDirectory } from '../../../../../lib/host/files/list';
import { readFile } from '../../../../../lib/host/files/read';
import { statFile } from '../../../../../lib/host/files/stat';
import { uploadStream } from '../../../../../lib/host/files/upload';
import { writeFile } from '../../../../../lib/host/files/write';
import { labHost, newTask } from './bench';
import { failureOf } from '../../../../shared/failure';

describe('files of others', () => {
  afterEach(closeSessions);

  it('are written and read as root through sudo, with and without a password, and with SFTP switched off', async () => {
    for (const user of ['sudo', 'sudoWithPassword'] as const) {
      const base = await labHost({ user, sftp: false });
      try {
        const password = base.lab.accounts?.password ?? '';
        const sudo: Sudo = user === 'sudo' ? { mode: 'passwordless' } : { mode: 'password', password };
        const host = hostOf(base.lab, { sudo });
        await chmod(base.folder, 0o700);
        const path = join(base.folder, 'root only');
        const content = Buffer.alloc(300_000, 'x');
        expect(await writeFile(host, path, content, { mode: '0600' }, newTask())).toMatchObject({
          changed: true,
          after: { owner: 'root', mode: '0600', size: 300_000 },
        });
        expect((await readFile(host, path, {}, newTask())).content.equals(content)).toBe(true);
        expect((await writeFile(host, path, content, { mode: '0600' }, newTask())).changed).toBe(false);
        const stop = new AbortController();
        const endless = new Readable({ read: () => endless.push(Buffer.alloc(64 * 1024)) });
        const stopped = failureOf(uploadStream(host, join(base.folder, 'stopped'), endless, {}, newTask(stop.signal)));
        await until('a draft is there', 10_000, async () =>
          (await readdir(base.folder)).length === 2 ? true : undefined,
        );
        stop.abort();
        expect((await stopped).code).toBe('cancelled');
        expect(await readdir(base.folder)).toEqual(['root only']);
        const home = await writeFile(host, '~/mine', 'x', { runAs: 'login' }, newTask());
        expect(home).toMatchObject({ path: `/home/${base.lab.user}/mine`, after: { owner: base.lab.user } });
        expect((await deleteFile(host, '~/mine', { runAs: 'login' }, newTask())).changed).toBe(true);
      } finally {
        await closeSessions();
        await base.stop();
      }
    }
  });

  it('are refused without sudo, naming the user and the way out', async () => {
    const base = await labHost({ user: 'plain' });
    try {
      await chmod(base.folder, 0o755);
      const user = base.lab.user;
      const secret = join(base.folder, 'secret');
      await put(secret, 'old', { mode: 0o600 });
      await mkdir(join(base.folder, 'closed'), { mode: 0o700 });
      const attempts = {
        read: () => readFile(base.host, secret, {}, newTask()),
        write: () => writeFile(base.host, secret, 'new', {}, newTask()),
        writeNew: () => writeFile(base.host, join(base.folder, 'new'), 'new', {}, newTask()),
        writeDry: () => writeFile(base.host, join(base.folder, 'new'), 'new', { dryRun: true }, newTask()),
        append: () => appendLine(base.host, secret, 'new', {}, newTask()),
        remove: () => deleteFile(base.host, secret, {}, newTask()),
        list: () => listDirectory(base.host, join(base.folder, 'closed'), {}, newTask()),
        stat: () => statFile(base.host, join(base.folder, 'closed', 'inner'), {}, newTask()),
      };
      for (const [name, attempt] of Object.entries(attempts)) {
        const failure = await failureOf(attempt());
        expect([name, failure.code, failure.message.includes(user)]).toEqual([name, 'file_forbidden', true]);
        expect(failure.nextStep).toBe(`Give ${user} the permission, or choose a sudo mode in the Host credential.`);
      }
      expect(await read(secret, 'utf8')).toBe('old');
      const listing = await listDirectory(base.host, base.folder, { depth: 2 }, newTask());
      expect(listing).toMatchObject({ complete: false, cut: { forbidden: 1 } });
    } finally {
      await base.stop();
    }
  });

  it('of the login user keep their mode, also one that nobody may read', async () => {
    const base = await labHost({ user: 'plain' });
    try {
      const { uid, gid } = await stat(`/home/${base.lab.user}`);
      await chown(base.folder, uid, gid);
      const path = join(base.folder, 'mine');
      const result = await writeFile(base.host, path, 'x', { mode: '0000' }, newTask());
      expect(result.after).toMatchObject({ mode: '0000', owner: base.lab.user });
      const other = await failureOf(
        writeFile(base.host, join(base.folder, 'given'), 'x', { owner: 'root' }, newTask()),
      );
      expect(other.code).toBe('file_forbidden');
    } finally {
      await base.stop();
    }
  });
});
