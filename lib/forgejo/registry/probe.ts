import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

import { isFailure } from '../../failure';
import type { Task } from '../../task';
import { orNull } from '../api';
import { matchesAny } from '../webhook/glob';
import { type Descriptor, DIGEST, type Manifest, parseManifest } from './manifest';
import { digestOf, type ForgejoRegistry } from './registry';

export interface ProbeSettings {
  /** Globs such as `kua/*`; empty: all that the token may see. */
  readonly images: readonly string[];
  /** `presence` asks for each blob, `content` reads it and compares its hash. Manifests are always read. */
  readonly depth: 'presence' | 'content';
  /** Digests of manifests without a tag, by image, which the registry itself does not list. */
  readonly untagged: (images: readonly string[], task: Task) => Promise<ReadonlyMap<string, readonly string[]>>;
}

export const WRONGS = ['missing', 'wrong_size', 'wrong_content', 'unreadable'] as const;

export interface RegistryProblem {
  readonly image: string;
  readonly kind: 'manifest' | 'blob';
  /** Null for a tag that leads to nothing. */
  readonly digest: string | null;
  readonly what: (typeof WRONGS)[number];
  /** One sentence. */
  readonly detail: string;
  /** The tags (or digests of untagged manifests) that cannot be pulled because of it. */
  readonly neededBy: readonly string[];
}

export interface RegistryReport {
  readonly whole: boolean;
  readonly images: number;
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  /** Of everything that was found, each content counted once. */
  readonly bytes: number;
  readonly problems: readonly RegistryProblem[];
}

/**
 * Walks from the catalog over every tag and every platform to every blob. What is found wrong is looked at a second
 * time, so that a push or a removal in the middle of it is not reported.
 */
export async function probeRegistry(
  registry: ForgejoRegistry,
  { images: wanted, depth, untagged }: ProbeSettings,
  task: Task,
): Promise<RegistryReport> {
  const all = await registry.images(task);
  const images = wanted.length === 0 ? all : all.filter((image) => matchesAny(wanted, image));
  const without = await untagged(images, task);
  const walks: Walked[] = [];
  for (const image of images) {
    task.progress({ message: `Looking at ${image}`, fraction: walks.length / images.length });
    const once = () => walk(registry, image, without.get(image) ?? [], depth, task);
    const first = await once();
    walks.push(first.problems.length === 0 ? first : await once());
  }
  const sizes = new Map(walks.flatMap(({ sizes: ofImage }) => [...ofImage]));
  const problems = walks.flatMap(({ problems: found }) => found);
  const sum = (count: (walked: Walked) => number) => walks.reduce((total, walked) => total + count(walked), 0);
  return {
    whole: problems.length === 0,
    images: images.length,
    tags: sum(({ tags }) => tags),
    manifests: sum(({ manifests }) => manifests),
    blobs: sum(({ blobs }) => blobs),
    bytes: [...sizes.values()].reduce((total, size) => total + size, 0),
    problems,
  };
}

interface Walked {
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  /** By digest; only of what is there. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly problems: readonly RegistryProblem[];
}

type Wrong = Omit<RegistryProblem, 'image' | 'neededBy'>;

/** One manifest or blob, looked at once however many need it. */
interface Found {
  readonly wrongs: readonly Wrong[];
  readonly size: number | undefined;
  readonly manifests: readonly Descriptor[];
  readonly blobs: readonly Descriptor[];
}

async function walk(
  registry: ForgejoRegistry,
  image: string,
  untagged: readonly string[],
  depth: ProbeSettings['depth'],
  task: Task,
): Promise<Walked> {
  const manifests = new Map<string, Promise<Found>>();
  const blobs = new Map<string, Promise<Found>>();
  const wrongs = new Map<string, RegistryProblem>();
  const note = (wrong: Wrong, neededBy: string) => {
    const key = JSON.stringify([wrong.kind, wrong.digest, wrong.what, wrong.digest === null ? neededBy : '']);
    const known = wrongs.get(key);
    wrongs.set(key, { image, ...wrong, neededBy: [...new Set([...(known?.neededBy ?? []), neededBy])].sort() });
  };
  const once = (seen: Map<string, Promise<Found>>, digest: string, look: () => Promise<Found>) => {
    const found = seen.get(digest) ?? look();
    seen.set(digest, found);
    return found;
  };
  const follow = async (wanted: Descriptor, root: string): Promise<void> => {
    const found = await once(manifests, wanted.digest, () => lookAtManifest(registry, image, wanted, task));
    for (const wrong of found.wrongs) note(wrong, root);
    await Promise.all([
      ...found.manifests.map((child) => follow(child, root)),
      ...found.blobs.map(async (blob) => {
        const { wrongs: ofBlob } = await once(blobs, blob.digest, () => lookAtBlob(registry, image, blob, depth, task));
        for (const wrong of ofBlob) note(wrong, root);
      }),
    ]);
  };

  const tags = (await orNull(registry.tags(image, task))) ?? [];
  for (const tag of tags) {
    const looked = await tolerant('manifest', null, async () => {
      const { digest } = (await registry.lookAtManifest(image, tag, task)) ?? {};
      if (digest === undefined) return wrong('manifest', null, 'missing', `The tag ${tag} leads to no manifest`);
      await follow({ digest, size: NaN }, tag);
      return sound;
    });
    for (const one of looked.wrongs) note(one, tag);
  }
  for (const digest of untagged) if (!manifests.has(digest)) await follow({ digest, size: NaN }, digest);

  const sizes = new Map<string, number>();
  for (const [digest, looked] of [...manifests, ...blobs]) {
    const { size } = await looked;
    if (size !== undefined) sizes.set(digest, size);
  }
  return { tags: tags.length, manifests: manifests.size, blobs: blobs.size, sizes, problems: [...wrongs.values()] };
}

const sound: Found = { wrongs: [], size: undefined, manifests: [], blobs: [] };

function wrong(kind: Wrong['kind'], digest: string | null, what: Wrong['what'], detail: string): Found {
  return { ...sound, wrongs: [{ kind, digest, what, detail }] };
}

function lookAtManifest(
  registry: ForgejoRegistry,
  image: string,
  { digest, size }: Descriptor,
  task: Task,
): Promise<Found> {
  return tolerant('manifest', digest, async () => {
    const text = await registry.manifest(image, digest, task);
    if (text === null) return wrong('manifest', digest, 'missing', 'The manifest is not there');
    if (digestOf(text) !== digest) {
      return wrong('manifest', digest, 'wrong_content', `The manifest has the hash ${digestOf(text)}`);
    }
    const bytes = Buffer.byteLength(text);
    if (!Number.isNaN(size) && bytes !== size) {
      return wrong('manifest', digest, 'wrong_size', `The manifest has ${bytes} bytes, and its index says ${size}`);
    }
    const manifest: Manifest = parseManifest(text, 'the manifest');
    return { wrongs: [], size: bytes, ...manifest };
  });
}

function lookAtBlob(
  registry: ForgejoRegistry,
  image: string,
  { digest, size }: Descriptor,
  depth: ProbeSettings['depth'],
  task: Task,
): Promise<Found> {
  return tolerant('blob', digest, async () => {
    const looked = await registry.lookAtBlob(image, digest, task);
    if (looked === null) return wrong('blob', digest, 'missing', 'The blob is not there');
    if (looked.size !== undefined && looked.size !== size) {
      return wrong('blob', digest, 'wrong_size', `The blob has ${looked.size} bytes, and its manifest says ${size}`);
    }
    if (depth === 'content') {
      const content = await registry.blob(image, digest, task);
      if (content === null) return wrong('blob', digest, 'missing', 'The blob is listed, and its content is not there');
      const hash = await hashOf(content);
      if (DIGEST.test(digest) && hash !== digest) {
        return wrong('blob', digest, 'wrong_content', `The content of the blob has the hash ${hash}`);
      }
    }
    return { ...sound, size };
  });
}

async function hashOf(content: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of content) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

/** A server that answers for one thing that it cannot read it says something about that thing, and not about the rest. */
async function tolerant(kind: Wrong['kind'], digest: string | null, look: () => Promise<Found>): Promise<Found> {
  try {
    return await look();
  } catch (error) {
    if (!isFailure(error) || !isAboutThis(error.code, Number(error.details['status']))) throw error;
    return wrong(kind, digest, 'unreadable', error.message);
  }
}

function isAboutThis(code: string, status: number): boolean {
  return code === 'unreadable_answer' || (status >= 500 && status !== 502 && status !== 503 && status !== 504);
}
