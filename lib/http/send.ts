import * as http from 'node:http';
import * as https from 'node:https';
import type { Readable } from 'node:stream';

import type { WireBody } from './body';
import type { AgentPool } from './connect';
import type { Route } from './proxy';
import type { Method } from './request';
import type { Headers } from './settings';
import { reasonOf, type Trouble, troubleOf } from './trouble';

export interface Shipment {
  readonly method: Method;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: WireBody;
  readonly route: Route;
  readonly agents: AgentPool;
  readonly freshConnection: boolean;
  readonly signal: AbortSignal;
  /** Called when a connection stands and bytes begin to leave. */
  readonly onSent: () => void;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** As it came: not decoded, not limited. */
  readonly body: Readable;
}

export type Sent = { readonly answer: RawAnswer } | { readonly trouble: Trouble };

/** One request, one answer: no redirect, no retry, no judgement of the status. */
export async function send({
  method,
  url,
  headers,
  body,
  route,
  agents,
  freshConnection,
  signal,
  onSent,
}: Shipment): Promise<Sent> {
  const { axios } = await import('../../vendor/axios');
  const failed = sourceTrouble(body, false);
  if (failed) return { trouble: failed };
  const connection = { sent: false };
  // Our place in the client library: here the request can be watched, and its connection hears the signal.
  const transport = {
    request(options: https.RequestOptions, onAnswer: (answer: http.IncomingMessage) => void): http.ClientRequest {
      const { request } = options.protocol === 'https:' ? https : http;
      // Node keeps the signal from the agent, which makes the connection; connectSignal is read there.
      const heard: object = { ...options, signal, connectSignal: signal };
      return request(heard, onAnswer).once('socket', () => {
        connection.sent = true;
        onSent();
      });
    },
  };
  try {
    const {
      status,
      headers: answered,
      data,
    } = await axios.request<Readable>({
      method,
      url: url.href,
      headers: { ...headers, 'content-type': body.kind === 'none' ? null : body.contentType, ...lengthOf(body) },
      data: body.kind === 'none' ? undefined : body.kind === 'bytes' ? body.bytes : body.stream,
      ...agents.agentsFor(route, freshConnection),
      proxy: route.kind === 'forward' ? forwardProxy(route) : false,
      transport,
      adapter: 'http',
      responseType: 'stream',
      decompress: false,
      maxRedirects: 0,
      maxBodyLength: Infinity,
      maxContentLength: Infinity,
      validateStatus: () => true,
      transformRequest: [(data: unknown) => data],
      transformResponse: [(data: unknown) => data],
    });
    return { answer: { status, headers: plainHeaders(answered), body: data } };
  } catch (error) {
    const source = sourceTrouble(body, connection.sent);
    if (source) return { trouble: source };
    // Not the network's fault but ours; trying again would not help.
    if (!connection.sent && madeWrong.test(reasonOf(error))) throw error;
    return { trouble: troubleOf(error, connection.sent) };
  }
}

const madeWrong = /^ERR_(INVALID|BAD_OPTION|NOT_SUPPORT|HTTP_INVALID|UNESCAPED)/;

function sourceTrouble(body: WireBody, sent: boolean): Trouble | undefined {
  const error = body.kind === 'stream' ? body.sourceError() : undefined;
  if (error === undefined) return undefined;
  const { reason } = troubleOf(error, sent);
  // A body that stops short of its announced length is no request yet; one that is too long may have been taken.
  return { kind: 'upload source', reason, sent: sent && reason === 'TOO_LONG' };
}

function lengthOf(body: WireBody): Headers {
  return body.kind === 'stream' ? { 'content-length': String(body.length) } : {};
}

function forwardProxy({ proxy }: Extract<Route, { kind: 'forward' }>) {
  const { protocol, host, port, user, password = '' } = proxy;
  return { protocol, host, port, ...(user !== undefined && { auth: { username: user, password } }) };
}

function plainHeaders(given: object): Headers {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]: [string, unknown]) => {
      if (typeof value === 'string') return [[name.toLowerCase(), value]];
      return Array.isArray(value) ? [[name.toLowerCase(), value.join(', ')]] : [];
    }),
  );
}
