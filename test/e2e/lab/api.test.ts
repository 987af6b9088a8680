import { randomUUID } from 'node:crypto';
import { manualWorkflow, sharedN8n, webhookWorkflow } from '../harness';

const { api } = sharedN8n();

const setNode = (value: string) => ({
  type: 'n8n-nodes-base.set',
  typeVersion: 3.4,
  parameters: { mode: 'raw', jsonOutput: JSON.stringify({ value }), options: {} },
});

test('a workflow that is run by hand ends with its items', async () => {
  const id = await api.createWorkflow(manualWorkflow('Items', setNode('äöü "quoted"')));
  const execution = await api.runToEnd(id, 'By hand');
  expect(execution).toMatchObject({ workflowId: id, status: 'success', mode: 'manual' });
  expect(execution.runs.Node).toEqual([{ status: 'success', outputs: [[{ value: 'äöü "quoted"' }]] }]);
  expect(execution.stored).toContain('äöü');
});

test('a node that fails leaves its sentence in the execution', async () => {
  const fail = {
    type: 'n8n-nodes-base.stopAndError',
    parameters: { errorType: 'errorMessage', errorMessage: 'the disk is on fire' },
  };
  const id = await api.createWorkflow(manualWorkflow('Fails', fail));
  const execution = await api.runToEnd(id, 'By hand');
  expect(execution.status).toBe('error');
  expect(execution.error?.message).toBe('the disk is on fire');
  expect(execution.runs.Node?.[0]?.status).toBe('error');
});

test('an execution that is stopped ends as canceled', async () => {
  const wait = { type: 'n8n-nodes-base.wait', typeVersion: 1.1, parameters: { amount: 50, unit: 'seconds' } };
  const id = await api.createWorkflow(manualWorkflow('Waits', { ...wait, webhookId: randomUUID() }));
  const execution = await api.runManually(id, 'By hand');
  await api.waitForExecution(execution, { states: ['running', 'waiting'] });
  await api.stopExecution(execution);
  expect((await api.waitForExecution(execution)).status).toBe('canceled');
});

test('a published webhook answers with what its last node gave', async () => {
  const path = randomUUID();
  const id = await api.createWorkflow(webhookWorkflow('Answers', path, setNode('from the webhook')));
  await api.publish(id);
  expect(await api.callWebhook(path, { question: 1 })).toEqual({ status: 200, body: { value: 'from the webhook' } });
  const executions = await api.executionsOf(id);
  expect(executions.map(({ status, mode }) => ({ status, mode }))).toEqual([{ status: 'success', mode: 'webhook' }]);
  await api.unpublish(id);
  expect((await api.callWebhook(path, {})).status).toBe(404);
});

test('what n8n refuses is said with its own words', async () => {
  await expect(api.createCredential('nothing', 'thereIsNoSuchType', {})).rejects.toMatchObject({ code: 'n8n_refused' });
});
