import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';

/** The root of the repository, found from wherever this code was bundled to. */
export const repository = findRepository(__dirname);

function findRepository(from: string): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && /"name": "n8n-nodes-selfhost"/.test(readFileSync(file, 'utf8'))) return folder;
  }
  throw new Error(`No package.json of n8n-nodes-selfhost above ${from}`);
}

/** What belongs to this checkout: the lab's n8n, its account, logs. `npm run lab:reset` removes it. */
export const labFolder = process.env.SELFHOST_LAB_FOLDER ?? join(repository, '.lab');

export const logFolder = join(labFolder, 'logs');

/** Large and the same for every checkout: the pinned Node and n8n. */
export const cacheFolder =
  process.env.SELFHOST_LAB_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'n8n-nodes-selfhost');

/**
 * Data of servers that run as another user than we do. Root's home is closed to them, so it cannot lie in the
 * checkout; the name is bound to the checkout and the user instead.
 */
export function serverDataFolder(purpose: string): string {
  const key = createHash('sha256').update(`${labFolder}\n${userInfo().uid}`).digest('hex').slice(0, 12);
  return join('/var/tmp', `n8n-nodes-selfhost-${key}`, purpose);
}
