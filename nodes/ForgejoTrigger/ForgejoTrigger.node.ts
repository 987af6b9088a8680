import { NodeConnectionTypes } from 'n8n-workflow';
import type {
  IDataObject,
  INodeType,
  INodeTypeDescription,
  IWebhookFunctions,
  IWebhookResponseData,
} from 'n8n-workflow';
import { deliveryMemory } from '../../lib/forgejo/webhook/deliveries';
import { receive } from '../../lib/forgejo/webhook/receive';
import { acceptedSecrets } from '../../lib/forgejo/webhook/secrets';
import { toNodeError } from '../declaration';
import { forgejoCredentialTest } from '../Forgejo/methods/forgejoCredentialTest';
import { forgejoTriggerProperties } from './properties';
import { createHook, deleteHook, hookExists, registrationFor } from './registration';
import { settingsOf } from './settings';

/** Of all Forgejo triggers of this process. */
const memory = deliveryMemory();

export class ForgejoTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Forgejo Trigger',
    name: 'forgejoTrigger',
    icon: { light: 'file:forgejoTrigger.svg', dark: 'file:forgejoTrigger.dark.svg' },
    group: ['trigger'],
    version: 1,
    subtitle: '={{ $parameter["repository"] || $parameter["organization"] || "whole server" }}',
    description: 'Starts the workflow once for each verified event of a Forgejo or Gitea server',
    defaults: { name: 'Forgejo Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: 'selfhostForgejo', required: true, testedBy: 'forgejoCredentialTest' }],
    webhooks: [{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: 'forgejo' }],
    properties: forgejoTriggerProperties,
  };

  methods = { credentialTest: { forgejoCredentialTest } };

  webhookMethods = { default: { checkExists: hookExists, create: createHook, delete: deleteHook } };

  // eslint-disable-next-line @typescript-eslint/require-await -- n8n wants a promise
  async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
    try {
      return answer(this);
    } catch (error) {
      throw toNodeError(this.getNode(), error);
    }
  }
}

/** Of Express, as far as it is used here. */
interface Response {
  status(code: number): { json(body: unknown): unknown };
}

function answer(trigger: IWebhookFunctions): IWebhookResponseData {
  const registration = registrationFor(trigger);
  const { filter, mostBytes } = settingsOf(trigger);
  const request = trigger.getRequestObject() as { readonly rawBody?: unknown };
  const rawBody = Buffer.isBuffer(request.rawBody) ? request.rawBody : undefined;
  const received = receive(
    { headers: trigger.getHeaderData(), rawBody },
    {
      trigger: JSON.stringify([trigger.getWorkflow().id, trigger.getNode().id, trigger.getMode()]),
      secrets: registration === undefined ? [] : acceptedSecrets(registration.chain, Date.now()),
      mostBytes,
      filter,
      memory,
    },
  );
  switch (received.kind) {
    case 'accepted':
      return {
        workflowData: [[{ json: received.event as unknown as IDataObject }]],
        webhookResponse: { started: true },
      };
    case 'ignored':
      return { webhookResponse: { started: false, because: `filtered by ${received.because}` } };
    case 'duplicate':
      trigger.logger.info(`Forgejo Trigger: delivery ${received.delivery} came again and starts nothing`);
      return { webhookResponse: { started: false, because: 'this delivery came before' } };
    case 'refused': {
      const { status, reason } = received;
      trigger.logger.warn(`Forgejo Trigger: a request was refused (${status}): ${reason}`);
      const response = trigger.getResponseObject() as unknown as Response;
      response.status(status).json({ started: false, because: reason });
      return { noWebhookResponse: true };
    }
  }
}
