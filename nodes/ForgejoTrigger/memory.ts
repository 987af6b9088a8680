import type { IWebhookFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import { type DeliveryMemory, deliveryMemory } from '../../lib/forgejo/webhook/deliveries';
import { inTime, keptDeliveries } from '../../lib/forgejo/webhook/kept-deliveries';
import type { StateStore } from '../../lib/state/store';
import type { Task } from '../../lib/task';
import { openStateOf } from '../shared/state';
import type { MemoryPlace } from './settings';

/** Of all Forgejo triggers of this process. */
const ofProcess = deliveryMemory();

/** Deliveries share connections. A store closes its own when nobody has used it for a while. */
const stores = new Map<string, StateStore>();

/** Forgejo waits five seconds for an answer, and something else may have to be asked, too. */
const DEADLINE_MS = 3000;

export function memoryOf(trigger: IWebhookFunctions, place: MemoryPlace): DeliveryMemory {
  if (place.keepIn === 'process') return ofProcess;
  return inTime(() => storeOf(trigger, place).then(keptDeliveries), DEADLINE_MS);
}

async function storeOf(trigger: IWebhookFunctions, place: MemoryPlace): Promise<StateStore> {
  const { id = 'unsaved' } = trigger.getWorkflow();
  // Another credential is another store.
  const credential = await trigger
    .getCredentials(place.keepIn === 'host' ? 'selfhostHost' : 'selfhostState')
    .catch(() => undefined);
  const key = JSON.stringify([place, credential]);
  const known = stores.get(key);
  if (known !== undefined) return known;
  // It outlives this delivery, so it must not hear its end. Every question to it has a deadline of its own.
  const task: Task = {
    signal: new AbortController().signal,
    progress: () => undefined,
    owner: `forgejo trigger ${id}`,
  };
  const { store, readOnly } = await openStateOf(trigger, 0, place, task);
  if (readOnly) {
    throw new Failure({
      code: 'read_only',
      subject: trigger.getNode().name,
      message: 'Refused: the trigger writes down what has come, and the Host credential is read-only',
      nextStep: 'Use a Host credential that may make changes, or remember deliveries elsewhere.',
    });
  }
  stores.set(key, store);
  return store;
}
