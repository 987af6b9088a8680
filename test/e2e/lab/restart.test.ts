import { randomUUID } from 'node:crypto';
import { manualWorkflow, ownN8n } from '../harness';

test('an n8n that is killed in the middle of an execution comes back with its data and marks the execution', async () => {
  const lab = await ownN8n({ withPack: false });
  try {
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
  } finally {
    await lab.remove();
  }
});
