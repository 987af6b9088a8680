import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync, stop } from 'esbuild';
import { repository } from '../../lab/folders';

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

const built = new Map<string, string>();

/** A file of this folder as a program that node runs by itself. */
function programOf(name: string): string {
  const known = built.get(name);
  if (known !== undefined) return known;
  const folder = join(repository, 'build', 'bench', String(process.pid));
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `${name}.cjs`);
  buildSync({
    entryPoints: [join(repository, 'bench', 'failover', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    external: ['cpu-features', '*.node', 'pg-native', 'esbuild'],
    logLevel: 'error',
  });
  // Else its service outlives the bench.
  void stop();
  built.set(name, outfile);
  return outfile;
}

export interface Program {
  readonly child: ChildProcess;
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<void>;
  readonly isRunning: () => boolean;
  readonly complaint: () => string;
}

/** Runs one of our programs in a process of its own, in this network namespace where one is named. */
export function runProgram(name: string, argument: string, namespace?: string): Program {
  const argv = [process.execPath, programOf(name), argument];
  const [file = '', ...rest] = namespace === undefined ? argv : ['ip', 'netns', 'exec', namespace, ...argv];
  const child = spawn(file, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  let running = true;
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      running = false;
      resolve();
    };
    child.on('error', end);
    child.on('close', end);
  });
  children.add(child);
  void ended.then(() => children.delete(child));
  return { child, ended, isRunning: () => running, complaint: () => said };
}
