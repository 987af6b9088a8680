import { randomUUID } from 'node:crypto';
import type { QueueN8n } from '../../../lab/n8n/instance';
import { ownQueueN8n, webhookWorkflow, type Owned } from '../harness';

let lab: Owned<QueueN8n>;
beforeAll(async () => {
  lab = await ownQueueN8n({ withPack: false });
});
// `lab` is missing when it could not be booted; then that is the failure to be read.
afterAll(() => lab?.remove());

const set = {
  type: 'n8n-nodes-base.set',
  typeVersion: 3.4,
  parameters: { mode: 'raw', jsonOutput: '{"value":"from a worker"}', options: {} },
};

test('in queue mode a worker runs what the webhook processor took in, also after the main process was killed', async () => {
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
});
