import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../packaging/sources';

/** These tests are about what `npm run build` has made; an old build would prove nothing. */
export function demandFreshBuild(): void {
  const built = path.join(root, 'dist', 'types', 'nodes.json');
  if (!existsSync(built)) throw new Error('There is no build: run `npm run build` first');
  const builtAt = statSync(built).mtimeMs;
  for (const folder of ['commands', 'nodes', 'credentials', 'lib', 'vendor', 'packaging', 'workflows']) {
    for (const name of readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (statSync(path.join(root, folder, name)).mtimeMs > builtAt) {
        throw new Error(`${folder}/${name} is newer than the build: run \`npm run build\` first`);
      }
    }
  }
}
