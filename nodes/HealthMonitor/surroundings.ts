import { Failure } from '../../lib/failure';
import type { Surroundings } from '../../lib/health/check';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost } from '../../lib/host/select';
import { resolveReference } from '../../lib/secrets/resolve';
import { secretSourcesOf, type SecretsAsker } from '../shared/secretSources';

/** Hosts and secrets that targets name, from the credentials of the node. */
export async function surroundingsOf(asker: SecretsAsker, itemIndex: number): Promise<Surroundings> {
  const withHosts = asker.getNode().credentials?.['selfhostHost'] !== undefined;
  const identity = withHosts ? parseIdentity(await asker.getCredentials('selfhostHost', itemIndex)) : undefined;
  const sources = await secretSourcesOf(asker, itemIndex);
  return {
    hostOf: (name) => {
      if (identity !== undefined) return selectHost(identity, name);
      throw new Failure({
        code: 'host_credential_missing',
        subject: `host ${name}`,
        message: `A target is looked at from host ${name}, and the node has no Host (SSH) credential`,
        nextStep: 'Choose one in the node.',
      });
    },
    secretOf: (reference, task) => resolveReference(reference, sources, task),
  };
}
