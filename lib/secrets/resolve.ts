import { Failure } from '../failure';
import type { Task } from '../task';
import { heldValue } from './held';
import { type NamedSecrets, resolveSecret } from './named-secrets';
import { parseReference, type SecretReference } from './reference';

type From<Source extends SecretReference['source']> = Extract<SecretReference, { source: Source }>;

/** Looks values up somewhere else, while the operation runs. */
export type Lookup<Source extends SecretReference['source']> = (reference: From<Source>, task: Task) => Promise<string>;

/** Where a node gets secrets from: what its credentials allow. */
export interface SecretSources {
  readonly credential?: NamedSecrets | undefined;
  readonly infisical?: Lookup<'infisical'> | undefined;
  /** Has a held login ended with the execution that this node is part of. */
  readonly endWith?: ((lease: string, end: () => Promise<void>) => void) | undefined;
}

/** The value behind a reference. Only the operation that uses it asks for it, and hands it on by standard input. */
export async function resolveReference(text: string, sources: SecretSources, task: Task): Promise<string> {
  const reference = parseReference(text);
  switch (reference.source) {
    case 'credential':
      return resolveSecret(reference, sources.credential);
    case 'lease':
      return heldValue(reference.lease, reference.name, { owner: task.owner, endWith: sources.endWith });
    case 'infisical':
      if (sources.infisical !== undefined) return sources.infisical(reference, task);
      throw new Failure({
        code: 'secret_missing',
        subject: `secret ${reference.name}`,
        message: `Secret ${reference.name} of Infisical is asked for, but the node has no Infisical credential`,
        nextStep: 'Choose an Infisical credential in the node.',
      });
  }
}
