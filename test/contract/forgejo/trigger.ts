import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { IDataObject, IHookFunctions, IWebhookFunctions } from 'n8n-workflow';

import type { ForgejoEvent } from '../../../lib/forgejo/webhook/event';
import { ForgejoTrigger } from '../../../nodes/ForgejoTrigger/ForgejoTrigger.node';
import { closeLater } from './standin';

export interface Trigger {
  readonly url: string;
  /** What started the workflow, in order. */
  readonly started: ForgejoEvent[];
  readonly logged: string[];
  /** As n8n keeps it in its database between two calls. */
  staticData: IDataObject;
  parameters: Readonly<Record<string, unknown>>;
  credential: Readonly<Record<string, unknown>>;
  /** What n8n does when the workflow is published, and when it starts. */
  publish: (mode?: 'activate' | 'manual') => Promise<'found' | 'created'>;
  unpublish: () => Promise<void>;
}

/** The trigger behind a real port, with as much of n8n around it as it asks for. */
export async function triggerAt(
  credential: Readonly<Record<string, unknown>>,
  parameters: Readonly<Record<string, unknown>>,
  /** By their types: those beside that of Forgejo. */
  others: Readonly<Record<string, unknown>> = {},
): Promise<Trigger> {
  const node = new ForgejoTrigger();
  let nodeId = Math.random().toString(36);
  const server = http.createServer((incoming, outgoing) => {
    void serve(incoming, outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeLater(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  );
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook/5f0c1a9b/forgejo`;
  nodeId += url;

  const common = (data: IDataObject) => ({
    getNode: () => ({
      id: nodeId,
      name: 'Forgejo Trigger',
      type: 'n8n-nodes-selfhost.forgejoTrigger',
      credentials: Object.fromEntries(
        ['selfhostForgejo', ...Object.keys(others)].map((name) => [name, { id: name, name }]),
      ),
    }),
    getWorkflow: () => ({ id: 'workflow' }),
    getWorkflowStaticData: () => data,
    getNodeParameter: (name: string, fallback: unknown) => valueAt(trigger.parameters, name.split('.')) ?? fallback,
    getCredentials: async (name: string) => (name === 'selfhostForgejo' ? trigger.credential : others[name]),
    getNodeWebhookUrl: () => url,
    logger: {
      info: (message: string) => trigger.logged.push(message),
      warn: (message: string) => trigger.logged.push(message),
      error: (message: string) => trigger.logged.push(message),
    },
  });

  const serve = async (incoming: http.IncomingMessage, outgoing: http.ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const response = {
      status: (code: number) => {
        outgoing.statusCode = code;
        return { json: (body: unknown) => outgoing.end(JSON.stringify(body)) };
      },
    };
    const context = {
      ...common(structuredClone(trigger.staticData)),
      getMode: () => 'webhook',
      getHeaderData: () => incoming.headers,
      getRequestObject: () => ({ rawBody: Buffer.concat(chunks) }),
      getResponseObject: () => response,
    };
    const result = await node.webhook.call(context as unknown as IWebhookFunctions);
    const items = result.workflowData ?? [];
    trigger.started.push(...items.flat().map(({ json }) => json as unknown as ForgejoEvent));
    if (result.noWebhookResponse !== true) outgoing.end(JSON.stringify(result.webhookResponse));
  };

  // Static data is read before and written after, as n8n does.
  const ask = async (method: 'checkExists' | 'create' | 'delete', mode: string) => {
    const data = structuredClone(trigger.staticData);
    const context = { ...common(data), getActivationMode: () => mode, getMode: () => 'trigger' };
    const answer = await node.webhookMethods.default[method].call(context as unknown as IHookFunctions);
    trigger.staticData = JSON.parse(JSON.stringify(data)) as IDataObject;
    return answer;
  };

  const trigger: Trigger = {
    url,
    started: [],
    logged: [],
    staticData: {},
    parameters,
    credential,
    publish: async (mode = 'activate') => {
      if (await ask('checkExists', mode)) return 'found';
      await ask('create', mode);
      return 'created';
    },
    unpublish: async () => {
      await ask('delete', 'update');
    },
  };
  return trigger;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[name] : undefined,
    value,
  );
}
