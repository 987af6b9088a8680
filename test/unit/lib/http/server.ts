import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';

import { createHttpClient, type HttpClient } from '../../../../lib/http/client';
import { type HttpSettings, realSurroundings, type Surroundings } from '../../../../lib/http/settings';
import type { Progress, Task } from '../../../../lib/task';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Answering {
  readonly status?: number;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly json?: unknown;
  readonly text?: string | Buffer;
}

type Respond = (seen: Seen, response: http.ServerResponse, request: http.IncomingMessage) => unknown;

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly seen: Seen[];
  readonly sockets: Set<Socket>;
  readonly close: () => Promise<void>;
}

const open: TestServer[] = [];
const clients: HttpClient[] = [];

export async function closeAll(): Promise<void> {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(open.splice(0).map((server) => server.close()));
}

export function fixture(name: string): string {
  return readFileSync(join(__dirname, '../../../fixtures/tls', name), 'utf8');
}

/** A real server that keeps what it was asked. Where `respond` gives undefined, it answers by itself or not at all. */
export async function serve(respond: Respond, certificate?: string): Promise<TestServer> {
  const seen: Seen[] = [];
  const listener = (request: http.IncomingMessage, response: http.ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      seen.push(one);
      void Promise.resolve(respond(one, response, request)).then((answer) => {
        if (answer !== undefined) reply(response, answer as Answering);
      });
    });
  };
  const server = certificate
    ? https.createServer({ cert: fixture(`${certificate}.crt`), key: fixture(`${certificate}.key`) }, listener)
    : http.createServer(listener);
  return listen(server, seen, certificate ? 'https' : 'http');
}

export function reply(response: http.ServerResponse, { status = 200, headers = {}, json, text }: Answering): void {
  response.writeHead(status, { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers });
  response.end(json === undefined ? text : JSON.stringify(json));
}

export async function listen(server: Server, seen: Seen[] = [], protocol = 'http'): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const started: TestServer = {
    url: `${protocol}://127.0.0.1:${port}`,
    port,
    seen,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  open.push(started);
  return started;
}

export interface TestTask extends Task {
  readonly told: Progress[];
  readonly stop: () => void;
}

export function task(owner = 'execution 1'): TestTask {
  const controller = new AbortController();
  const told: Progress[] = [];
  return { signal: controller.signal, progress: (one) => told.push(one), owner, told, stop: () => controller.abort() };
}

/** Deliberate waits end at once and are only noted; a clock moves on by them. */
export function quickClock(random = 0.5): Surroundings & { readonly waits: number[] } {
  const waits: number[] = [];
  let passed = 0;
  return {
    now: () => Date.now() + passed,
    wait: async (milliseconds) => {
      waits.push(milliseconds);
      passed += milliseconds;
    },
    random: () => random,
    environment: {},
    waits,
  };
}

export function client(
  url: string,
  settings: Partial<HttpSettings> = {},
  surroundings: Partial<Surroundings> = {},
): HttpClient {
  const made = createHttpClient(
    { service: 'Example', baseUrl: url, ...settings },
    { ...realSurroundings, environment: {}, ...surroundings },
  );
  clients.push(made);
  return made;
}

/** Waits for a fact, with a deadline. */
export async function until(fact: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 5_000;
  while (!fact()) {
    if (Date.now() > end) throw new Error(`It did not come about: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
