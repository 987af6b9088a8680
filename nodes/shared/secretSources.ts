import { infisicalLookup } from '../../lib/infisical/lookup';
import { parseNamedSecrets } from '../../lib/secrets/named-secrets';
import type { SecretSources } from '../../lib/secrets/resolve';
import { infisicalOf, type SecretsAsker } from './infisicalOf';

export type { SecretsAsker };

/**
 * What secret references of a node can be resolved with. A node plugs it in by listing the credentials
 * `selfhostSecrets` and `selfhostInfisical` as optional.
 */
export async function secretSourcesOf(execute: SecretsAsker, itemIndex: number): Promise<SecretSources> {
  const infisical = await infisicalOf(execute, itemIndex);
  return {
    credential: await namedSecrets(execute, itemIndex),
    infisical: infisical && infisicalLookup(infisical.api),
  };
}

async function namedSecrets(execute: SecretsAsker, itemIndex: number): Promise<SecretSources['credential']> {
  if (execute.getNode().credentials?.['selfhostSecrets'] === undefined) return undefined;
  const text = (await execute.getCredentials('selfhostSecrets', itemIndex))['secrets'];
  return parseNamedSecrets(typeof text === 'string' ? text : '');
}
