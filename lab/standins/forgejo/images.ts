import { createHash } from 'node:crypto';

import { keyOf, type Package, type State } from './state';

export interface ImageSettings {
  readonly owner: string;
  readonly name: string;
  readonly tags: readonly string[];
  /** One manifest without an index when left out. */
  readonly platforms?: readonly string[];
  /** The same text, the same layer. */
  readonly layers?: readonly string[];
  readonly created?: string;
}

/** Digests of what was pushed. */
export interface PushedImage {
  /** Of what the tags lead to. */
  readonly digest: string;
  /** Of the manifest of each platform. */
  readonly platforms: Readonly<Record<string, string>>;
  readonly layers: readonly string[];
}

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** As `docker push` leaves it: a version for each tag, and one for the manifest of each platform of an index. */
export function pushImage(state: State, settings: ImageSettings): PushedImage {
  const { owner, name, tags, platforms, layers = [`layer of ${name}`] } = settings;
  const created = settings.created ?? state.now();
  const store = (version: string, type: string, manifest: Buffer, blobs: readonly Buffer[]) => {
    const held = new Map(blobs.map((bytes) => [digestOf(bytes), bytes]));
    const known = state.packages.findIndex((one) => isOf(one, owner, name) && one.version === version);
    // What a tag led to before is gone, unless another version holds it.
    if (known >= 0) state.packages.splice(known, 1);
    state.packages.push({
      id: state.nextId(),
      owner,
      type: 'container',
      name,
      version,
      created,
      files: [
        fileOf('manifest.json', manifest),
        ...blobs.map((bytes) => fileOf(digestOf(bytes).replace(':', '_'), bytes)),
      ],
      container: { type, digest: digestOf(manifest), manifest, blobs: held },
    });
  };
  const layerBytes = layers.map((text) => Buffer.from(text));
  const pushed = { layers: layerBytes.map(digestOf) };
  const build = (platform: string) => {
    const config = Buffer.from(JSON.stringify({ architecture: platform, os: 'linux', rootfs: pushed.layers }));
    const described = (mediaType: string, bytes: Buffer) => ({
      mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
    });
    const manifest = json({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: described('application/vnd.oci.image.config.v1+json', config),
      layers: layerBytes.map((bytes) => described('application/vnd.oci.image.layer.v1.tar+gzip', bytes)),
    });
    return { platform, manifest, blobs: [config, ...layerBytes] };
  };
  if (platforms === undefined) {
    const { manifest, blobs } = build('amd64');
    for (const tag of tags) store(tag, MANIFEST, manifest, blobs);
    return { ...pushed, digest: digestOf(manifest), platforms: {} };
  }
  const built = platforms.map(build);
  for (const { manifest, blobs } of built) store(digestOf(manifest), MANIFEST, manifest, blobs);
  const index = json({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: built.map(({ platform, manifest }) => ({
      mediaType: MANIFEST,
      digest: digestOf(manifest),
      size: manifest.length,
      platform: { architecture: platform, os: 'linux' },
    })),
  });
  for (const tag of tags) store(tag, INDEX, index, []);
  return {
    ...pushed,
    digest: digestOf(index),
    platforms: Object.fromEntries(built.map(({ platform, manifest }) => [platform, digestOf(manifest)])),
  };
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function isOf(found: Package, owner: string, name: string): boolean {
  return found.type === 'container' && keyOf(found.owner, found.name) === keyOf(owner, name);
}

function fileOf(name: string, bytes: Buffer) {
  return { name, size: bytes.length, sha256: digestOf(bytes).slice('sha256:'.length) };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
