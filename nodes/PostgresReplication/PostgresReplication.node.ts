import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { hetznerCredentialTest } from '../Hetzner/methods/hetznerCredentialTest';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { backupOperations } from './actions/pgbackrest/backup.operations';
import { readOperations } from './actions/pgbackrest/read.operations';
import { restoreOperations } from './actions/pgbackrest/restore.operations';
import { scratchOperations } from './actions/pgbackrest/scratch.operations';
import { stanzaOperations } from './actions/pgbackrest/stanza.operations';
import { primaryOperations } from './actions/primary.operations';
import { replicaOperations } from './actions/replica.operations';
import { routeOperations } from './actions/route.operations';
import { sqlOperations } from './actions/sql.operations';
import { topologyOperations } from './actions/topology.operations';
import { postgresContext } from './context';
import { postgresCredentialTest } from './methods/postgresCredentialTest';
import type { PostgresContext } from './operation';

export const PostgresReplication = actionNode<PostgresContext>({
  name: 'postgresReplication',
  displayName: 'Postgres Replication',
  description: 'Set up, watch, switch, fail over and rejoin a PostgreSQL pair over SSH, without an agent on it',
  icon: { light: 'file:postgresReplication.svg', dark: 'file:postgresReplication.dark.svg' },
  credentials: [
    { name: 'selfhostHost', required: true, testedBy: 'hostCredentialTest' },
    { name: 'selfhostPostgres', required: true, testedBy: 'postgresCredentialTest' },
    {
      name: 'selfhostHetzner',
      displayName: 'Hetzner (to Cut the Power)',
      required: false,
      testedBy: 'hetznerCredentialTest',
      displayOptions: { show: { resource: ['primary'] } },
    },
    ...secretCredentials({ resource: ['pgBackRest'], operation: ['configure'] }),
    ...controlCredentials,
  ],
  resources: [
    resource({
      name: 'pgBackRest',
      label: 'pgBackRest',
      operations: [
        ...backupOperations,
        ...readOperations,
        ...restoreOperations,
        ...scratchOperations,
        ...stanzaOperations,
      ],
    }),
    resource({ name: 'primary', label: 'Primary', operations: primaryOperations }),
    resource({ name: 'replica', label: 'Replica', operations: replicaOperations }),
    resource({ name: 'route', label: 'Route', operations: routeOperations }),
    resource({ name: 'sql', label: 'SQL', operations: sqlOperations }),
    resource({ name: 'topology', label: 'Topology', operations: topologyOperations }),
  ],
  methods: {
    credentialTest: {
      hetznerCredentialTest,
      hostCredentialTest,
      infisicalCredentialTest,
      planKeyCredentialTest,
      postgresCredentialTest,
      secretsCredentialTest,
      stateCredentialTest,
    },
  },
  approvals: approvalDesk,
  context: postgresContext,
});
