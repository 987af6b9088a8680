import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

interface Stored {
  readonly bytes: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  readonly at: Date;
}

interface Key {
  readonly secret: string;
  readonly mayDelete: boolean;
}

/**
 * As much of S3 as rclone needs. Every request has to be signed (version 4) by a key that it knows, and a key may be one
 * that cannot delete, as people give it to whoever only uploads.
 */
export interface BucketStorage {
  /** What stands by bucket and key: `media/photos/1`. */
  readonly objects: Map<string, Stored>;
  /** `GET media/photos/1`, as it was asked for and answered. */
  readonly asked: string[];
  /** Folders that nobody may list: `images/`. */
  readonly closed: Set<string>;
  readonly make: (bucket: string) => void;
  readonly put: (path: string, bytes: Buffer | string) => void;
  /** The section of an rclone configuration that uses it. */
  readonly section: (name: string, key: 'writer' | 'keeper') => string;
  readonly secrets: readonly string[];
  readonly stop: () => Promise<void>;
}

class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

export async function startBucketStorage(): Promise<BucketStorage> {
  const objects = new Map<string, Stored>();
  const buckets = new Set<string>();
  const asked: string[] = [];
  const closed = new Set<string>();
  const word = () => randomBytes(20).toString('hex');
  const keys = new Map<string, Key>([
    ['writer', { secret: word(), mayDelete: false }],
    ['keeper', { secret: word(), mayDelete: true }],
  ]);
  const server = createServer((request, response) => {
    request.on('error', () => undefined);
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      try {
        answer(request, response, Buffer.concat(pieces), { objects, buckets, asked, closed, keys });
      } catch (error) {
        const { status, code } = error instanceof Refusal ? error : new Refusal(500, 'InternalError');
        response.writeHead(status, { 'content-type': 'application/xml' });
        response.end(request.method === 'HEAD' ? '' : `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    objects,
    asked,
    closed,
    make: (bucket) => void buckets.add(bucket),
    put: (path, bytes) =>
      void objects.set(path, { bytes: Buffer.from(bytes), metadata: {}, at: new Date('2026-01-31T02:00:00Z') }),
    section: (name, key) =>
      [
        `[${name}]`,
        'type = s3',
        'provider = Other',
        `endpoint = http://127.0.0.1:${port}`,
        `access_key_id = ${key}`,
        `secret_access_key = ${keys.get(key)?.secret}`,
        'force_path_style = true',
        'no_check_bucket = true',
        '',
      ].join('\n'),
    secrets: [...keys.values()].map(({ secret }) => secret),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface World extends Pick<BucketStorage, 'objects' | 'asked' | 'closed'> {
  readonly buckets: ReadonlySet<string>;
  readonly keys: ReadonlyMap<string, Key>;
}

function answer(request: IncomingMessage, response: ServerResponse, body: Buffer, world: World): void {
  const { objects, asked, buckets, closed } = world;
  const [rawPath = '/', rawQuery = ''] = (request.url ?? '/').split('?');
  const key = signer(request, rawPath, rawQuery, world.keys);
  const query = new URLSearchParams(rawQuery);
  const path = decodeURIComponent(rawPath).replace(/^\//, '').replace(/\/$/, '');
  const [bucket = '', ...rest] = path.split('/');
  if (!buckets.has(bucket)) throw new Refusal(404, 'NoSuchBucket');
  asked.push(`${request.method} ${path}`);
  const say = (status: number, headers: Record<string, string | number> = {}, content: Buffer | string = '') => {
    response.writeHead(status, headers);
    response.end(request.method === 'HEAD' ? undefined : content);
  };
  if (rest.length === 0) {
    if (closed.has(query.get('prefix') ?? '')) throw new Refusal(403, 'AccessDenied');
    if (request.method === 'GET') say(200, { 'content-type': 'application/xml' }, listing(bucket, query, objects));
    else if (request.method === 'POST' && query.has('delete')) {
      if (!key.mayDelete) throw new Refusal(403, 'AccessDenied');
      for (const [, name = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) objects.delete(`${bucket}/${name}`);
      say(200, { 'content-type': 'application/xml' }, '<DeleteResult></DeleteResult>');
    } else say(200);
    return;
  }
  const found = objects.get(path);
  switch (request.method) {
    case 'PUT': {
      const source = request.headers['x-amz-copy-source'];
      const from = typeof source === 'string' ? objects.get(decodeURIComponent(source).replace(/^\//, '')) : undefined;
      if (source !== undefined && from === undefined) throw new Refusal(404, 'NoSuchKey');
      const bytes = from?.bytes ?? body;
      const sum = request.headers['content-md5'];
      if (typeof sum === 'string' && sum !== createHash('md5').update(body).digest('base64'))
        throw new Refusal(400, 'BadDigest');
      const metadata = Object.fromEntries(
        Object.entries(request.headers).flatMap(([name, value]) =>
          name.startsWith('x-amz-meta-') && typeof value === 'string' ? [[name, value]] : [],
        ),
      );
      objects.set(path, { bytes, metadata: from?.metadata ?? metadata, at: new Date() });
      const copied = `<CopyObjectResult><ETag>"${etag(bytes)}"</ETag><LastModified>${new Date().toISOString()}</LastModified></CopyObjectResult>`;
      say(200, { etag: `"${etag(bytes)}"` }, from === undefined ? '' : copied);
      return;
    }
    case 'HEAD':
    case 'GET': {
      if (found === undefined) throw new Refusal(404, 'NoSuchKey');
      const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(String(request.headers.range)) ?? [];
      const from = first === undefined ? 0 : first === '' ? found.bytes.length - Number(last) : Number(first);
      const to = first === undefined || first === '' || last === '' ? found.bytes.length : Number(last) + 1;
      const bytes = found.bytes.subarray(from, to);
      const range = { 'content-range': `bytes ${from}-${from + bytes.length - 1}/${found.bytes.length}` };
      say(
        first === undefined ? 200 : 206,
        {
          ...found.metadata,
          ...(first !== undefined && range),
          'content-length': bytes.length,
          'last-modified': found.at.toUTCString(),
          etag: `"${etag(found.bytes)}"`,
        },
        bytes,
      );
      return;
    }
    case 'DELETE':
      if (!key.mayDelete) throw new Refusal(403, 'AccessDenied');
      objects.delete(path);
      say(204);
      return;
    default:
      throw new Refusal(501, 'NotImplemented');
  }
}

function etag(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Both versions of the list, a page at a time. */
function listing(bucket: string, query: URLSearchParams, objects: BucketStorage['objects']): string {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const after = query.get('continuation-token') ?? query.get('start-after') ?? query.get('marker') ?? '';
  const limit = Math.min(Number(query.get('max-keys') ?? '1000'), 1000);
  const encoded = query.get('encoding-type') === 'url';
  const shownAs = (name: string) =>
    encoded ? encodeURIComponent(name).replaceAll('%2F', '/') : name.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const entries = new Map<string, string>();
  const names = [...objects.keys()].flatMap((each) =>
    each.startsWith(`${bucket}/${prefix}`) ? [each.slice(bucket.length + 1)] : [],
  );
  for (const name of names.sort()) {
    const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
    const shown = end < 0 ? name : name.slice(0, end + 1);
    if (shown <= after || entries.has(shown)) continue;
    if (end >= 0) {
      entries.set(shown, `<CommonPrefixes><Prefix>${shownAs(shown)}</Prefix></CommonPrefixes>`);
      continue;
    }
    const { bytes, at } = objects.get(`${bucket}/${name}`) ?? { bytes: Buffer.alloc(0), at: new Date() };
    entries.set(
      shown,
      `<Contents><Key>${shownAs(name)}</Key><LastModified>${at.toISOString()}</LastModified><ETag>"${etag(bytes)}"</ETag><Size>${bytes.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
  }
  const page = [...entries].slice(0, limit);
  const more = entries.size > limit;
  const next = shownAs(page.at(-1)?.[0] ?? '');
  return `<?xml version="1.0"?><ListBucketResult><Name>${bucket}</Name>${encoded ? '<EncodingType>url</EncodingType>' : ''}<IsTruncated>${more}</IsTruncated>${more ? `<NextMarker>${next}</NextMarker><NextContinuationToken>${next}</NextContinuationToken>` : ''}${page.map(([, text]) => text).join('')}</ListBucketResult>`;
}

/** Whose key has signed the request; nobody else is answered. */
function signer({ method = '', headers }: IncomingMessage, path: string, query: string, keys: World['keys']): Key {
  const [, name = '', scope = '', signed = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  const key = keys.get(name);
  if (key === undefined) throw new Refusal(403, 'InvalidAccessKeyId');
  const words = query
    .split('&')
    .filter((each) => each !== '')
    .map((each) => (each.includes('=') ? each : `${each}=`))
    .sort();
  const canonical = [
    method,
    path,
    words.join('&'),
    ...signed.split(';').map(
      (each) =>
        `${each}:${String(headers[each] ?? '')
          .trim()
          .replace(/ +/g, ' ')}`,
    ),
    '',
    signed,
    String(headers['x-amz-content-sha256']),
  ].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const text = ['AWS4-HMAC-SHA256', String(headers['x-amz-date']), scope, hash].join('\n');
  let secret: Buffer | string = `AWS4${key.secret}`;
  for (const part of scope.split('/')) secret = createHmac('sha256', secret).update(part).digest();
  if (createHmac('sha256', secret).update(text).digest('hex') !== signature)
    throw new Refusal(403, 'SignatureDoesNotMatch');
  return key;
}
