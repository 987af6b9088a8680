import { randomUUID } from 'node:crypto';
import { manualWorkflow, ownN8n, type Owned } from '../harness';
import type { N8n } from '../../../lab/n8n/instance';

let lab: Owned<N8n>;
beforeAll(async () => {
  lab = await ownN8n({ withPack: false });
});
// `lab` is missing when it could not be booted; then that is the failure to be read.
afterAll(() => lab?.remove());

test('an n8n that is killed in the middle of an execution comes back with its data and marks the execution', async () => {
  const { api } = lab;
  const sleep = {
    type: 'n8n-nodes-base.code',
    typeVersion: 2,
    parameters: { jsCode: 'await new Promise(() => {}); return [];' },
  };
  const id = await api.createWorkflow(manualWorkflow('Never ends', { ...sleep, webhookId: randomUUID() }));
  const execution = await api.runManually(id, 'By hand');
  await api.waitForExecution(execution, { states: ['running'] });
  await lab.n8n.kill();
  expect(lab.n8n.main.isRunning()).toBe(false);
  lab.n8n = await lab.n8n.restart();
  expect((await api.waitForExecution(execution)).status).toBe('crashed');
});
