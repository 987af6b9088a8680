import { Failure, isFailure } from '../../failure';
import type { Task } from '../../task';
import { parseManifest } from './manifest';
import { digestOf, type ForgejoRegistry } from './registry';

/**
 * The digests of all manifests that are needed to pull these references of an image: their own, and those of every
 * platform. Fails when one of them cannot be read, for then nobody knows what it needs.
 */
export async function manifestsNeededBy(
  registry: ForgejoRegistry,
  image: string,
  references: readonly string[],
  task: Task,
): Promise<ReadonlySet<string>> {
  const needed = new Set<string>();
  const left = [...references];
  for (let reference = left.shift(); reference !== undefined; reference = left.shift()) {
    if (needed.has(reference)) continue;
    const text = await read(registry, image, reference, task);
    needed.add(digestOf(text));
    left.push(...childrenIn(text, image, reference));
  }
  return needed;
}

async function read(registry: ForgejoRegistry, image: string, reference: string, task: Task): Promise<string> {
  try {
    const text = await registry.manifest(image, reference, task);
    if (text !== null) return text;
  } catch (error) {
    if (!isFailure(error, 'service_error')) throw error;
    throw unknown(image, reference, error);
  }
  throw unknown(image, reference);
}

function childrenIn(text: string, image: string, reference: string): readonly string[] {
  try {
    return parseManifest(text, 'a manifest').manifests.map(({ digest }) => digest);
  } catch (error) {
    if (!isFailure(error, 'unreadable_answer')) throw error;
    throw unknown(image, reference, error);
  }
}

function unknown(image: string, reference: string, cause?: unknown): Failure {
  return new Failure({
    code: 'manifest_unreadable',
    subject: `${image} ${reference}`,
    message: `The manifest ${reference} of ${image} cannot be read, so nobody knows which others it needs`,
    nextStep: 'Probe the registry, and repair or remove this version; or keep untagged versions.',
    ...(cause !== undefined && { cause }),
  });
}
