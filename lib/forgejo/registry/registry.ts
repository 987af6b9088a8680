import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

import { isFailure } from '../../failure';
import { createHttpClient, type HttpClient } from '../../http/client';
import { path, type Path } from '../../http/path';
import type { HttpRequest } from '../../http/request';
import { basic, type Explanation, type Surroundings } from '../../http/settings';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { type ForgejoApi, orNull } from '../api';
import type { ForgejoCredential } from '../credential';
import { endpoint } from '../endpoint';
import { fieldsOf, unreadable } from '../fields';
import { MANIFEST_TYPES } from './manifest';

/** What a HEAD says. */
export interface Looked {
  readonly digest: string | undefined;
  readonly size: number | undefined;
}

/** The container registry that is part of the server. An image is `kua/app`. */
export interface ForgejoRegistry {
  readonly images: (task: Task) => Promise<readonly string[]>;
  readonly tags: (image: string, task: Task) => Promise<readonly string[]>;
  /** Null when it is not there; so the others. A reference is a tag or a digest. */
  readonly lookAtManifest: (image: string, reference: string, task: Task) => Promise<Looked | null>;
  readonly lookAtBlob: (image: string, digest: string, task: Task) => Promise<Looked | null>;
  readonly manifest: (image: string, reference: string, task: Task) => Promise<string | null>;
  readonly blob: (image: string, digest: string, task: Task) => Promise<Readable | null>;
  readonly close: () => void;
}

const whoAmI = endpoint('GET', '/user', (body) => fieldsOf(body, 'the user of the token').text('login'));

/** A token of the registry is good for a day. */
const RENEW_AFTER_MS = 30 * 60 * 1000;
const DEADLINE_MS = 60_000;

export function forgejoRegistry(
  credential: Pick<ForgejoCredential, 'baseUrl' | 'token' | 'privateAuthority'>,
  api: ForgejoApi,
  surroundings?: Surroundings,
): ForgejoRegistry {
  const clients: HttpClient[] = [];
  const clientAt = (baseUrl: string, authentication: Parameters<typeof createHttpClient>[0]['authentication']) => {
    const client = createHttpClient(
      {
        service: 'the container registry of Forgejo',
        baseUrl,
        ...(authentication !== undefined && { authentication }),
        ...(credential.privateAuthority !== undefined && { privateAuthority: credential.privateAuthority }),
        explain: explainRegistry,
      },
      surroundings,
    );
    clients.push(client);
    return client;
  };

  const open = async (task: Task): Promise<HttpClient> => {
    // Any name would do beside a token; the real one is what the server's own log should say.
    const user = await api.call(whoAmI, { at: {} }, task).catch((error: unknown) => {
      if (isFailure(error, 'scope_missing') || isFailure(error, 'forbidden')) return 'token';
      throw error;
    });
    const doorAt = (root: string) => clientAt(root, basic(user, credential.token));
    const { origin, pathname } = new URL(credential.baseUrl);
    // Docker wants it at the root of the host also where Forgejo has a sub-path; not every proxy knows that.
    const root = pathname === '/' || (await hasRegistry(doorAt(origin), task)) ? origin : credential.baseUrl;
    const door = doorAt(root);
    let kept: { readonly at: number; readonly token: Promise<string> } | undefined;
    return clientAt(root, async (signal) => {
      if (kept === undefined || Date.now() - kept.at > RENEW_AFTER_MS) {
        kept = { at: Date.now(), token: askForToken(door, { ...task, signal }) };
        kept.token.catch(() => (kept = undefined));
      }
      return { authorization: `Bearer ${await kept.token}` };
    });
  };
  // One that failed is tried again by the next call.
  let opened: Promise<HttpClient> | undefined;
  const http = (task: Task): Promise<HttpClient> => {
    opened ??= open({ ...task, signal: AbortSignal.any([task.signal, AbortSignal.timeout(DEADLINE_MS)]) });
    opened.catch(() => (opened = undefined));
    return opened;
  };

  const head = async (request: Omit<HttpRequest, 'method'>, task: Task): Promise<Looked | null> => {
    const answer = await orNull((await http(task)).request({ ...request, method: 'HEAD' }, task));
    if (answer === null) return null;
    const { 'docker-content-digest': digest, 'content-length': size } = answer.headers;
    return { digest, size: size === undefined ? undefined : Number(size) };
  };
  const list = async (at: Path, field: string, task: Task) =>
    (
      await (
        await http(task)
      ).allItems(
        { method: 'GET', path: at, query: { n: 100 } },
        { by: 'link', items: (body) => textsIn(body, field) },
        task,
      )
    ).items;

  return {
    images: (task) => list(path('/v2/_catalog'), 'repositories', task),
    tags: (image, task) => list(path('/v2/{image}/tags/list', { image: image.split('/') }), 'tags', task),
    lookAtManifest: (image, reference, task) => head(manifestAt(image, reference), task),
    lookAtBlob: (image, digest, task) => head({ path: blobAt(image, digest) }, task),
    manifest: async (image, reference, task) => {
      const answer = await orNull((await http(task)).text({ ...manifestAt(image, reference), method: 'GET' }, task));
      return answer?.body ?? null;
    },
    blob: async (image, digest, task) => {
      const answer = await orNull((await http(task)).stream({ method: 'GET', path: blobAt(image, digest) }, task));
      return answer?.body ?? null;
    },
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

export function digestOf(content: string | Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

const tokenRequest: HttpRequest = {
  method: 'GET',
  path: path('/v2/token'),
  query: { service: 'container_registry', scope: '*' },
};

async function hasRegistry(door: HttpClient, task: Task): Promise<boolean> {
  try {
    await askForToken(door, task);
    return true;
  } catch (error) {
    const isElse = ['not_found', 'invalid_json', 'web_page_answered', 'unreadable_answer', 'unauthorized', 'forbidden'];
    if (isFailure(error) && isElse.includes(error.code)) return false;
    throw error;
  }
}

async function askForToken(door: HttpClient, task: Task): Promise<string> {
  const { body } = await door.request(tokenRequest, task);
  return fieldsOf(body, 'the token of the container registry').text('token');
}

function manifestAt(image: string, reference: string) {
  return {
    path: path('/v2/{image}/manifests/{reference}', { image: image.split('/'), reference }),
    headers: { accept: MANIFEST_TYPES },
  };
}

function blobAt(image: string, digest: string): Path {
  return path('/v2/{image}/blobs/{digest}', { image: image.split('/'), digest });
}

/** Go writes an empty list as null. */
function textsIn(body: unknown, field: string): readonly string[] {
  const found = isObject(body) ? (body[field] ?? []) : undefined;
  if (!Array.isArray(found) || !found.every((entry) => typeof entry === 'string')) {
    throw unreadable(`the ${field} of the container registry`, 'they are no list of names');
  }
  return found;
}

/** `{ errors: [{ code, message }] }` */
function explainRegistry(body: unknown, status: number): Explanation | undefined {
  const [first] = isObject(body) && Array.isArray(body['errors']) ? (body['errors'] as readonly unknown[]) : [];
  const said = isObject(first) && typeof first['message'] === 'string' ? first['message'].slice(0, 500) : '';
  if (status === 401 || status === 403) {
    return {
      ...(said !== '' && { message: said }),
      nextStep: 'Give the token of the credential the scope read:package, and its user the right to read the images.',
    };
  }
  return said === '' ? undefined : { message: said };
}
