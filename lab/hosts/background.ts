import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Ledger } from './ledger';

export interface BackgroundServer {
  readonly pid: number | undefined;
  readonly hasEnded: () => boolean;
  /** Throws, with what it has written, when it has ended already. */
  readonly mustRun: () => Promise<void>;
}

export interface BackgroundOptions {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** A file that takes everything it writes. */
  readonly log: string;
  readonly folder: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** Starts a server that outlives nobody: the ledger ends it, and this process may end before it. */
export function startInBackground(
  ledger: Ledger,
  { name, argv, log, folder, environment, user }: BackgroundOptions,
): BackgroundServer {
  const script = 'log=$1; shift; exec "$@" >> "$log" 2>&1';
  const server = spawn('/bin/sh', ['-c', script, 'sh', log, ...argv], {
    cwd: folder,
    env: environment ?? { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
    stdio: 'ignore',
    detached: true,
    ...user,
  });
  let hasEnded = false;
  server.on('exit', () => (hasEnded = true));
  server.on('error', () => (hasEnded = true));
  server.unref();
  if (server.pid !== undefined) ledger.addProcess(server.pid);
  return {
    pid: server.pid,
    hasEnded: () => hasEnded,
    mustRun: async () => {
      if (hasEnded) throw new Error(`${name} ended: ${await readFile(log, 'utf8').catch(() => 'no log')}`);
    },
  };
}
