import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isObject } from '../../../../lib/json';

interface Stored {
  readonly bytes: Buffer;
  readonly metadata: unknown;
}

/**
 * As much of Google Cloud Storage as rclone needs, behind OAuth whose refresh tokens are good for one time: each refresh
 * gives a new one, and whoever comes with an old one is refused, as OneDrive does in the end.
 */
export interface RotatingStorage {
  readonly url: string;
  /** How often a token was refreshed. */
  readonly refreshes: () => number;
  /** Refresh tokens that came a second time. */
  readonly reused: () => number;
  readonly files: () => ReadonlyMap<string, Buffer>;
  /** What a configuration has after a login whose access token is over by now. */
  readonly firstToken: string;
  readonly stop: () => Promise<void>;
}

/** An access token lives for a second: rclone calls it expired ten seconds early. */
const LIFE_SECONDS = 11;

export async function startRotatingStorage(): Promise<RotatingStorage> {
  let refresh = `refresh-${randomBytes(12).toString('hex')}`;
  const access = new Map<string, number>();
  let refreshes = 0;
  let reused = 0;
  const files = new Map<string, Stored>();
  let url = '';
  const server = createServer((request, response) => {
    request.on('error', () => undefined);
    void bodyOf(request).then((body) => answer(request, response, body));
  });

  function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://storage');
    const say = (status: number, value: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (pathname === '/token') {
      const form = new URLSearchParams(body.toString());
      if (form.get('refresh_token') !== refresh) {
        reused += 1;
        say(400, { error: 'invalid_grant', error_description: 'the refresh token was used before' });
        return;
      }
      refreshes += 1;
      refresh = `refresh-${randomBytes(12).toString('hex')}`;
      const token = randomBytes(12).toString('hex');
      access.set(token, Date.now() + LIFE_SECONDS * 1000);
      say(200, { access_token: token, token_type: 'Bearer', refresh_token: refresh, expires_in: LIFE_SECONDS });
      return;
    }
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if ((access.get(token) ?? 0) < Date.now()) {
      say(401, { error: { code: 401, message: 'Invalid Credentials' } });
      return;
    }
    const [, upload = '', bucket = '', object] =
      /^(\/upload)?\/storage\/v1\/b\/([^/]+)(?:\/o(?:\/(.*))?)?$/.exec(pathname) ?? [];
    const name = decodeURIComponent(object ?? '');
    if (bucket === '') {
      say(404, { error: { code: 404, message: `no ${pathname}` } });
      return;
    }
    if (upload !== '' && request.method === 'POST') {
      const { metadata, bytes } = multipart(request.headers['content-type'] ?? '', body);
      const key =
        isObject(metadata) && typeof metadata['name'] === 'string'
          ? metadata['name']
          : (searchParams.get('name') ?? '');
      files.set(key, { bytes, metadata: isObject(metadata) ? metadata['metadata'] : undefined });
      say(200, facts(bucket, key));
      return;
    }
    const [from = '', to = ''] = name.split(`/rewriteTo/b/${bucket}/o/`);
    if (to !== '' && request.method === 'POST') {
      const known = files.get(from);
      if (known === undefined) {
        say(404, { error: { code: 404, message: 'Not Found' } });
        return;
      }
      files.set(to, known);
      say(200, { done: true, resource: facts(bucket, to) });
      return;
    }
    if (!/\/o(\/|$)/.test(pathname)) {
      say(200, { name: bucket });
      return;
    }
    if (object === undefined || object === '') {
      say(200, list(bucket, searchParams.get('prefix') ?? '', searchParams.get('delimiter') ?? ''));
      return;
    }
    const known = files.get(name);
    if (known === undefined) {
      say(404, { error: { code: 404, message: 'Not Found' } });
      return;
    }
    if (request.method === 'DELETE') {
      files.delete(name);
      response.writeHead(204).end();
    } else if (searchParams.get('alt') === 'media') response.writeHead(200).end(known.bytes);
    else say(200, facts(bucket, name));
  }

  function facts(bucket: string, name: string) {
    const { bytes, metadata } = files.get(name) ?? { bytes: Buffer.alloc(0), metadata: undefined };
    return {
      kind: 'storage#object',
      bucket,
      name,
      size: String(bytes.length),
      md5Hash: createHash('md5').update(bytes).digest('base64'),
      updated: '2026-01-31T02:00:00Z',
      metadata,
      mediaLink: `${url}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`,
    };
  }

  function list(bucket: string, prefix: string, delimiter: string) {
    const names = [...files.keys()].filter((name) => name.startsWith(prefix)).sort();
    const folderOf = (name: string) => {
      const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
      return end < 0 ? undefined : name.slice(0, end + 1);
    };
    return {
      items: names.filter((name) => folderOf(name) === undefined).map((name) => facts(bucket, name)),
      prefixes: [...new Set(names.flatMap((name) => folderOf(name) ?? []))],
    };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return {
    url,
    refreshes: () => refreshes,
    reused: () => reused,
    files: () => new Map([...files].map(([name, { bytes }]) => [name, bytes])),
    firstToken: JSON.stringify({
      access_token: 'over',
      token_type: 'Bearer',
      refresh_token: refresh,
      expiry: '2026-01-01T00:00:00Z',
    }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of request) pieces.push(piece as Buffer);
  } catch {
    // Whoever hung up gets no answer.
  }
  return Buffer.concat(pieces);
}

/** The two parts of an upload: JSON, and the bytes. */
function multipart(type: string, body: Buffer): { metadata: unknown; bytes: Buffer } {
  const boundary = /boundary="?([^";]+)/.exec(type)?.[1];
  if (boundary === undefined) return { metadata: undefined, bytes: body };
  const mark = Buffer.from(`--${boundary}`);
  const parts: Buffer[] = [];
  for (let at = body.indexOf(mark); at >= 0;) {
    const next = body.indexOf(mark, at + mark.length);
    if (next < 0) break;
    // With the line end behind the mark, because a part may come without any header.
    const part = body.subarray(at + mark.length, next - 2);
    parts.push(part.subarray(part.indexOf('\r\n\r\n') + 4));
    at = next;
  }
  const [json = Buffer.from('null'), bytes = Buffer.alloc(0)] = parts;
  return { metadata: JSON.parse(json.toString()), bytes };
}
