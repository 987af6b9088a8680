import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import {
  carryOperation,
  finishOperation,
  getOperation,
  keepDownOperation,
  newestOperation,
  placeDatabaseOperation,
  placeOperation,
  readyDatabaseOperation,
  silenceOperation,
  startOperation,
  takeTurnOperation,
} from './actions/service.operations';
import { standbyContext } from './context';
import type { StandbyContext } from './operation';

export const ServiceStandby = actionNode<StandbyContext>({
  name: 'serviceStandby',
  displayName: 'Service Standby',
  description:
    'Moves Compose services to a standby host and back, with claims so that no two hosts ever run the same one',
  icon: { light: 'file:serviceStandby.svg', dark: 'file:serviceStandby.dark.svg' },
  credentials: [
    { name: 'selfhostHost', displayName: 'Host (SSH)', required: true, testedBy: 'hostCredentialTest' },
    ...controlCredentials,
  ],
  resources: [
    resource({
      name: 'service',
      label: 'Service',
      operations: [
        getOperation,
        takeTurnOperation,
        silenceOperation,
        newestOperation,
        carryOperation,
        placeOperation,
        readyDatabaseOperation,
        placeDatabaseOperation,
        startOperation,
        finishOperation,
        keepDownOperation,
      ],
    }),
  ],
  methods: { credentialTest: { hostCredentialTest, planKeyCredentialTest, stateCredentialTest } },
  approvals: approvalDesk,
  context: standbyContext,
});
