import { Failure } from '../../lib/failure';
import { sharedApi } from '../../lib/hetzner/api';
import { parseHetznerCredential } from '../../lib/hetzner/credential';
import { refuseWhenHeld } from '../../lib/host/hold';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost, withWorkflowPins } from '../../lib/host/select';
import { isObject } from '../../lib/json';
import { parsePostgresCredential } from '../../lib/postgres/credential';
import { databaseAt } from '../../lib/postgres/replication/access';
import { clusterOf, type ClusterDescription } from '../../lib/postgres/replication/description';
import type { Member } from '../../lib/postgres/replication/cluster';
import type { ContextQuestion } from '../declaration';
import { secretSourcesOf } from '../shared/secretSources';
import type { PostgresContext } from './operation';

/**
 * They look for the hold themselves. A failover on the candidate's host: the old primary's may be gone. pgBackRest on the
 * host it works on: a backup must not fail because the standby is away.
 */
const OWN_HOLD = new Set(['primary failover', 'pgBackRest']);

export async function postgresContext(question: ContextQuestion): Promise<PostgresContext & { readOnly: boolean }> {
  const { execute, itemIndex, input, operation, task } = question;
  const options = isObject(input['options']) ? input['options'] : {};
  const keys = options['hostKeys'];
  const identity = withWorkflowPins(
    parseIdentity(await execute.getCredentials('selfhostHost', itemIndex)),
    typeof keys === 'string' ? keys : '',
  );
  const credential = parsePostgresCredential(await execute.getCredentials('selfhostPostgres', itemIndex));
  const hostOf = (name: string) => selectHost(identity, name);
  const cluster = clusterOf(input['cluster'] as ClusterDescription, credential.replication, hostOf);
  const automatic = execute.getMode() !== 'manual' && options['ignoreHold'] !== true;
  const changes = operation.effect !== 'reads' && input['dryRun'] !== true && !identity.readOnly;
  const refuseHeld = async (members: readonly Member[]) => {
    if (changes && automatic) await Promise.all(members.map(({ host }) => refuseWhenHeld(host, task)));
  };
  if (!OWN_HOLD.has(operation.resource) && !OWN_HOLD.has(`${operation.resource} ${operation.name}`)) {
    await refuseHeld(cluster.members);
  }
  return {
    cluster,
    databaseOf: (member) => databaseAt(cluster, member, credential),
    hostOf,
    hetzner: async () => {
      if (execute.getNode().credentials?.['selfhostHetzner'] === undefined) {
        throw lacking('has no Hetzner credential, which cutting the power needs', 'Choose one in the node.');
      }
      const { readOnly, ...settings } = parseHetznerCredential(
        await execute.getCredentials('selfhostHetzner', itemIndex),
      );
      if (readOnly) throw lacking('has a Hetzner credential that is read-only', 'Use one that may cut the power.');
      return sharedApi(settings);
    },
    secrets: () => secretSourcesOf(execute, itemIndex),
    refuseHeld,
    automatic,
    readOnly: identity.readOnly,
  };
}

function lacking(what: string, nextStep: string): Failure {
  return new Failure({ code: 'hetzner_credential', subject: 'the node', message: `The node ${what}`, nextStep });
}
