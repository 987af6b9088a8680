import type { IWebhookFunctions } from 'n8n-workflow';
import { messageOf } from '../../lib/failure';
import { forgejoApi } from '../../lib/forgejo/api';
import { parseForgejoCredential } from '../../lib/forgejo/credential';
import type { ForgejoEvent } from '../../lib/forgejo/webhook/event';
import { wasForced } from '../../lib/forgejo/webhook/forced';

/** Forgejo waits five seconds for an answer. */
const DEADLINE_MS = 1500;

/** The event with what its payload does not say. Its delivery is used up by now, so nothing may keep it from starting. */
export async function withForced(trigger: IWebhookFunctions, event: ForgejoEvent): Promise<ForgejoEvent> {
  if (event.kind !== 'push' || event.forced !== null) return event;
  try {
    const api = forgejoApi(parseForgejoCredential(await trigger.getCredentials('selfhostForgejo')));
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'forgejo trigger' };
    return { ...event, forced: await wasForced(api, event, task).finally(api.close) };
  } catch (error) {
    trigger.logger.warn(`Forgejo Trigger: whether a push was forced could not be asked: ${messageOf(error)}`);
    return event;
  }
}
