import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { openLedger } from './hosts/ledger';
import { run } from './hosts/programs';

export interface GitServer {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Commits these files on top of the last commit, as of now or of then; null removes one. Answers the hash. */
  readonly commit: (files: Readonly<Record<string, string | null>>, at?: Date) => Promise<string>;
  /** Becomes what another one is, as a mirror does that is pushed to. */
  readonly copyFrom: (other: Pick<GitServer, 'url' | 'user' | 'password'>) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Git's own HTTP server in front of one repository, behind a password. */
export async function startGitServer(address = '127.0.0.1'): Promise<GitServer> {
  const ledger = await openLedger();
  const bare = join(ledger.folder, 'repository.git');
  const work = join(ledger.folder, 'work');
  const home = { HOME: ledger.folder };
  const git = (argv: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    run(['git', '-C', work, '-c', 'user.name=lab', '-c', 'user.email=lab@example.org', ...argv], {
      environment: { ...home, ...environment },
    });
  await run(['git', 'init', '--quiet', '--bare', '--initial-branch=main', bare]);
  await run(['git', 'init', '--quiet', '--initial-branch=main', work]);
  const [user, password] = ['deployer', `pass ${ledger.id}/ß`];
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    if (request.headers.authorization === expected) serve(bare, request, response);
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="lab"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}/shop.git`,
    user,
    password,
    commit: async (files, at = new Date()) => {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(work, name)), { recursive: true });
        if (content === null) await rm(join(work, name));
        else await writeFile(join(work, name), content);
      }
      await git(['add', '--all']);
      await git(['commit', '--quiet', '--allow-empty', '--message', 'change'], {
        GIT_AUTHOR_DATE: at.toISOString(),
        GIT_COMMITTER_DATE: at.toISOString(),
      });
      await git(['push', '--quiet', '--force', bare, 'HEAD:refs/heads/main']);
      return (await git(['rev-parse', 'HEAD'])).trim();
    },
    copyFrom: async (other) => {
      const from = Object.assign(new URL(other.url), { username: other.user, password: other.password }).href;
      await run(['git', '-C', bare, 'fetch', '--quiet', '--prune', '--force', from, '+refs/*:refs/*'], {
        environment: home,
      });
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await ledger.clear();
    },
  };
}

/** Passes a request to `git http-backend` as a web server passes it to a CGI program. */
function serve(bare: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://lab');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: bare,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname.replace(/^\/shop\.git/, ''),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(child.stdin);
  child.stdin.on('error', () => undefined);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const headers = answer
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': ', 2) as [string, string]);
    const status = headers.find(([name]) => name === 'Status')?.[1];
    response.writeHead(status === undefined ? 200 : Number(status.slice(0, 3)), Object.fromEntries(headers));
    response.end(answer.subarray(end + 4));
  });
}
