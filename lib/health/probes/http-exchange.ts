import type { Duplex } from 'node:stream';
import { Wrong } from './probe';

export interface Asked {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  /** By names in lower case; of one that came several times the values are joined. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

const LARGEST_HEAD = 64 * 1024;
const LARGEST_BODY = 1024 * 1024;
const CRLF = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * One request and its answer over a line of its own. Node's client would do, and costs as much time and memory again as
 * all the rest of a look, which counts where a thousand looks are made every ten seconds in the process of n8n.
 */
export function exchange(line: Duplex, asked: Asked): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    let head: Head | undefined;
    let bodyFrom = 0;
    const take = (ended: boolean) => {
      try {
        if (head === undefined) {
          const all = whole(parts);
          const found = readHead(all);
          if (found === undefined) {
            if (size > LARGEST_HEAD) throw new Wrong('what listens there is no HTTP server');
            if (ended) throw new Wrong(size === 0 ? 'it hung up without a word' : 'its answer breaks off');
            return;
          }
          ({ head, bodyFrom } = found);
        }
        if (size - bodyFrom > LARGEST_BODY + LARGEST_HEAD) throw new Wrong('its answer is larger than 1 MiB');
        const body = readBody(whole(parts).subarray(bodyFrom), head, asked.method, ended);
        if (body === undefined) return;
        if (body.length > LARGEST_BODY) throw new Wrong('its answer is larger than 1 MiB');
        done();
        resolve({ status: head.status, headers: head.headers, body: body.toString('utf8') });
      } catch (error) {
        fail(error);
      }
    };
    const onData = (part: Buffer) => {
      parts.push(part);
      size += part.length;
      take(false);
    };
    const onEnd = () => take(true);
    const fail = (error: unknown) => {
      done();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onClose = () => fail(new Wrong(size === 0 ? 'it hung up without a word' : 'its answer breaks off'));
    const done = () => {
      line.off('data', onData).off('end', onEnd).off('error', fail).off('close', onClose);
    };
    line.on('data', onData).on('end', onEnd).on('error', fail).on('close', onClose);
    line.write(requestText(asked));
  });
}

function whole(parts: Buffer[]): Buffer {
  if (parts.length > 1) parts.splice(0, parts.length, Buffer.concat(parts));
  return parts[0] ?? Buffer.alloc(0);
}

function requestText({ url, method, headers, body }: Asked): string {
  const given = Object.entries(headers);
  const named = new Set(given.map(([name]) => name.toLowerCase()));
  const usual = [
    ['host', url.host],
    ['user-agent', 'n8n-nodes-selfhost'],
    ['accept', '*/*'],
    ...(body === undefined ? [] : [['content-length', String(Buffer.byteLength(body))]]),
  ].filter(([name = '']) => !named.has(name));
  const all = [...usual, ...given, ['connection', 'close']];
  const lines = all.map(([name = '', value = '']) => {
    // Whoever could put a line end into a header could put a whole request behind it.
    if (!/^[!#$%&'*+.^`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value))
      throw new Wrong(`its header ${name} cannot be sent`);
    return `${name}: ${value}`;
  });
  return `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** The head of the answer, once it is there; what only says to go on is passed over. */
function readHead(bytes: Buffer): { readonly head: Head; readonly bodyFrom: number } | undefined {
  let from = 0;
  while (true) {
    const end = bytes.indexOf(HEAD_END, from);
    if (end < 0) {
      // Something else that listens there says so in its first bytes.
      const start = bytes.toString('latin1', from, from + 5);
      if (start.length === 5 && start !== 'HTTP/') throw new Wrong('what listens there is no HTTP server');
      return undefined;
    }
    const [first = '', ...lines] = bytes.toString('latin1', from, end).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]);
    if (!Number.isInteger(status)) throw new Wrong('what listens there is no HTTP server');
    from = end + HEAD_END.length;
    if (status >= 100 && status < 200 && status !== 101) continue;
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon < 1) throw new Wrong('its answer has a header that cannot be read');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      const before = headers.get(name);
      headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    return { head: { status, headers }, bodyFrom: from };
  }
}

/** The whole body, or undefined while more has to come. */
function readBody(bytes: Buffer, { status, headers }: Head, method: string, ended: boolean): Buffer | undefined {
  if (method === 'HEAD' || status === 204 || status === 304) return Buffer.alloc(0);
  if (/\bchunked\b/i.test(headers.get('transfer-encoding') ?? '')) return readChunks(bytes, ended);
  const length = headers.get('content-length');
  if (length === undefined) return ended ? bytes : undefined;
  if (!/^\d+$/.test(length)) throw new Wrong('its answer does not say how long it is');
  if (Number(length) > LARGEST_BODY) throw new Wrong('its answer is larger than 1 MiB');
  if (bytes.length >= Number(length)) return bytes.subarray(0, Number(length));
  if (ended) throw new Wrong('its answer breaks off');
  return undefined;
}

function readChunks(bytes: Buffer, ended: boolean): Buffer | undefined {
  const chunks: Buffer[] = [];
  for (let from = 0; ;) {
    const end = bytes.indexOf(CRLF, from);
    if (end < 0) break;
    const text = /^([0-9a-f]{1,8})\s*(?:;.*)?$/i.exec(bytes.toString('latin1', from, end))?.[1];
    if (text === undefined) throw new Wrong('its answer is in pieces that cannot be read');
    const size = parseInt(text, 16);
    if (size === 0) return Buffer.concat(chunks);
    if (bytes.length < end + 2 + size + 2) break;
    chunks.push(bytes.subarray(end + 2, end + 2 + size));
    from = end + 2 + size + 2;
  }
  if (ended) throw new Wrong('its answer breaks off');
  return undefined;
}
