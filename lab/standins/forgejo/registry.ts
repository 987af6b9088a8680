import type { Asked, Reply } from '../http';
import { userOfToken } from './access';
import { isOf } from './images';
import type { State } from './state';

/** What is wrong with the storage, by digest. */
export type Damage =
  | 'lost'
  /** In the database, and not on the disk. */
  | 'unreadable'
  | { readonly content: Buffer };

/** The registry of container images at `/v2`, as far as it is read. */
export function serveRegistry(state: State, asked: Asked): Reply {
  if (asked.path === '/v2/token') return token(state, asked);
  if (!isKnown(state, asked)) {
    return {
      ...refused(401, 'UNAUTHORIZED', 'authGroup not found'),
      headers: {
        'www-authenticate': `Bearer realm="${state.url()}/v2/token",service="container_registry",scope="*"`,
        'docker-distribution-api-version': 'registry/2.0',
      },
    };
  }
  if (asked.path === '/v2' || asked.path === '/v2/') return { status: 200, headers: version };
  if (asked.path === '/v2/_catalog') return catalog(state, asked);
  const [, owner = '', name = '', kind = '', reference = ''] =
    /^\/v2\/([^/]+)\/(.+)\/(tags|manifests|blobs)\/([^/]+)$/.exec(decodeURIComponent(asked.path)) ?? [];
  const versions = state.packages.filter((found) => isOf(found, owner, name));
  if (kind === '' || versions.length === 0)
    return refused(404, 'NAME_UNKNOWN', 'repository name not known to registry');
  if (kind === 'tags') return tags(asked, owner, name, versions);
  const found =
    kind === 'manifests'
      ? versions.find(({ version: tag, container }) => tag === reference || container?.digest === reference)?.container
      : undefined;
  const bytes =
    found?.manifest ??
    versions.map(({ container }) => container?.blobs.get(reference)).find((blob) => blob !== undefined);
  const digest = found?.digest ?? reference;
  const damage = state.damages.get(digest);
  const code = kind === 'manifests' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
  if (bytes === undefined || damage === 'lost') return refused(404, code, `${kind.slice(0, -1)} unknown to registry`);
  if (asked.method !== 'HEAD' && damage === 'unreadable') return { status: 500, text: '' };
  const isDamaged = typeof damage === 'object' && asked.method !== 'HEAD';
  return {
    status: 200,
    headers: {
      ...version,
      'docker-content-digest': digest,
      'content-type': found?.type ?? 'application/octet-stream',
      etag: `"${digest}"`,
    },
    bytes: isDamaged ? damage.content : bytes,
  };
}

const version = { 'docker-distribution-api-version': 'registry/2.0' };

function refused(status: number, code: string, message: string): Reply {
  return { status, headers: version, json: { errors: [{ code, message }] } };
}

/** A token of the API is the password of any name; what is given out for it is good for the registry only. */
function token(state: State, { headers }: Asked): Reply {
  const [, encoded = ''] = /^basic (.+)$/i.exec(headers['authorization'] ?? '') ?? [];
  const password = Buffer.from(encoded, 'base64').toString().split(':').slice(1).join(':');
  if (userOfToken(state, password) === undefined) return refused(401, 'UNAUTHORIZED', 'authentication required');
  return { status: 200, json: { token: `registry.${password}` } };
}

function isKnown(state: State, { headers }: Asked): boolean {
  const [, given = ''] = /^bearer registry\.(.+)$/i.exec(headers['authorization'] ?? '') ?? [];
  const scopes = state.tokens.get(given)?.scopes;
  const mayRead = scopes === undefined || scopes.includes('read:package') || scopes.includes('write:package');
  return userOfToken(state, given) !== undefined && mayRead;
}

function catalog(state: State, { query }: Asked): Reply {
  const asked = Number(query.get('n') ?? 0);
  const n = asked > 0 && asked <= state.largestCatalogPage ? asked : state.largestCatalogPage;
  const last = query.get('last') ?? '';
  const containers = state.packages.filter(({ type }) => type === 'container');
  const names = [...new Set(containers.map(({ owner, name }) => `${owner}/${name}`.toLowerCase()))].sort();
  const repositories = names.filter((name) => name > last).slice(0, n);
  const next = new URLSearchParams({ n: String(n), last: repositories.at(-1) ?? '' });
  const link: Record<string, string> =
    repositories.length === n ? { link: `</v2/_catalog?${next.toString()}>; rel="next"` } : {};
  return { status: 200, headers: { ...version, ...link }, json: { repositories } };
}

/** The link to the next page is there as long as there are tags on this one. */
function tags({ query }: Asked, owner: string, name: string, versions: State['packages']): Reply {
  const last = query.get('last') ?? '';
  const n = Number(query.get('n') ?? -1);
  const all = versions.map((found) => found.version).filter((tag) => !tag.startsWith('sha256:'));
  const after = all.filter((tag) => tag > last).sort();
  const page = n > 0 ? after.slice(0, n) : after;
  const next = new URLSearchParams({ n: String(n), last: page.at(-1) ?? '' });
  const link: Record<string, string> =
    page.length > 0 ? { link: `</v2/${owner}/${name}/tags/list?${next.toString()}>; rel="next"` } : {};
  return {
    status: 200,
    headers: { ...version, ...link },
    json: { name: `${owner}/${name}`, tags: page.length > 0 ? page : null },
  };
}
