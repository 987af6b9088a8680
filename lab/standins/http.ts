import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import type { Exchange, ExchangeAnswer, ExchangeRequest } from './contract/exchange';

/** A request as a stand-in sees it. */
export interface Asked {
  readonly method: string;
  /** Below the base path. */
  readonly path: string;
  /** What stood for `{zone}` in the template of the route. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** At most one of the three. */
  readonly json?: unknown;
  readonly text?: string;
  readonly bytes?: Buffer;
}

export interface Route {
  readonly method: string;
  /** `/zones/{zone}/dns_records` */
  readonly template: string;
  readonly handle: (asked: Asked) => Reply | Promise<Reply>;
}

/** Something that goes wrong on demand, for the next requests that it is meant for. */
export type Fault = {
  readonly method?: string;
  readonly path?: RegExp;
  /** How many requests it hits; by default one. */
  readonly times?: number;
  /** How many requests that it is meant for pass before. */
  readonly after?: number;
} & (
  | { readonly kind: 'answer'; readonly reply: Reply }
  /** The connection breaks before anything is done, */
  | { readonly kind: 'break before' }
  /** or after it was done, so that its answer is lost. */
  | { readonly kind: 'break after' }
  /** Done at once, answered late. */
  | { readonly kind: 'late'; readonly milliseconds: number }
);

export interface StandInSettings {
  /** Where it listens: the loopback, unless machines of the lab have to reach it. */
  readonly address?: string;
  readonly routes: readonly Route[];
  /** `/client/v4` */
  readonly basePath?: string;
  /** Stands around every route and around what no route knows: authentication, rate limits, common headers. */
  readonly around?: (asked: Asked, next: () => Promise<Reply>) => Promise<Reply>;
  readonly unknown?: (asked: Asked) => Reply;
  /** Hears every request with its answer; the answer is undefined when a fault made it or broke it off. */
  readonly onExchange?: (request: ExchangeRequest, answer: ExchangeAnswer | undefined) => void;
}

export interface StandIn {
  /** With the base path. */
  readonly url: string;
  /** Everything it was asked, in order, also what a fault hit. */
  readonly seen: readonly Seen[];
  readonly exchanges: readonly Exchange[];
  readonly fail: (fault: Fault) => void;
  /** Forgets what it has seen, and the faults that were not used. */
  readonly forget: () => void;
  readonly close: () => Promise<void>;
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Parsed where it is JSON, text otherwise, undefined where there is none. */
  readonly body: unknown;
}

/** A server on the loopback that answers by rules of ours where a vendor's cannot be asked. */
export async function startStandIn(settings: StandInSettings): Promise<StandIn> {
  const { routes, basePath = '', unknown = () => ({ status: 404 }), onExchange } = settings;
  const around = settings.around ?? ((_, next) => next());
  const compiled = routes.map(compile);
  const seen: Seen[] = [];
  const exchanges: Exchange[] = [];
  const faults: Waiting[] = [];
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();

  const answer = async (incoming: http.IncomingMessage, outgoing: http.ServerResponse) => {
    const body = await readBody(incoming);
    const url = incoming.url ?? '';
    const below = url.startsWith(`${basePath}/`) ? url.slice(basePath.length) : undefined;
    const headers = plainHeaders(incoming.headers);
    const method = incoming.method ?? '';
    seen.push({ method, url: below ?? url, headers, body: readable(body, headers['content-type']) });
    if (below === undefined) {
      send(outgoing, { status: 404, text: 'There is nothing outside of the base path' });
      return;
    }
    const request: ExchangeRequest = { method, url: below, headers, body };
    const fault = takeFault(faults, method, below);
    if (fault?.kind === 'break before') {
      onExchange?.(request, undefined);
      incoming.socket.destroy();
      return;
    }
    const asked = askedOf(request);
    const reply = fault?.kind === 'answer' ? fault.reply : await around(asked, () => route(compiled, asked, unknown));
    if (fault?.kind === 'break after') {
      onExchange?.(request, undefined);
      incoming.socket.destroy();
      return;
    }
    const whole = () => {
      const sent = send(outgoing, reply);
      onExchange?.(request, fault?.kind === 'answer' ? undefined : sent);
      exchanges.push({ request, answer: sent });
    };
    if (fault?.kind !== 'late') {
      whole();
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      whole();
    }, fault.milliseconds);
    timers.add(timer);
  };

  const server = http.createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch((error: unknown) => {
      // A fault of the stand-in itself must be seen in the test, not taken for a bad connection.
      send(outgoing, { status: 599, text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const { address = '127.0.0.1' } = settings;
  server.listen(0, address);
  await once(server, 'listening');
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}${basePath}`,
    seen,
    exchanges,
    fail: (fault) => void faults.push({ fault, left: fault.times ?? 1, pass: fault.after ?? 0 }),
    forget: () => {
      seen.splice(0);
      exchanges.splice(0);
      faults.splice(0);
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The body as JSON, or undefined. */
export function jsonOf({ body }: Asked): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

interface Compiled {
  readonly route: Route;
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

function compile(route: Route): Compiled {
  const names: string[] = [];
  const pattern = route.template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{([^{}]*)\}/g, (_, name: string) => {
    names.push(name);
    return '([^/]+)';
  });
  return { route, pattern: new RegExp(`^${pattern}$`), names };
}

/** The first route that fits, so a literal path is listed before one with a parameter. */
async function route(compiled: readonly Compiled[], asked: Asked, unknown: (asked: Asked) => Reply): Promise<Reply> {
  for (const { route: candidate, pattern, names } of compiled) {
    if (candidate.method !== asked.method) continue;
    const found = pattern.exec(asked.path);
    if (found === null) continue;
    const params = Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(found[index + 1] ?? '')]));
    return candidate.handle({ ...asked, params });
  }
  return unknown(asked);
}

interface Waiting {
  readonly fault: Fault;
  left: number;
  pass: number;
}

function takeFault(faults: Waiting[], method: string, url: string): Fault | undefined {
  for (const waiting of faults) {
    const { fault } = waiting;
    if (waiting.left === 0 || (fault.method ?? method) !== method || fault.path?.test(url) === false) continue;
    if (waiting.pass > 0) {
      waiting.pass -= 1;
      continue;
    }
    waiting.left -= 1;
    return fault;
  }
  return undefined;
}

async function readBody(incoming: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function plainHeaders(headers: http.IncomingHttpHeaders): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function askedOf({ method, url, headers, body }: ExchangeRequest): Asked {
  const [path = '', query = ''] = url.split('?');
  return { method, path, params: {}, query: new URLSearchParams(query), headers, body };
}

function readable(body: Buffer, contentType: string | undefined): unknown {
  if (body.length === 0) return undefined;
  const text = body.toString('utf8');
  if (contentType?.startsWith('application/json') !== true) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function send(outgoing: http.ServerResponse, { status, headers = {}, json, text, bytes }: Reply): ExchangeAnswer {
  const type = json !== undefined ? 'application/json' : text !== undefined ? 'text/plain' : undefined;
  const body = bytes ?? Buffer.from(json !== undefined ? JSON.stringify(json) : (text ?? ''));
  const all = { ...(type !== undefined && { 'content-type': type }), ...headers };
  outgoing.writeHead(status, { ...all, 'content-length': body.length });
  outgoing.end(body);
  return { status, headers: all, body };
}
