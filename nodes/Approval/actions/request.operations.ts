import { type ApprovalRequest, approveRequest, denyRequest, getRequest, listRequests } from '../../../lib/plan/calls';
import { choice, number, schema, text } from '../../declaration';
import { operation } from '../operation';

const requestFacts = {
  id: schema.string('Of exactly this call with all of its values'),
  node: schema.string(),
  operation: schema.string(),
  action: schema.string(),
  input: schema.record(schema.anything(), 'All values of the call; secrets are hidden'),
  preview: schema.array(schema.anything(), 'What its dry run put out; empty where it has none'),
  askedBy: schema.string('The execution'),
  askedAt: schema.string(),
  verdict: schema.oneOf(['open', 'approved', 'denied']),
  decidedBy: schema.nullable(schema.string()),
  decidedAt: schema.nullable(schema.string()),
};
const requestOutput = schema.lazy(() => schema.object(requestFacts));
const decidedOutput = schema.lazy(() => schema.object({ ...requestFacts, changed: schema.boolean() }));

const idField = text({ label: 'Request ID', required: true, description: 'As the refusal of the call has named it' });
const approverField = text({
  label: 'Approver',
  required: true,
  placeholder: 'daniel',
  description: 'The person who decides; from the answer to a Send and Wait, not from the call itself',
});

/** Declared by the engine as a type, by the schema as a plain object. */
const shown = (request: ApprovalRequest) => ({ ...request });

export const requestOperations = [
  operation({
    resource: 'request',
    name: 'list',
    action: 'List requests',
    description: 'Lists the calls by AI agents that wait for a person, the newest first',
    effect: 'reads',
    input: {
      verdict: choice({
        label: 'Verdict',
        options: { open: 'Open', approved: 'Approved', denied: 'Denied', all: 'All' },
        default: 'open',
      }),
    },
    output: requestOutput,
    run: async ({ input, store }) => (await listRequests(store, input.verdict)).map(shown),
  }),
  operation({
    resource: 'request',
    name: 'get',
    action: 'Get a request',
    description: 'Reads one call with all of its values, and what it would do',
    effect: 'reads',
    input: { requestId: idField },
    output: requestOutput,
    run: async ({ input, store }) => shown(await getRequest(store, input.requestId)),
  }),
  operation({
    resource: 'request',
    name: 'approve',
    action: 'Approve a request',
    description: 'Allows exactly this call once, and gives the token for it. AI agents can never approve.',
    effect: 'creates',
    // Its node has no desk for approvals, so an agent is always refused.
    needsApproval: true,
    input: {
      requestId: idField,
      approver: approverField,
      validMinutes: number({ label: 'Valid For (Minutes)', default: 15, min: 1, max: 1440 }),
    },
    output: schema.lazy(() =>
      schema.object({
        ...requestFacts,
        changed: schema.boolean(),
        token: schema.string('Good for one call; shown only here'),
        expiresAt: schema.string(),
      }),
    ),
    run: async ({ input: { requestId, approver, validMinutes }, store, planKey }) => {
      const decision = { by: approver, now: Date.now(), validMs: validMinutes * 60_000 };
      const { token, expiresAt, request } = await approveRequest(store, requestId, planKey, decision);
      return { ...shown(request), changed: true, token, expiresAt };
    },
  }),
  operation({
    resource: 'request',
    name: 'deny',
    action: 'Deny a request',
    description: 'Closes the request without allowing the call',
    effect: 'changes',
    needsApproval: true,
    input: { requestId: idField, approver: approverField },
    output: decidedOutput,
    run: async ({ input: { requestId, approver }, store }) => ({
      ...shown(await denyRequest(store, requestId, { by: approver, now: Date.now() })),
      changed: true,
    }),
  }),
];
