import type { IWebhookFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import { type DeliveryMemory, deliveryMemory } from '../../lib/forgejo/webhook/deliveries';
import { keptDeliveries } from '../../lib/forgejo/webhook/kept-deliveries';
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
  return {
    isNew: (delivery) =>
      inTime(
        storeOf(trigger, place).then((store) => keptDeliveries(store).isNew(delivery)),
        delivery.id,
      ),
  };
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
  const { store } = await openStateOf(trigger, 0, place, task);
  stores.set(key, store);
  return store;
}

async function inTime<Result>(asked: Promise<Result>, delivery: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate(delivery)), DEADLINE_MS);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLate(delivery: string): Failure {
  return new Failure({
    code: 'state_too_slow',
    subject: `delivery ${delivery}`,
    message: `The state did not say within ${DEADLINE_MS / 1000} seconds whether this delivery came before`,
    nextStep:
      'Look whether the place of the state can be reached, then replay the delivery in the settings of the hook.',
  });
}
