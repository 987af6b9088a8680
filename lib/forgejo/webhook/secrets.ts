import { createHmac, randomBytes } from 'node:crypto';

/**
 * The secrets of one trigger. They come from one root, so that the next secret is accepted before any hook has it, and
 * a process that has not yet heard of a rotation accepts it all the same. Who learns one secret learns none of the others.
 */
export interface SecretChain {
  readonly root: string;
  /** Which of the chain the hook has. */
  readonly generation: number;
  /** When that one was taken into use, in milliseconds since 1970. */
  readonly since: number;
}

/** How long the one before stays valid: deliveries that were under way, and the old hook until it is deleted. */
export const OVERLAP_MS = 60 * 60 * 1000;

export function newChain(now: number): SecretChain {
  return { root: randomBytes(32).toString('hex'), generation: 1, since: now };
}

export function nextOf(chain: SecretChain, now: number): SecretChain {
  return { root: chain.root, generation: chain.generation + 1, since: now };
}

export function secretOf({ root, generation }: Pick<SecretChain, 'root' | 'generation'>): string {
  return createHmac('sha256', root).update(`forgejo webhook ${generation}`).digest('hex');
}

export interface AcceptedSecret {
  readonly generation: number;
  readonly secret: string;
}

/** The one in use, the next, and for a while the one before. */
export function acceptedSecrets(chain: SecretChain, now: number): readonly AcceptedSecret[] {
  const { root, generation, since } = chain;
  const before = generation > 1 && now - since < OVERLAP_MS ? [generation - 1] : [];
  return [generation, generation + 1, ...before].map((number) => ({
    generation: number,
    secret: secretOf({ root, generation: number }),
  }));
}
