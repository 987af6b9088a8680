import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aptOptions, aptSources, cacheFolder, exists } from './hosts/root-file-system';
import { run } from './hosts/programs';
import type { ImageMaker } from './docker-pair';

const recipe = {
  version: 1,
  suite: 'trixie',
  packages: ['postgresql-17', 'pgbackrest', 'procps', 'ca-certificates'],
  left: ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*'],
} as const;

/** An image with the PostgreSQL and the pgBackRest of the Debian after this one, made without a registry. */
export const postgres17Image: ImageMaker = async ({ docker }) => {
  const archive = await rootArchive();
  const programs = '/usr/lib/postgresql/17/bin';
  const path = `ENV PATH=${programs}:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TZ=UTC`;
  await docker('import', '--change', path, archive, 'postgres-of-the-lab:17');
  return { image: 'postgres-of-the-lab:17', programs };
};

/** Built once, with this machine's own apt sources. */
async function rootArchive(): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
  const parent = join(cacheFolder(), 'postgres-17');
  const archive = join(parent, `${key}.tar`);
  if (await exists(archive)) return archive;
  await mkdir(parent, { recursive: true });
  const draft = join(parent, `.${key}.${randomBytes(4).toString('hex')}.tar`);
  const sources = `${draft}.sources`;
  try {
    await writeFile(sources, await aptSources(recipe.suite));
    await run(
      [
        ...(['mmdebstrap', '--mode=root', '--variant=minbase', '--quiet'] as const),
        `--include=${recipe.packages.join(',')}`,
        ...(await aptOptions()).map((option) => `--aptopt=${option}`),
        ...recipe.left.map((path) => `--dpkgopt=path-exclude=${path}`),
        ...[recipe.suite, draft, sources],
      ],
      { deadlineMs: 15 * 60_000 },
    );
    await rename(draft, archive);
  } finally {
    for (const file of [draft, sources]) await rm(file, { force: true });
  }
  return archive;
}
