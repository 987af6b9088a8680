import { X509Certificate } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';

import type { Proxy, Route } from './proxy';
import type { HttpSettings } from './settings';
import { ConnectError, kindOf, reasonOf } from './trouble';

/** Where a request takes its connection from. */
export type Agents = { readonly httpAgent: http.Agent; readonly httpsAgent: https.Agent };

export interface AgentPool {
  /**
   * A `fresh` connection was used by nobody before. What may not be sent twice takes one: on a kept one the server's
   * farewell may cross the request, and nobody could tell whether it was received.
   */
  readonly agentsFor: (route: Route, fresh: boolean) => Agents;
  readonly close: () => void;
}

interface ConnectionSettings {
  readonly connectMs: number;
  readonly openSocket: HttpSettings['openSocket'];
  readonly privateAuthority: string | undefined;
}

// Shorter than the usual keep-alive of servers (5 s), so that we hang up first.
const keptIdleMs = 4_000;

export function createAgentPool(settings: ConnectionSettings): AgentPool {
  const pool = new Map<string, Agents>();
  const context = once(() => trust(settings.privateAuthority));
  return {
    agentsFor(route, fresh) {
      const key = JSON.stringify([route, fresh]);
      const known = pool.get(key);
      if (known) return known;
      const made = createAgents(route, fresh, settings, context);
      pool.set(key, made);
      return made;
    },
    close() {
      for (const { httpAgent, httpsAgent } of pool.values()) {
        httpAgent.destroy();
        httpsAgent.destroy();
      }
      pool.clear();
    },
  };
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The public authorities and the private one. Made once: reading them all takes tens of milliseconds. */
function trust(privateAuthority: string | undefined): tls.SecureContext | undefined {
  if (privateAuthority === undefined) return undefined;
  // Knows NODE_EXTRA_CA_CERTS too, where this Node has it.
  const known = (tls as Partial<typeof tls>).getCACertificates?.('default') ?? [...tls.rootCertificates];
  try {
    // The context would pass over what is no certificate, and the server would seem to be at fault.
    new X509Certificate(privateAuthority);
    return tls.createSecureContext({ ca: [...known, privateAuthority] });
  } catch {
    throw new ConnectError('tls', 'INVALID_CA');
  }
}

type Connect = (options: Target) => Promise<Duplex>;
type Target = {
  readonly host: string;
  readonly port: number;
  readonly servername: string | undefined;
  readonly signal: AbortSignal;
};

function createAgents(
  route: Route,
  fresh: boolean,
  settings: ConnectionSettings,
  context: () => tls.SecureContext | undefined,
): Agents {
  const open: Connect = async (target) => {
    if (settings.openSocket) return likeSocket(await settings.openSocket(target.signal));
    if (route.kind === 'tunnel') return openTunnel(route.proxy, target);
    // A plain request for a proxy is addressed to the proxy: it is the target here.
    return route.kind === 'forward' ? viaProxy(route.proxy, () => openTcp(target)) : openTcp(target);
  };
  const openSecure: Connect = async (target) => secure(await open(target), target, context());
  const options =
    fresh || settings.openSocket !== undefined ? { keepAlive: false } : { keepAlive: true, timeout: keptIdleMs };

  // Agents call createConnection with their own mixture of options; only what is needed is taken from it.
  const connectWith =
    (connect: Connect) => (given: object, callback?: (error: Error | null, socket: Duplex) => void) => {
      withDeadline(settings.connectMs, parseTarget(given), connect).then(
        (socket) => callback?.(null, socket),
        (error: unknown) => callback?.(error as Error, undefined as never),
      );
      return undefined;
    };
  const httpAgent = Object.assign(new http.Agent(options), { createConnection: connectWith(open) });
  const httpsAgent = Object.assign(new https.Agent(options), { createConnection: connectWith(openSecure) });
  return { httpAgent, httpsAgent };
}

/** Node's HTTP client also asks for what only network sockets have; an SSH channel lets these calls pass. */
function likeSocket(stream: Duplex): Duplex {
  const pass = () => stream;
  return Object.assign(stream, {
    ...Object.fromEntries(
      ['setTimeout', 'setKeepAlive', 'setNoDelay', 'ref', 'unref']
        .filter((name) => !(name in stream))
        .map((name) => [name, pass]),
    ),
  });
}

function parseTarget(given: object): Target {
  const { host, port, servername, connectSignal: signal } = given as Record<string, unknown>;
  return {
    host: String(host),
    port: Number(port),
    servername: typeof servername === 'string' && servername !== '' ? servername : undefined,
    signal: signal instanceof AbortSignal ? signal : new AbortController().signal,
  };
}

async function withDeadline(milliseconds: number, target: Target, connect: Connect): Promise<Duplex> {
  const stop = new AbortController();
  const abort = () => stop.abort();
  target.signal.addEventListener('abort', abort, { once: true });
  if (target.signal.aborted) abort();
  const time = { over: false };
  const timer = setTimeout(() => {
    time.over = true;
    abort();
  }, milliseconds);
  try {
    return await connect({ ...target, signal: stop.signal });
  } catch (error) {
    if (time.over && !target.signal.aborted) {
      throw error instanceof ConnectError && error.proxy !== undefined
        ? new ConnectError('proxy unreachable', 'ETIMEDOUT', error.proxy)
        : new ConnectError('timeout', 'ETIMEDOUT');
    }
    throw error instanceof ConnectError ? error : new ConnectError(kindOf(reasonOf(error)), reasonOf(error));
  } finally {
    clearTimeout(timer);
    target.signal.removeEventListener('abort', abort);
  }
}

/** Resolves when the socket says `ready`; until then an error or the signal ends it. */
function settled<Socket extends Duplex>(socket: Socket, ready: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      signal.removeEventListener('abort', stop);
      socket.off(ready, succeed).off('error', finish).off('close', closed);
      if (error === undefined) {
        resolve(socket);
        return;
      }
      socket.on('error', () => undefined).destroy();
      reject(error);
    };
    const succeed = () => finish();
    const closed = () => finish(new ConnectError('cut off', 'ECONNRESET'));
    const stop = () => finish(new ConnectError('cut off', 'ABORTED'));
    socket.on(ready, succeed).on('error', finish).on('close', closed);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}

function openTcp({ host, port, signal }: Pick<Target, 'host' | 'port' | 'signal'>): Promise<net.Socket> {
  return settled(net.connect({ host, port, noDelay: true }), 'connect', signal);
}

function secure(
  socket: Duplex,
  { host, servername, signal }: Target,
  context?: tls.SecureContext,
): Promise<tls.TLSSocket> {
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  return settled(
    tls.connect({
      socket,
      // Checked against the certificate, also where it is an IP address and so no servername.
      host,
      ...(name !== undefined && { servername: name }),
      ...(context !== undefined && { secureContext: context }),
      ALPNProtocols: ['http/1.1'],
    }),
    'secureConnect',
    signal,
  );
}

export function proxyName({ host, port }: Proxy): string {
  return net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

async function viaProxy<Socket>(proxy: Proxy, connect: () => Promise<Socket>): Promise<Socket> {
  try {
    return await connect();
  } catch (error) {
    if (error instanceof ConnectError && error.proxy !== undefined) throw error;
    const reason = error instanceof ConnectError ? error.reason : reasonOf(error);
    throw new ConnectError('proxy unreachable', reason, proxyName(proxy));
  }
}

function openTunnel(proxy: Proxy, { host, port, signal }: Target): Promise<Duplex> {
  return viaProxy(proxy, async () => {
    const tcp = await openTcp({ host: proxy.host, port: proxy.port, signal });
    const toProxy = { host: proxy.host, port: proxy.port, servername: undefined, signal };
    const socket = proxy.protocol === 'https:' ? await secure(tcp, toProxy) : tcp;
    const authority = net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
    const authorization =
      proxy.user === undefined
        ? []
        : [`Proxy-Authorization: Basic ${Buffer.from(`${proxy.user}:${proxy.password ?? ''}`).toString('base64')}`];
    socket.write([`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...authorization, '', ''].join('\r\n'));
    const status = await readConnectAnswer(socket, signal);
    if (status >= 200 && status < 300) return socket;
    socket.on('error', () => undefined).destroy();
    throw new ConnectError('proxy refused', `HTTP_${status}`, proxyName(proxy), status);
  });
}

const longestConnectAnswer = 16 * 1024;

/** Reads up to the empty line; what follows belongs to the server and is put back. */
function readConnectAnswer(socket: Duplex, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0);
    const finish = (status: number | Error) => {
      socket.off('readable', look).off('error', finish).off('end', ended).off('close', ended);
      signal.removeEventListener('abort', stop);
      if (typeof status === 'number') {
        resolve(status);
        return;
      }
      socket.on('error', () => undefined).destroy();
      reject(status);
    };
    const ended = () => finish(new ConnectError('cut off', 'ECONNRESET'));
    const stop = () => finish(new ConnectError('cut off', 'ABORTED'));
    const look = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf('\r\n\r\n');
      if (end === -1) {
        if (read.length > longestConnectAnswer) finish(new ConnectError('not http', 'HPE_HEADER_OVERFLOW'));
        return;
      }
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(read.toString('latin1', 0, end))?.[1];
      if (status === undefined) {
        finish(new ConnectError('not http', 'HPE_INVALID_CONSTANT'));
        return;
      }
      const rest = read.subarray(end + 4);
      finish(Number(status));
      if (rest.length > 0) socket.unshift(rest);
    };
    socket.on('readable', look).on('error', finish).on('end', ended).on('close', ended);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
