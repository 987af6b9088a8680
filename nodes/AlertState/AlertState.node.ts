import { actionNode, resource } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { stateCredentials } from '../shared/state';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { drillOperations } from './actions/drill.operations';
import { incidentOperations } from './actions/incident.operations';
import { messageOperations } from './actions/message.operations';
import { settingsOperations } from './actions/settings.operations';
import { silenceOperations } from './actions/silence.operations';
import { statusPageOperations } from './actions/statusPage.operation';
import { alertContext } from './context';
import type { AlertContext } from './operation';

export const AlertState = actionNode<AlertContext>({
  name: 'alertState',
  displayName: 'Alert State',
  description: 'Many reports in, one message for each incident out: causes, silences, escalation, and a status page',
  icon: { light: 'file:alertState.svg', dark: 'file:alertState.dark.svg' },
  credentials: [
    ...stateCredentials,
    {
      name: 'selfhostHost',
      displayName: 'Host (SSH)',
      required: true,
      testedBy: 'hostCredentialTest',
      displayOptions: { show: { keepIn: ['host'] } },
    },
  ],
  resources: [
    resource({ name: 'drill', label: 'Drill', operations: drillOperations }),
    resource({ name: 'incident', label: 'Incident', operations: incidentOperations }),
    resource({ name: 'message', label: 'Message', operations: messageOperations }),
    resource({ name: 'settings', label: 'Settings', operations: settingsOperations }),
    resource({ name: 'silence', label: 'Silence', operations: silenceOperations }),
    resource({ name: 'statusPage', label: 'Status Page', operations: statusPageOperations }),
  ],
  methods: { credentialTest: { hostCredentialTest, stateCredentialTest } },
  context: alertContext,
});
