/** `registry:5000/app:1@sha256:…`, taken apart the way Docker does. */
export interface ImageReference {
  /** `docker.io` where none is named. */
  readonly registry: string;
  /** As the registry knows it: `library/redis`. */
  readonly repository: string;
  /** As people write it, without tag and digest. */
  readonly name: string;
  readonly tag: string | null;
  readonly digest: string | null;
}

export function parseImageReference(text: string): ImageReference {
  const [tagged = '', digest = null] = text.split('@');
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/');
  const name = hasTag ? tagged.slice(0, colon) : tagged;
  const tag = hasTag ? tagged.slice(colon + 1) : null;
  const [first = '', ...rest] = name.split('/');
  const namesRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (namesRegistry && first !== 'docker.io' && first !== 'index.docker.io') {
    return { registry: first, repository: rest.join('/'), name, tag, digest };
  }
  const repository = namesRegistry ? rest.join('/') : name;
  return {
    registry: 'docker.io',
    repository: repository.includes('/') ? repository : `library/${repository}`,
    name,
    tag,
    digest,
  };
}
