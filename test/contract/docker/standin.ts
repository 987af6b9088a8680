import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { contractOf, type Contract } from '../../../lab/standins/contract';
import { connectEngine, type Engine } from '../../../lib/docker/engine/engine';
import { quietTask } from '../../shared/task';
import { answersOf, type Version } from './answers';

export interface StandIn {
  readonly engine: Engine;
  readonly contract: Contract;
  /** `POST /containers/create?name=one`, with the body where it is JSON. */
  readonly asked: readonly (readonly [string, unknown])[];
  readonly stop: () => Promise<void>;
}

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly produces?: readonly string[] }>>>>;
}

/** An engine of one version on a socket of this machine: every request and answer is held to its description. */
export async function startEngine(version: Version): Promise<StandIn> {
  const document = JSON.parse(
    readFileSync(join(__dirname, '../../contracts', `docker-${version}.json`), 'utf8'),
  ) as Described;
  const contract = contractOf(document);
  const answers = answersOf(version);
  const asked: (readonly [string, unknown])[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'docker-contract-'));
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      const url = (request.url ?? '').replace(`/v${version}/`, '/');
      const method = request.method ?? '';
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      asked.push([`${method} ${decodeURIComponent(url)}`, readable(body)]);
      const path = url.split('?')[0] ?? '';
      const found = answers.find((one) => one.method === method && one.pattern.test(decodeURIComponent(path)));
      const status = found?.status ?? 404;
      const content = found === undefined ? { message: `nothing at ${path}` } : found.body;
      const bytes =
        content === undefined
          ? Buffer.alloc(0)
          : Buffer.isBuffer(content)
            ? content
            : Buffer.from(JSON.stringify(content));
      const produced =
        found?.template === undefined ? undefined : document.paths[found.template]?.[method.toLowerCase()];
      const type = found?.type ?? produced?.produces?.[0] ?? 'application/json';
      const answerHeaders: Record<string, string> = bytes.length === 0 ? {} : { 'content-type': type };
      const exchange = { method, url, headers, body };
      if (found?.isStream === true) contract.checkRequest(exchange);
      else contract.check(exchange, { status, headers: answerHeaders, body: bytes });
      response.writeHead(status, answerHeaders).end(bytes);
    })();
  });
  const localSocket = join(folder, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(localSocket, resolve));
  return {
    engine: await connectEngine({ localSocket }, quietTask()),
    contract,
    asked,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}

function readable(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}
