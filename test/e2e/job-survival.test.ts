import { hostOf } from '../../lab/hosts/as-host';
import { quietTask } from '../shared/task';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labCredential } from '../../lab/estate';
import { startSshHost, type SshHost } from '../../lab/hosts/ssh-host';
import { until } from '../../lab/hosts/waiting';
import { logIn, type Execution, type N8nApi, type WorkflowDraft } from '../../lab/n8n/api';
import type { N8n, QueueN8n } from '../../lab/n8n/instance';
import { readJob } from '../../lib/host/jobs/read';
import { jobId, startJob } from '../../lib/host/jobs/start';
import { runCommand } from '../../lib/host/run';
import { closeSessions } from '../../lib/host/sessions';
import {
  manualWorkflow,
  nodeUnderTest,
  owner,
  ownN8n,
  ownQueueN8n,
  webhookWorkflow,
  type NodeUnderTest,
  type Owned,
} from './harness';

type Credential = { readonly id: string; readonly name: string };
const NAME = 'long work';

/** The long half: starts the job and waits for it, as a workflow that has not been split would. */
function starting(credential: Credential, intent: string): NodeUnderTest[] {
  const credentials = { selfhostHost: credential };
  const script = 'echo begun; until [ -e /root/may-end ]; do sleep 0.05; done; echo "done $1"; exit 7';
  return [
    {
      type: 'n8n-nodes-selfhost.host',
      name: 'Start',
      parameters: { resource: 'job', operation: 'start', jobName: NAME, intent, script, arguments: intent },
      credentials,
    },
    {
      type: 'n8n-nodes-selfhost.host',
      name: 'Wait',
      parameters: { resource: 'job', operation: 'attach', jobId: '={{ $json.id }}' },
      credentials,
    },
  ];
}

/** The other half: what is to happen when the job has ended. */
function following(credential: Credential): WorkflowDraft {
  const trigger = nodeUnderTest({
    type: 'n8n-nodes-selfhost.hostJobTrigger',
    name: 'Job ended',
    parameters: { jobName: NAME, options: { intervalSeconds: 1 } },
    credentials: { selfhostHost: credential },
  });
  const note = nodeUnderTest({
    type: 'n8n-nodes-base.set',
    typeVersion: 3.4,
    name: 'Note',
    parameters: { mode: 'raw', jsonOutput: '={{ JSON.stringify($json) }}', options: {} },
  });
  const connections = { 'Job ended': { main: [[{ node: 'Note', type: 'main', index: 0 }]] } };
  return { name: 'Follow up', nodes: [trigger, note], connections };
}

interface Mode<Kind extends N8n> {
  readonly begin: (owned: Owned<Kind>, credential: Credential, intent: string) => Promise<string>;
  readonly kill: (n8n: Kind) => Promise<void>;
  readonly restart: (n8n: Kind) => Promise<Kind>;
}

/** Kills n8n in the middle of a job, lets the job end meanwhile, and looks at what comes after the restart. */
async function survive<Kind extends N8n>(owned: Owned<Kind>, machine: SshHost, mode: Mode<Kind>): Promise<void> {
  const host = hostOf(machine);
  const credential = await owned.api.createCredential('machine', 'selfhostHost', labCredential([machine]));
  const followUp = await owned.api.createWorkflow(following(credential));
  await owned.api.publish(followUp);
  const intent = randomUUID();
  const workflow = await mode.begin(owned, credential, intent);
  const state = (of: string) =>
    readJob(host, jobId(NAME, of), quietTask()).then(
      (job) => job.state,
      () => undefined,
    );
  await until('the job runs', 60_000, async () => (await state(intent))?.kind === 'running' || undefined);

  await mode.kill(owned.n8n);
  expect(await state(intent)).toEqual({ kind: 'running' });
  await runCommand(host, { argv: ['touch', '/root/may-end'] }, {}, quietTask());
  await until('the job has ended', 20_000, async () => (await state(intent))?.kind === 'finished' || undefined);
  expect(await state(intent)).toMatchObject({ exit: { exitCode: 7 } });

  owned.n8n = await mode.restart(owned.n8n);
  const first = await successes(await logIn(owned.n8n.url, owner), followUp, 1);

  // After another crash everything that is not marked as handed on is offered again. A second job shows that the
  // trigger has looked, so what it did not start again by then it never will.
  await mode.kill(owned.n8n);
  const second = randomUUID();
  await startJob(host, { name: NAME, intent: second, owner: 'test', command: { argv: ['true'] } }, quietTask());
  owned.n8n = await mode.restart(owned.n8n);
  const api = await logIn(owned.n8n.url, owner);
  const followUps = await successes(api, followUp, 2);

  expect(followUps.map(({ id }) => id)).toEqual(expect.arrayContaining(first.map(({ id }) => id)));
  const notes = await Promise.all(
    followUps.map(async ({ id }) => (await api.execution(id)).runs.Note?.[0]?.outputs[0]),
  );
  expect(notes.flat().map((note) => [note?.intent, note?.state, note?.exitCode, note?.succeeded])).toEqual(
    expect.arrayContaining([
      [intent, 'finished', 7, false],
      [second, 'finished', 0, true],
    ]),
  );
  const [broken] = await api.executionsOf(workflow);
  expect(['crashed', 'error']).toContain(broken?.status);
}

/** All executions of the workflow, once there are so many and none is still under way. */
async function successes(api: N8nApi, workflow: string, count: number): Promise<readonly Execution[]> {
  const executions = await until(`${count} follow-ups have ended`, 90_000, async () => {
    const all = await api.executionsOf(workflow);
    return all.length >= count && all.every(({ status }) => !['new', 'running'].includes(status)) ? all : undefined;
  });
  expect(executions.map(({ status, mode }) => ({ status, mode }))).toEqual(
    Array.from({ length: count }, () => ({ status: 'success', mode: 'trigger' })),
  );
  return executions;
}

describe('a job and its follow-up', () => {
  let machine: SshHost;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selfhost-machine-'));
    machine = await startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder } });
  });
  afterEach(async () => {
    await closeSessions();
    await machine.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('survive a killed n8n in regular mode: the job goes on, the follow-up starts exactly once', async () => {
    const owned = await ownN8n();
    try {
      await survive<N8n>(owned, machine, {
        begin: async ({ api }, credential, intent) => {
          const id = await api.createWorkflow(manualWorkflow('Long', ...starting(credential, intent)));
          await api.runManually(id, 'By hand');
          return id;
        },
        kill: (n8n) => n8n.kill(),
        restart: (n8n) => n8n.restart(),
      });
    } finally {
      await owned.remove();
    }
  }, 240_000);

  it('survive in queue mode that main and workers are killed: the follow-up starts exactly once', async () => {
    const owned = await ownQueueN8n();
    try {
      await survive<QueueN8n>(owned, machine, {
        begin: async ({ api, n8n }, credential, intent) => {
          const path = randomUUID();
          const id = await api.createWorkflow(webhookWorkflow('Long', path, ...starting(credential, intent)));
          await api.publish(id);
          // It would answer when the workflow ends, which this one does not live to see.
          void api.callWebhook(path, {}, { url: n8n.webhookUrl }).catch(() => undefined);
          return id;
        },
        kill: async (n8n) => {
          await Promise.all([n8n.kill(), ...n8n.workers.map((worker) => worker.kill())]);
        },
        restart: async (n8n) => {
          const next = await n8n.restart();
          await next.startWorker();
          return next;
        },
      });
    } finally {
      await owned.remove();
    }
  }, 300_000);
});
