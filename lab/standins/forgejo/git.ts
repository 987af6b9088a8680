import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';

import type { Asked, Reply } from '../http';
import type { Repository, State } from './state';

export const NO_COMMIT = '0'.repeat(40);

export function folderOf(state: State, { owner, name }: Pick<Repository, 'owner' | 'name'>): string {
  return join(state.root, owner.toLowerCase(), `${name.toLowerCase()}.git`);
}

const identity = {
  GIT_AUTHOR_NAME: 'Forgejo',
  GIT_AUTHOR_EMAIL: 'forgejo@example.org',
  GIT_COMMITTER_NAME: 'Forgejo',
  GIT_COMMITTER_EMAIL: 'forgejo@example.org',
  GIT_CONFIG_NOSYSTEM: '1',
};

export function git(
  folder: string,
  args: readonly string[],
  { input, environment = {} }: { input?: Buffer | string; environment?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'git',
      ['-C', folder, ...args],
      { env: { ...process.env, ...identity, ...environment }, maxBuffer: 64 * 1024 * 1024, encoding: 'utf8' },
      (error, stdout) => {
        if (error === null) resolve(stdout.replace(/\n$/, ''));
        else reject(new Error(`git ${args[0] ?? ''} failed`, { cause: error }));
      },
    );
    // A command that reads nothing may be gone before.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}

/** A file as it was committed, to its last newline. */
export function blobOf(folder: string, id: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 64 * 1024 * 1024, encoding: 'buffer' } as const;
    execFile('git', ['-C', folder, 'cat-file', 'blob', id], options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new Error('git cat-file failed', { cause: error }));
    });
  });
}

/** The commit that a branch, tag or id stands for. */
export async function commitOf(folder: string, name: string): Promise<string | undefined> {
  return git(folder, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]).catch(
    () => undefined,
  );
}

export async function references(folder: string): Promise<ReadonlyMap<string, string>> {
  const lines = await git(folder, ['for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads', 'refs/tags']);
  return new Map(lines.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ') as [string, string]])));
}

/** The program that git itself brings for web servers. */
export function httpBackend(state: State, asked: Asked, pathInfo: string, user: string | undefined): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        ...identity,
        GIT_PROJECT_ROOT: state.root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathInfo,
        REQUEST_METHOD: asked.method,
        QUERY_STRING: asked.query.toString(),
        CONTENT_TYPE: asked.headers['content-type'] ?? '',
        CONTENT_LENGTH: String(asked.body.length),
        HTTP_CONTENT_ENCODING: asked.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: asked.headers['git-protocol'] ?? '',
        ...(user !== undefined && { REMOTE_USER: user }),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.stdin.on('error', () => undefined);
    child.stdin.end(asked.body);
    child.once('close', () => resolve(replyOf(Buffer.concat(chunks))));
  });
}

function replyOf(output: Buffer): Reply {
  const end = output.indexOf('\r\n\r\n');
  const headers = Object.fromEntries(
    output
      .subarray(0, Math.max(end, 0))
      .toString('latin1')
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const { status = '200', ...rest } = headers;
  return { status: Number.parseInt(status, 10), headers: rest, bytes: output.subarray(end + 4) };
}
