import { messageOf } from '../../lib/failure';
import { infisicalLookup } from '../../lib/infisical/lookup';
import { parseNamedSecrets } from '../../lib/secrets/named-secrets';
import { resolveReference, type SecretSources } from '../../lib/secrets/resolve';
import type { Task } from '../../lib/task';
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
    endWith: endWith(execute),
  };
}

/** Leases that end with this run of this node's execution already. */
const ending = new WeakMap<object, Set<string>>();

function endWith(execute: SecretsAsker): SecretSources['endWith'] {
  if (execute.onExecutionFinish === undefined) return undefined;
  return (lease, end) => {
    const known = ending.get(execute) ?? new Set<string>();
    ending.set(execute, known);
    if (known.has(lease)) return;
    known.add(lease);
    execute.onExecutionFinish?.(() =>
      end().catch((error: unknown) => execute.logger?.error(`${execute.getNode().name}: ${messageOf(error)}`)),
    );
  };
}

async function namedSecrets(execute: SecretsAsker, itemIndex: number): Promise<SecretSources['credential']> {
  if (execute.getNode().credentials?.['selfhostSecrets'] === undefined) return undefined;
  const text = (await execute.getCredentials('selfhostSecrets', itemIndex))['secrets'];
  return parseNamedSecrets(typeof text === 'string' ? text : '');
}

/** A password or key of a field: itself, or what a reference stands for. */
export async function reveal(value: string, secrets: SecretSources, task: Task): Promise<string> {
  return /^(credential|infisical):/.test(value) ? resolveReference(value, secrets, task) : value;
}
