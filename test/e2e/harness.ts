import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../lib/json';
import {
  connect,
  logIn,
  setUpOwner,
  type N8nApi,
  type Session,
  type WorkflowDraft,
  type WorkflowNode,
} from '../../lab/n8n/api';
import { installN8n } from '../../lab/n8n/install';
import { bootN8n, bootQueueN8n, type N8n, type QueueN8n } from '../../lab/n8n/instance';
import { installPack, packTarball } from '../../lab/n8n/pack';
import { installServices } from '../../lab/n8n/services';

export const owner = { email: 'owner@example.test', password: 'Correct1horse' };

interface Published {
  readonly url: string;
  readonly folder: string;
  readonly log: string;
  readonly tarball: string;
  readonly session: Session;
}

const variable = 'SELFHOST_E2E_N8N';

export function publishSharedN8n(n8n: Published): void {
  process.env[variable] = JSON.stringify(n8n);
}

export interface SharedN8n {
  readonly api: N8nApi;
  readonly url: string;
  readonly folder: string;
  readonly tarball: string;
  readLog(): string;
}

/** The n8n that all end-to-end tests share: see README.md. */
export function sharedN8n(): SharedN8n {
  const text = process.env[variable];
  if (text === undefined) throw new Error('The shared n8n runs only in the jest project e2e');
  const { url, folder, log, tarball, session } = JSON.parse(text) as Published;
  return { api: connect(url, session), url, folder, tarball, readLog: () => readFileSync(log, 'utf8') };
}

export interface Owned<Kind extends N8n> {
  n8n: Kind;
  readonly api: N8nApi;
  remove(): Promise<void>;
}

interface OwnOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Without the pack it is there some seconds earlier. */
  readonly withPack?: boolean;
}

/** An n8n of one's own, to be stopped, killed and started again. */
export async function ownN8n({ environment, withPack = true }: OwnOptions = {}): Promise<Owned<N8n>> {
  const root = mkdtempSync(join(tmpdir(), 'selfhost-e2e-own-'));
  const folder = join(root, 'n8n');
  const install = await installN8n();
  if (withPack) await installPack(install, folder, await packTarball());
  const n8n = await bootN8n({ install, folder, logs: join(root, 'logs'), environment });
  return await furnished(n8n, root);
}

/** An n8n in queue mode of one's own. `n8n.webhookUrl` is where production webhooks are called. */
export async function ownQueueN8n({
  environment,
  withPack = true,
  workers = 2,
}: OwnOptions & { workers?: number } = {}): Promise<Owned<QueueN8n>> {
  const root = mkdtempSync(join(tmpdir(), 'selfhost-e2e-queue-'));
  // Redis and PostgreSQL run as another user, who has to pass through here.
  chmodSync(root, 0o711);
  const services = join(root, 'services');
  const folder = join(root, 'n8n');
  await installServices();
  const install = await installN8n();
  if (withPack) await installPack(install, folder, await packTarball());
  const n8n = await bootQueueN8n({ install, folder, logs: join(root, 'logs'), services, workers, environment });
  return await furnished(n8n, root);
}

async function furnished<Kind extends N8n>(n8n: Kind, root: string): Promise<Owned<Kind>> {
  const owned = {
    n8n,
    remove: async () => {
      await owned.n8n.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
  try {
    await setUpOwner(n8n.url, owner);
    return Object.assign(owned, { api: await logIn(n8n.url, owner) });
  } catch (error) {
    await owned.remove();
    throw error;
  }
}

/** A node under test: where it stands and what it is called matters to nobody. */
export type NodeUnderTest = Pick<WorkflowNode, 'type' | 'parameters'> & Partial<WorkflowNode>;

export function nodeUnderTest(node: NodeUnderTest): WorkflowNode {
  return { id: randomUUID(), name: 'Node', typeVersion: 1, position: [300, 0], ...node };
}

/** `By hand`, then the nodes one after the other. */
export function manualWorkflow(name: string, ...nodes: readonly NodeUnderTest[]): WorkflowDraft {
  return chain(name, { type: 'n8n-nodes-base.manualTrigger', name: 'By hand', parameters: {} }, nodes);
}

/** A production webhook in front: publish it, then `api.callWebhook(path, body)`. */
export function webhookWorkflow(name: string, path: string, ...nodes: readonly NodeUnderTest[]): WorkflowDraft {
  const parameters = { httpMethod: 'POST', path, responseMode: 'lastNode' };
  const webhook = {
    type: 'n8n-nodes-base.webhook',
    typeVersion: 2.1,
    name: 'Webhook',
    webhookId: randomUUID(),
    parameters,
  };
  return chain(name, webhook, nodes);
}

function chain(name: string, trigger: NodeUnderTest, nodes: readonly NodeUnderTest[]): WorkflowDraft {
  const all = [trigger, ...nodes].map(nodeUnderTest);
  const connections: Record<string, JsonObject> = {};
  all.slice(1).forEach((node, index) => {
    connections[all[index]?.name ?? ''] = { main: [[{ node: node.name, type: 'main', index: 0 }]] };
  });
  return { name, nodes: all, connections };
}
