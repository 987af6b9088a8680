import { Failure, isFailure } from '../../failure';
import { path } from '../../http/path';
import type { Task } from '../../task';
import { describeDocker } from './access';
import { filtersOf, type Engine } from './engine';
import { jsonLines } from './json-lines';
import { idAt, labelsAt, listAt, numberAt, textAt, textsAt } from './read';

export interface Image {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly created: string;
  readonly sizeBytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

export async function listImages(
  engine: Engine,
  filter: { readonly reference?: string; readonly dangling?: boolean },
  task: Task,
): Promise<readonly Image[]> {
  const filters = filtersOf({
    reference: filter.reference === undefined ? undefined : [filter.reference],
    dangling: filter.dangling === undefined ? undefined : [String(filter.dangling)],
  });
  const { body } = await engine.request({ method: 'GET', path: path('/images/json'), query: { filters } }, task);
  return (Array.isArray(body) ? body : []).map((image: unknown) => ({
    id: idAt(image, 'Id'),
    tags: named(textsAt(image, 'RepoTags')),
    digests: named(textsAt(image, 'RepoDigests')),
    created: new Date(numberAt(image, 'Created') * 1000).toISOString(),
    sizeBytes: numberAt(image, 'Size'),
    labels: labelsAt(image, 'Labels'),
  }));
}

/** Images without a name are listed under this one. */
function named(names: readonly string[]): readonly string[] {
  return names.filter((name) => !name.startsWith('<none>'));
}

export async function inspectImage(engine: Engine, image: string, task: Task): Promise<Image> {
  const { body } = await engine.request({ method: 'GET', path: path('/images/{image}/json', { image }) }, task);
  return {
    id: idAt(body, 'Id'),
    tags: textsAt(body, 'RepoTags'),
    digests: textsAt(body, 'RepoDigests'),
    created: textAt(body, 'Created'),
    sizeBytes: numberAt(body, 'Size'),
    labels: labelsAt(body, 'Config', 'Labels'),
  };
}

/** `registry:5000/app:1@sha256:…` into what to pull and which tag of it. */
export function splitReference(reference: string): { readonly name: string; readonly tag: string } {
  const [tagged = '', digest] = reference.split('@');
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/');
  const name = hasTag ? tagged.slice(0, colon) : tagged;
  return { name, tag: digest ?? (hasTag ? tagged.slice(colon + 1) : 'latest') };
}

export interface RegistryLogin {
  readonly user: string;
  readonly password: string;
}

/** Pulls an image and tells how it goes. An answer of 200 may still end in an error: then this does, too. */
export async function pullImage(
  engine: Engine,
  reference: string,
  login: RegistryLogin | undefined,
  task: Task,
): Promise<{ readonly image: Image; readonly changed: boolean; readonly before: string | null }> {
  const before = await inspectImage(engine, reference, task).then(
    ({ id }) => id,
    (error: unknown) => {
      if (isFailure(error, 'not_found')) return null;
      throw error;
    },
  );
  const { name, tag } = splitReference(reference);
  const { body } = await engine.stream(
    { method: 'POST', path: path('/images/create'), query: { fromImage: name, tag }, headers: loginHeader(login) },
    task,
  );
  await throughProgress(engine, `pull of ${reference}`, jsonLines(body), task);
  const image = await inspectImage(engine, reference, task);
  return { image, changed: image.id !== before, before };
}

export async function pushImage(
  engine: Engine,
  reference: string,
  login: RegistryLogin | undefined,
  task: Task,
): Promise<Image> {
  const { name, tag } = splitReference(reference);
  const { body } = await engine.stream(
    {
      method: 'POST',
      path: path('/images/{name}/push', { name }),
      query: { tag },
      // Docker wants the header also without a login.
      headers: loginHeader(login) ?? { 'x-registry-auth': Buffer.from('{}').toString('base64url') },
    },
    task,
  );
  await throughProgress(engine, `push of ${reference}`, jsonLines(body), task);
  return await inspectImage(engine, reference, task);
}

function loginHeader(login: RegistryLogin | undefined) {
  if (login === undefined) return undefined;
  const value = JSON.stringify({ username: login.user, password: login.password });
  return { 'x-registry-auth': Buffer.from(value).toString('base64url') };
}

async function throughProgress(engine: Engine, what: string, lines: AsyncIterable<unknown>, task: Task): Promise<void> {
  for await (const line of lines) {
    // `error` is gone since API 1.52, `errorDetail` is in all versions.
    const error = textAt(line, 'errorDetail', 'message') || textAt(line, 'error');
    if (error !== '') {
      throw new Failure({
        code: 'image_transfer_failed',
        subject: `${what}, ${describeDocker(engine.access)}`,
        message: `The ${what} failed: ${error}`,
        nextStep: 'Check the name and tag, the way from the host to the registry, and the login.',
      });
    }
    const total = numberAt(line, 'progressDetail', 'total');
    const current = numberAt(line, 'progressDetail', 'current');
    const message = [textAt(line, 'status'), textAt(line, 'id')].filter(Boolean).join(' ');
    if (message !== '') task.progress({ message, ...(total > 0 && { fraction: Math.min(1, current / total) }) });
  }
}

export async function tagImage(engine: Engine, image: string, to: string, task: Task): Promise<Image> {
  const { name, tag } = splitReference(to);
  await engine.request(
    { method: 'POST', path: path('/images/{image}/tag', { image }), query: { repo: name, tag }, idempotent: true },
    task,
  );
  return await inspectImage(engine, to, task);
}

export async function removeImage(
  engine: Engine,
  image: string,
  wish: { readonly force?: boolean; readonly dryRun?: boolean },
  task: Task,
): Promise<{ readonly changed: boolean; readonly removed: readonly string[] }> {
  try {
    if (wish.dryRun === true) {
      const { tags, id } = await inspectImage(engine, image, task);
      return { changed: true, removed: tags.length > 0 ? tags : [id] };
    }
    const { body } = await engine.request(
      { method: 'DELETE', path: path('/images/{image}', { image }), query: { force: wish.force ?? false } },
      task,
    );
    return {
      changed: true,
      removed: (Array.isArray(body) ? body : []).map((one) => textAt(one, 'Untagged') || textAt(one, 'Deleted')),
    };
  } catch (error) {
    if (isFailure(error, 'not_found')) return { changed: false, removed: [] };
    throw error;
  }
}

export interface Layer {
  readonly id: string;
  readonly created: string;
  readonly createdBy: string;
  readonly sizeBytes: number;
}

export async function imageHistory(engine: Engine, image: string, task: Task): Promise<readonly Layer[]> {
  const { body } = await engine.request({ method: 'GET', path: path('/images/{image}/history', { image }) }, task);
  return (Array.isArray(body) ? body : []).map((layer: unknown) => ({
    id: textAt(layer, 'Id'),
    created: new Date(numberAt(layer, 'Created') * 1000).toISOString(),
    createdBy: textAt(layer, 'CreatedBy'),
    sizeBytes: numberAt(layer, 'Size'),
  }));
}

/** The digest that a registry has for a tag now, asked by the engine with its way to that registry. */
export async function registryDigest(
  engine: Engine,
  reference: string,
  login: RegistryLogin | undefined,
  task: Task,
): Promise<{ readonly remote: string; readonly local: readonly string[]; readonly newer: boolean }> {
  const { body } = await engine.request(
    { method: 'GET', path: path('/distribution/{reference}/json', { reference }), headers: loginHeader(login) },
    task,
  );
  const remote = idAt(body, 'Descriptor', 'digest');
  const local = await inspectImage(engine, reference, task).then(
    ({ digests }) => digests.map((digest) => digest.split('@')[1] ?? ''),
    (error: unknown) => {
      if (isFailure(error, 'not_found')) return [] as readonly string[];
      throw error;
    },
  );
  return { remote, local, newer: !local.includes(remote) };
}

export function spaceOf(body: unknown): number {
  return numberAt(body, 'SpaceReclaimed');
}

export function deletedOf(body: unknown, name: string): readonly string[] {
  return listAt(body, name).map((one) =>
    typeof one === 'string' ? one : textAt(one, 'Untagged') || textAt(one, 'Deleted'),
  );
}
