import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { postgresPrograms } from './debian-packages';
import { librariesOf, type DockerHost } from './docker';
import { findProgram, run } from './hosts/programs';

const POSTGRES = [
  'postgres',
  'initdb',
  'psql',
  'pg_dump',
  'pg_dumpall',
  'pg_restore',
  'createdb',
  'dropdb',
  'pg_amcheck',
  'pg_basebackup',
  'pg_controldata',
  'pg_rewind',
  'pg_waldump',
];
const MARIADB = [
  'mariadbd',
  'mariadb',
  'mariadb-dump',
  'mariadb-check',
  'my_print_defaults',
  'resolveip',
  'redis-server',
  'redis-cli',
];

/** An image with the PostgreSQL, MariaDB and Redis of this machine, and busybox for the rest; made without a registry. */
export async function makeDatabaseImage(docker: Pick<DockerHost, 'folder' | 'docker'>): Promise<string> {
  const root = join(docker.folder, 'database-image');
  const archive = `${root}.tar`;
  const programs = postgresPrograms();
  const version = programs.split('/').at(-2) ?? '';
  const found = await Promise.all([...MARIADB, 'mariadb-install-db', 'busybox'].map(findProgram));
  const busybox = found.at(-1);
  if (busybox === undefined || found.includes(undefined)) throw new Error('MariaDB, Redis or busybox is not installed');
  const modules = join(dirname(programs), 'lib');
  const libraries = (await readdir(modules)).filter((name) => name.endsWith('.so') && !name.startsWith('llvm'));
  const binaries = [
    ...POSTGRES.map((name) => join(programs, name)),
    ...found.filter((path) => path !== undefined),
    ...libraries.map((name) => join(modules, name)),
  ];
  const needed = new Set((await Promise.all(binaries.map(librariesOf))).flat());
  const share = [
    '/usr/share/mysql',
    `/usr/share/postgresql/${version}`,
    '/usr/lib/locale/C.utf8',
    '/usr/share/zoneinfo/UTC',
  ];
  await mkdir(join(root, 'bin'), { recursive: true });
  await run(['cp', '--dereference', '--recursive', '--parents', '--', ...binaries, ...needed, ...share, root]);
  for (const folder of ['tmp', 'data']) {
    await mkdir(join(root, folder));
    await run(['chmod', '1777', join(root, folder)]);
  }
  await mkdir(join(root, 'etc'), { recursive: true });
  const users = ['root:x:0', 'postgres:x:70', 'mysql:x:71'];
  await writeFile(
    join(root, 'etc', 'passwd'),
    users.map((user) => `${user}:${user.split(':')[2]}::/tmp:/bin/sh\n`).join(''),
  );
  await writeFile(join(root, 'etc', 'group'), users.map((user) => `${user}:\n`).join(''));
  for (const name of (await run([busybox, '--list'])).trim().split('\n'))
    await symlink(busybox, join(root, 'bin', name));
  await run(['tar', '--create', '--file', archive, '--directory', root, '.']);
  await rm(root, { recursive: true });
  await docker.docker(
    'import',
    '--change',
    `ENV PATH=${programs}:/usr/sbin:/usr/bin:/bin TZ=UTC`,
    archive,
    'databases:1',
  );
  await rm(archive);
  return 'databases:1';
}
