import { randomUUID } from 'node:crypto';
import { ownQueueN8n, webhookWorkflow } from '../harness';

const set = {
  type: 'n8n-nodes-base.set',
  typeVersion: 3.4,
  parameters: { mode: 'raw', jsonOutput: '{"value":"from a worker"}', options: {} },
};

test('in queue mode a worker runs what the webhook processor took in, also after the main process was killed', async () => {
  const lab = await ownQueueN8n({ withPack: false });
  try {
    const path = randomUUID();
    const id = await lab.api.createWorkflow(webhookWorkflow('Queued', path, set));
    await lab.api.publish(id);
    const call = () => lab.api.callWebhook(path, {}, { url: lab.n8n.webhookUrl });
    expect(await call()).toEqual({ status: 200, body: { value: 'from a worker' } });
    const logs = lab.n8n.workers.map((worker) => worker.readLog()).join('\n');
    expect(logs).toMatch(/Worker started execution \d+/);

    await lab.n8n.kill();
    expect(await call()).toEqual({ status: 200, body: { value: 'from a worker' } });
    lab.n8n = await lab.n8n.restart();
    const executions = await lab.api.executionsOf(id);
    expect(executions.map(({ status }) => status)).toEqual(['success', 'success']);
  } finally {
    await lab.remove();
  }
});
