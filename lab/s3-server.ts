import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { request } from 'node:http';
import { join } from 'node:path';
import { makeAuthority } from './certificates';
import { cacheFolder, exists } from './hosts/root-file-system';
import { openLedger } from './hosts/ledger';
import { findProgram, run } from './hosts/programs';
import { until } from './hosts/waiting';
import { freePort } from './ports';

const MODULE = 'github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0';

const NAME = 's3.lab.test';

export interface S3Server {
  /** What its certificate is for; nobody resolves it unless the test sees to that. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly bucket: string;
  /** The certificate of who signed its own. */
  readonly authority: string;
  readonly stop: () => Promise<void>;
}

/** A server that speaks S3, with one bucket, by https at this address. Built once, with Go. */
export async function startS3Server(address: string): Promise<S3Server> {
  const program = await serverProgram();
  const ledger = await openLedger();
  const behind = await freePort();
  const bucket = 'backups';
  const backend = ['-backend', 'memory', '-initialbucket', bucket, '-host', `127.0.0.1:${behind}`];
  const child = spawn(program, backend, { stdio: 'ignore' });
  child.on('error', () => undefined);
  if (child.pid !== undefined) ledger.addProcess(child.pid);
  const { file, sign } = await makeAuthority(ledger.folder);
  const { certificate, key } = await sign(NAME, NAME);
  const server = createServer({ cert: certificate, key }, (asked, answer) => {
    const { method, url: path, headers } = asked;
    const onward = request({ host: '127.0.0.1', port: behind, method, path, headers }, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    asked.on('error', () => onward.destroy());
    asked.pipe(onward);
  });
  const port = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, address, resolve);
  });
  await until('the S3 server answers', 10_000, () =>
    fetch(`http://127.0.0.1:${behind}/${bucket}`).then(
      ({ ok }) => (ok ? true : undefined),
      () => undefined,
    ),
  );
  return {
    ...{ name: NAME, address, port, bucket, authority: file },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await ledger.clear();
    },
  };
}

async function serverProgram(): Promise<string> {
  const folder = join(cacheFolder(), 's3-server');
  const program = join(folder, 'gofakes3');
  if (await exists(program)) return program;
  const go = (await findProgram('go')) ?? '/usr/local/go/bin/go';
  if (!(await exists(go))) throw new Error('Go is not installed, which the S3 server of the lab is built with');
  await mkdir(folder, { recursive: true });
  await run([go, 'install', MODULE], { environment: { GOBIN: folder }, deadlineMs: 15 * 60_000 });
  await readFile(program);
  return program;
}
