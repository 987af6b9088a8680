import { NodeConnectionTypes } from 'n8n-workflow';
import type {
  IDataObject,
  INodeType,
  INodeTypeDescription,
  IWebhookFunctions,
  IWebhookResponseData,
} from 'n8n-workflow';
import { receive } from '../../lib/forgejo/webhook/receive';
import { acceptedSecrets } from '../../lib/forgejo/webhook/secrets';
import { toNodeError } from '../declaration';
import { forgejoCredentialTest } from '../Forgejo/methods/forgejoCredentialTest';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { stateCredentials } from '../shared/state';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { withForced } from './forced';
import { memoryOf } from './memory';
import { forgejoTriggerProperties } from './properties';
import { createHook, deleteHook, hookExists, registrationFor } from './registration';
import { settingsOf } from './settings';

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
    credentials: [
      { name: 'selfhostForgejo', required: true, testedBy: 'forgejoCredentialTest' },
      ...structuredClone([...stateCredentials]),
      {
        name: 'selfhostHost',
        displayName: 'Host (SSH)',
        required: true,
        testedBy: 'hostCredentialTest',
        displayOptions: { show: { keepIn: ['host'] } },
      },
    ],
    webhooks: [
      {
        name: 'default',
        httpMethod: 'POST',
        responseMode: 'onReceived',
        path: 'forgejo',
        // Not left out: then n8n answers with the name of its default, and not with what `webhook` says.
        responseData: '',
      },
    ],
    properties: forgejoTriggerProperties,
  };

  methods = { credentialTest: { forgejoCredentialTest, hostCredentialTest, stateCredentialTest } };

  webhookMethods = { default: { checkExists: hookExists, create: createHook, delete: deleteHook } };

  async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
    try {
      return await answer(this);
    } catch (error) {
      throw toNodeError(this.getNode(), error);
    }
  }
}

/** Of Express, as far as it is used here. */
interface Response {
  status(code: number): { json(body: unknown): unknown };
}

async function answer(trigger: IWebhookFunctions): Promise<IWebhookResponseData> {
  const registration = registrationFor(trigger);
  const { filter, mostBytes, memory } = settingsOf(trigger);
  const request = trigger.getRequestObject() as { readonly rawBody?: unknown };
  const rawBody = Buffer.isBuffer(request.rawBody) ? request.rawBody : undefined;
  const received = await receive(
    { headers: trigger.getHeaderData(), rawBody },
    {
      trigger: [trigger.getWorkflow().id || 'unsaved', trigger.getNode().id, trigger.getMode()]
        .map(encodeURIComponent)
        .join('/'),
      secrets: registration === undefined ? [] : acceptedSecrets(registration.chain, Date.now()),
      mostBytes,
      filter,
      memory: memoryOf(trigger, memory),
    },
  );
  const refuse = (status: number, because: string): IWebhookResponseData => {
    (trigger.getResponseObject() as unknown as Response).status(status).json({ started: false, because });
    return { noWebhookResponse: true };
  };
  switch (received.kind) {
    case 'accepted':
      return {
        workflowData: [[{ json: (await withForced(trigger, received.event)) as unknown as IDataObject }]],
        webhookResponse: { started: true },
      };
    case 'ignored':
      return { webhookResponse: { started: false, because: `filtered by ${received.because}` } };
    case 'duplicate':
      trigger.logger.info(`Forgejo Trigger: delivery ${received.delivery} came again and starts nothing`);
      return { webhookResponse: { started: false, because: 'this delivery came before' } };
    case 'unknown': {
      const { delivery, failure } = received;
      trigger.logger.error(
        `Forgejo Trigger: delivery ${delivery} starts nothing, because nobody can say whether it came before. ` +
          `${failure.message}. ${failure.nextStep}`,
      );
      return refuse(503, 'it cannot be known now whether this delivery came before; replay it later');
    }
    case 'refused':
      trigger.logger.warn(`Forgejo Trigger: a request was refused (${received.status}): ${received.reason}`);
      return refuse(received.status, received.reason);
  }
}
