import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../lib/failure';
import { labFolder, logFolder, repository } from '../folders';
import { mustRun } from '../processes';
import { withNode, type NodeInstall } from './install';

const sources = [
  'commands',
  'nodes',
  'credentials',
  'lib',
  'vendor',
  'workflows',
  'packaging',
  'gulpfile.js',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
];

/** The packed tarball of what stands in the checkout, built only when that has changed. */
export async function packTarball({ rebuild = false }: { rebuild?: boolean } = {}): Promise<string> {
  const given = process.env.SELFHOST_LAB_TARBALL;
  if (given !== undefined) return given;
  const folder = join(labFolder, 'pack');
  const tarball = join(folder, `${sourceHash()}.tgz`);
  if (existsSync(tarball) && !rebuild) return tarball;
  const log = join(logFolder, 'build.log');
  await mustRun('Building the pack', 'npm', ['run', 'build'], { folder: repository, log });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const output = await mustRun('Packing the pack', 'npm', ['pack', '--json', '--pack-destination', folder], {
    folder: repository,
    log,
  });
  const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (packed === undefined) throw new Error(`npm pack made no tarball: ${output}`);
  renameSync(join(folder, packed), tarball);
  return tarball;
}

function sourceHash(): string {
  const hash = createHash('sha256');
  const add = (path: string) => {
    if (statSync(path).isDirectory()) {
      for (const entry of readdirSync(path).sort()) add(join(path, entry));
    } else {
      hash.update(`${path}\0`).update(readFileSync(path));
    }
  };
  for (const source of sources) if (existsSync(join(repository, source))) add(join(repository, source));
  return hash.digest('hex').slice(0, 16);
}

/**
 * Installs a tarball into an n8n's user folder the way a user does by hand. `--omit=peer` is what leaves exactly one
 * n8n-workflow, n8n's own: a second one would break every `instanceof NodeApiError` between the pack and n8n.
 */
export async function installPack(node: NodeInstall, userFolder: string, tarball: string): Promise<void> {
  const folder = join(userFolder, '.n8n', 'nodes');
  const stamp = join(folder, 'installed-tarball');
  const hash = createHash('sha256').update(readFileSync(tarball)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  rmSync(stamp, { force: true });
  const manifest = join(folder, 'package.json');
  // What n8n itself writes there when it makes the folder.
  if (!existsSync(manifest))
    writeFileSync(manifest, '{ "name": "installed-nodes", "private": true, "dependencies": {} }\n');
  await mustRun(
    'Installing the pack into n8n',
    'npm',
    ['install', '--ignore-scripts', '--install-strategy=shallow', '--omit=peer', '--no-audit', '--no-fund', tarball],
    { folder, environment: withNode(node), log: join(logFolder, 'install-pack.log') },
  );
  const foreign = copiesOfN8nWorkflow(join(folder, 'node_modules'));
  if (foreign.length > 0) {
    throw new Failure({
      code: 'second_n8n_workflow',
      subject: 'n8n-workflow',
      message: `The pack brought its own n8n-workflow: ${foreign.join(', ')}`,
      nextStep: 'Keep n8n-workflow a peer dependency of everything in the pack.',
    });
  }
  writeFileSync(stamp, hash);
}

/** Every n8n-workflow below a folder of modules, however deep. */
export function copiesOfN8nWorkflow(modules: string): readonly string[] {
  if (!existsSync(modules)) return [];
  return readdirSync(modules, { recursive: true, encoding: 'utf8' })
    .filter((path) => /(^|\/)node_modules\/n8n-workflow$|^n8n-workflow$/.test(path))
    .map((path) => join(modules, path));
}
