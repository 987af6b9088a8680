import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Registry {
  /** `10.1.2.1:5000`: stands in front of the names of its images. */
  readonly name: string;
  /** What was asked: `GET /v2/app/tags/list`. */
  readonly seen: readonly string[];
  /** Digest by tag. */
  readonly tagsOf: (repository: string) => ReadonlyMap<string, string>;
  readonly stop: () => Promise<void>;
}

export interface RegistryOptions {
  readonly address: string;
  /** Who may come in; by default everybody. A token is given out for it, as Docker Hub does. */
  readonly login?: { readonly user: string; readonly password: string };
  /** Tags on a page. */
  readonly pageSize?: number;
}

interface Stored {
  readonly type: string;
  readonly bytes: Buffer;
}

/** A registry in memory that speaks as much of the v2 API as a real dockerd needs to push, pull and compare. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Stored>();
  const tags = new Map<string, Map<string, string>>();
  const uploads = new Map<string, Buffer[]>();
  const seen: string[] = [];
  const token = randomBytes(12).toString('hex');

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://registry');
    const method = request.method ?? '';
    seen.push(`${method} ${url.pathname}`);
    const answer = (status: number, headers: Record<string, string> = {}, body: Buffer | string = '') =>
      response
        .writeHead(status, { 'docker-distribution-api-version': 'registry/2.0', ...headers })
        .end(method === 'HEAD' ? undefined : body);
    const refuse = (status: number, code: string) =>
      answer(status, { 'content-type': 'application/json' }, JSON.stringify({ errors: [{ code, message: code }] }));

    if (url.pathname === '/token') {
      const { login } = options;
      const expected = `Basic ${Buffer.from(`${login?.user ?? ''}:${login?.password ?? ''}`).toString('base64')}`;
      if (request.headers.authorization !== expected) refuse(401, 'UNAUTHORIZED');
      else answer(200, { 'content-type': 'application/json' }, JSON.stringify({ token }));
      return;
    }
    if (options.login !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      const realm = `Bearer realm="http://${name}/token",service="lab",scope="repository:*:pull,push"`;
      answer(401, { 'www-authenticate': realm, 'content-type': 'application/json' }, '{"errors":[]}');
      return;
    }
    if (url.pathname === '/v2/') {
      answer(200);
      return;
    }
    const [, repository = '', kind = '', rest = ''] =
      /^\/v2\/(.+?)\/(tags|manifests|blobs)\/(.*)$/.exec(url.pathname) ?? [];
    const known = tags.get(repository) ?? new Map<string, string>();
    if (kind === 'tags') {
      const after = url.searchParams.get('last') ?? '';
      const all = [...known.keys()].sort().filter((tag) => tag > after);
      const page = all.slice(0, options.pageSize ?? 1000);
      const link: Record<string, string> =
        page.length < all.length ? { link: `</v2/${repository}/tags/list?last=${page.at(-1) ?? ''}>; rel="next"` } : {};
      if (known.size === 0) refuse(404, 'NAME_UNKNOWN');
      else
        answer(200, { 'content-type': 'application/json', ...link }, JSON.stringify({ name: repository, tags: page }));
      return;
    }
    if (kind === 'manifests') {
      if (method === 'PUT') {
        const bytes = await buffer(request);
        const digest = sha256(bytes);
        manifests.set(digest, { type: request.headers['content-type'] ?? '', bytes });
        if (!rest.startsWith('sha256:')) tags.set(repository, new Map([...known, [rest, digest]]));
        answer(201, { 'docker-content-digest': digest, location: `/v2/${repository}/manifests/${digest}` });
        return;
      }
      const digest = rest.startsWith('sha256:') ? rest : (known.get(rest) ?? '');
      const found = manifests.get(digest);
      if (found === undefined) {
        refuse(404, 'MANIFEST_UNKNOWN');
        return;
      }
      const headers = { 'content-type': found.type, 'docker-content-digest': digest };
      answer(200, { ...headers, 'content-length': String(found.bytes.length) }, found.bytes);
      return;
    }
    if (kind === 'blobs' && rest.startsWith('uploads/')) {
      const id = rest.slice('uploads/'.length);
      const upload = id === '' ? randomBytes(8).toString('hex') : id;
      const parts = [...(uploads.get(upload) ?? []), await buffer(request)];
      uploads.set(upload, parts);
      const digest = url.searchParams.get('digest');
      if (digest === null) {
        const size = parts.reduce((sum, part) => sum + part.length, 0);
        answer(202, {
          location: `/v2/${repository}/blobs/uploads/${upload}`,
          'docker-upload-uuid': upload,
          range: `0-${Math.max(0, size - 1)}`,
        });
        return;
      }
      blobs.set(digest, Buffer.concat(parts));
      uploads.delete(upload);
      answer(201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest });
      return;
    }
    const blob = kind === 'blobs' ? blobs.get(rest) : undefined;
    if (blob === undefined) {
      refuse(404, 'BLOB_UNKNOWN');
      return;
    }
    const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': rest };
    answer(200, { ...headers, 'content-length': String(blob.length) }, blob);
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, options.address, resolve));
  const name = `${options.address}:${(server.address() as AddressInfo).port}`;
  return {
    name,
    seen,
    tagsOf: (repository) => tags.get(repository) ?? new Map<string, string>(),
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
