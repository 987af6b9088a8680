import type { IDataObject, IHookFunctions, IWebhookFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import { forgejoApi, type ForgejoApi } from '../../lib/forgejo/api';
import { parseForgejoCredential } from '../../lib/forgejo/credential';
import {
  isRegistered,
  parseRegistration,
  register,
  type Registration,
  unregister,
  type WantedHook,
} from '../../lib/forgejo/hooks/own-hook';
import type { Task } from '../../lib/task';
import { toNodeError } from '../declaration';
import { settingsOf } from './settings';

const DEADLINE_MS = 60_000;

/** n8n asks this each time the workflow is published and each time it starts. */
export function hookExists(this: IHookFunctions): Promise<boolean> {
  return withApi(this, 'reads', async (api, task) => {
    const { secretMaxAgeMs } = settingsOf(this);
    const rotation = { now: Date.now(), maxAgeMs: secretMaxAgeMs };
    return isRegistered(api, wantedBy(this), read(this, keyOf(this)), rotation, task);
  });
}

export function createHook(this: IHookFunctions): Promise<boolean> {
  return withApi(this, 'changes', async (api, task) => {
    const registration = await register(api, wantedBy(this), read(this, keyOf(this)), Date.now(), task);
    stored(this)[keyOf(this)] = registration;
    return true;
  });
}

/** What fails is said, and what is remembered stays, so that the next publishing finds the hook. */
export function deleteHook(this: IHookFunctions): Promise<boolean> {
  return withApi(this, 'changes', async (api, task) => {
    const url = this.getNodeWebhookUrl('default');
    for (const key of [PRODUCTION, TEST] as const) {
      const registration = read(this, key);
      if (registration === undefined || registration.url !== url) continue;
      await unregister(api, registration, task);
      stored(this)[key] = undefined;
    }
    return true;
  });
}

/** What is remembered of the hook by which this request came. */
export function registrationFor(trigger: IWebhookFunctions): Registration | undefined {
  return read(trigger, trigger.getMode() === 'manual' ? TEST : PRODUCTION);
}

/** "Listen for test event" has an address and a hook of its own, and must never take away that of production. */
const PRODUCTION = 'forgejoHook';
const TEST = 'forgejoTestHook';

function keyOf(trigger: IHookFunctions): typeof PRODUCTION | typeof TEST {
  return trigger.getActivationMode() === 'manual' ? TEST : PRODUCTION;
}

/** The one thing a webhook may keep in the workflow's static data: its own id and secret, for whoever gets the request. */
function stored(trigger: IHookFunctions | IWebhookFunctions): IDataObject {
  return trigger.getWorkflowStaticData('node');
}

function read(trigger: IHookFunctions | IWebhookFunctions, key: string): Registration | undefined {
  return parseRegistration(stored(trigger)[key]);
}

function wantedBy(trigger: IHookFunctions): WantedHook {
  const url = trigger.getNodeWebhookUrl('default');
  if (url === undefined) {
    throw new Failure({
      code: 'no_webhook_url',
      subject: trigger.getNode().name,
      message: 'n8n has no address for this webhook',
      nextStep: 'Set WEBHOOK_URL of n8n to the address under which the Forgejo server reaches it.',
    });
  }
  const { scope, events } = settingsOf(trigger);
  return { scope, url, events };
}

async function withApi<Result>(
  trigger: IHookFunctions,
  effect: 'reads' | 'changes',
  use: (api: ForgejoApi, task: Task) => Promise<Result>,
): Promise<Result> {
  try {
    const credential = parseForgejoCredential(await trigger.getCredentials('selfhostForgejo'));
    if (credential.readOnly && effect === 'changes') {
      throw new Failure({
        code: 'read_only',
        subject: trigger.getNode().name,
        message: 'Refused: the trigger makes and removes a webhook, and the credential is read-only',
        nextStep: 'Use a credential that may make changes.',
      });
    }
    const api = forgejoApi(credential);
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'forgejo trigger' };
    return await use(api, task).finally(api.close);
  } catch (error) {
    throw toNodeError(trigger.getNode(), error);
  }
}
