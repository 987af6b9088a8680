import { actionNode, resource } from '../declaration';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { requestOperations } from './actions/request.operations';
import { approvalContext } from './context';
import type { ApprovalContext } from './operation';

export const Approval = actionNode<ApprovalContext>({
  name: 'approval',
  displayName: 'Approval',
  description: 'Look at what an AI agent wants to do, and allow exactly that, once',
  icon: { light: 'file:approval.svg', dark: 'file:approval.dark.svg' },
  credentials: [
    { name: 'selfhostState', displayName: 'State (PostgreSQL)', required: true, testedBy: 'stateCredentialTest' },
    { name: 'selfhostPlanKey', displayName: 'Plan Key', required: true, testedBy: 'planKeyCredentialTest' },
  ],
  resources: [resource({ name: 'request', label: 'Request', operations: requestOperations })],
  methods: { credentialTest: { planKeyCredentialTest, stateCredentialTest } },
  context: approvalContext,
});
