import { parseJson } from '../../json';
import { fieldsOf, type Fields } from '../fields';

/** What a manifest points to. */
export interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

export interface Manifest {
  /** The manifests of the platforms of an index, signatures and attestations included. */
  readonly manifests: readonly Descriptor[];
  /** Configuration and layers. */
  readonly blobs: readonly Descriptor[];
}

export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** What a registry is asked for, so that it does not translate an index into the manifest of one platform. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Layers that the makers of their content keep on servers of their own. */
const FOREIGN = /\.foreign\.|nondistributable/;

/** Throws `unreadable_answer`. */
export function parseManifest(text: string, what: string): Manifest {
  const manifest = fieldsOf(parseJson(text), what);
  const config = manifest.partOrNull('config');
  const layers = manifest.parts('layers').filter((layer) => !FOREIGN.test(layer.textOrNull('mediaType') ?? ''));
  return {
    manifests: manifest.parts('manifests').map(descriptorOf),
    blobs: [...(config === null ? [] : [config]), ...layers].map(descriptorOf),
  };
}

function descriptorOf(fields: Fields): Descriptor {
  return { digest: fields.text('digest'), size: fields.number('size') };
}
