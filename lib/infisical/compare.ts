import { createHmac, randomBytes } from 'node:crypto';
import { compareText } from './secrets';
import { reveal, type Secret } from './secret';

export interface Difference {
  readonly key: string;
  readonly state: 'same' | 'different' | 'only left' | 'only right';
  /** Equal where the values are; they mean nothing outside of this one comparison. */
  readonly leftHash: string | null;
  readonly rightHash: string | null;
}

/**
 * Compares by name and value without telling values. The key of the hashes is thrown away at the end, so that nobody
 * can find a weak password by trying.
 */
export function compareSecrets(left: readonly Secret[], right: readonly Secret[]): readonly Difference[] {
  const key = randomBytes(32);
  const hashes = (secrets: readonly Secret[]) =>
    new Map(
      secrets.map((secret) => [
        secret.key,
        createHmac('sha256', key).update(reveal(secret)).digest('hex').slice(0, 16),
      ]),
    );
  const [one, other] = [hashes(left), hashes(right)];
  return [...new Set([...one.keys(), ...other.keys()])].sort(compareText).map((name) => {
    const leftHash = one.get(name) ?? null;
    const rightHash = other.get(name) ?? null;
    const state =
      leftHash === null
        ? 'only right'
        : rightHash === null
          ? 'only left'
          : leftHash === rightHash
            ? 'same'
            : 'different';
    return { key: name, state, leftHash, rightHash };
  });
}
