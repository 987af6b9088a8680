import { cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { librariesOf } from './docker';
import type { Daemon } from './docker-pair';
import { findProgram, run } from './hosts/programs';
import type { N8nInstall } from './n8n/install';

/**
 * An image in which the pinned n8n runs: what Node and n8n's native modules link to, and busybox. Node and n8n themselves
 * are two gigabytes and are mounted into it. Made without a registry.
 */
export async function makeN8nImage(daemon: Pick<Daemon, 'docker' | 'folder'>, install: N8nInstall): Promise<string> {
  const root = join(daemon.folder, 'n8n-image');
  const archive = `${root}.tar`;
  const busybox = await findProgram('busybox');
  if (busybox === undefined) throw new Error('busybox is not installed: apt-get install busybox');
  const natives = await Promise.all(['sqlite3', 'isolated-vm'].map((name) => nativesOf(join(install.modules, name))));
  const needed = await Promise.all([install.node, busybox, ...natives.flat()].map(librariesOf));
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await mkdir(join(root, 'tmp'), { mode: 0o777 });
  for (const file of new Set(needed.flat())) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await cp(file, join(root, file), { dereference: true });
  }
  await cp(busybox, join(root, 'bin', 'busybox'), { dereference: true });
  for (const name of ['sh', 'wget', 'ls', 'cat']) await symlink('busybox', join(root, 'bin', name));
  await writeFile(join(root, 'etc', 'passwd'), 'root:x:0:0::/data:/bin/sh\n');
  await writeFile(join(root, 'etc', 'group'), 'root:x:0:\n');
  await run(['tar', '--create', '--file', archive, '--directory', root, '.']);
  await rm(root, { recursive: true });
  await daemon.docker('import', '--change', 'ENV PATH=/bin HOME=/data', archive, 'n8n:lab');
  await rm(archive);
  return 'n8n:lab';
}

async function nativesOf(folder: string): Promise<readonly string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.filter((file) => file.endsWith('.node') && file.includes('Release')).map((file) => join(folder, file));
}
