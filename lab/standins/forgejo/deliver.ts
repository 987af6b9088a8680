import { createHmac, randomUUID } from 'node:crypto';

import { EVENT_TYPES, isEventType } from '../../../lib/forgejo/webhook/event-types';
import { matchesGlob } from '../../../lib/forgejo/webhook/glob';
import { type Delivery, type DeliveryTask, type Hook, keyOf, type Repository, type State } from './state';

export interface Happened {
  readonly type: string;
  /** The aggregated name, for X-Forgejo-Event. */
  readonly header: string;
  readonly repository: Repository | undefined;
  readonly owner: string;
  readonly branch?: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Sends it by every hook that wants it: once, whatever the answer. A server that is down sends when it is up again. */
export async function deliver(state: State, happened: Happened): Promise<void> {
  const body = JSON.stringify(happened.payload, null, 2);
  const wanting = hooksFor(state, happened).filter(
    (hook) =>
      hook.active &&
      hook.events.includes(happened.type) &&
      (hook.branchFilter === '' || happened.branch === undefined || matchesGlob(hook.branchFilter, happened.branch)),
  );
  const { type, header } = happened;
  const tasks = wanting.map((hook) => ({ id: randomUUID(), hook: hook.id, event: type, header, body }));
  if (state.undelivered.isDown) state.undelivered.tasks.push(...tasks);
  else await Promise.all(tasks.map((task) => send(state, task)));
}

/** What was not sent before the server went down is sent now, under the ids it had. */
export async function sendUndelivered(state: State): Promise<void> {
  state.undelivered.isDown = false;
  for (const task of state.undelivered.tasks.splice(0)) await send(state, task);
}

/** What a person does in the settings of a hook: the same content as a new delivery. */
export async function replay(state: State, { hook, event, header, body }: Delivery): Promise<void> {
  await send(state, { id: randomUUID(), hook, event, header, body });
}

function hooksFor(state: State, { repository, owner }: Happened): readonly Hook[] {
  return [
    ...(repository === undefined
      ? []
      : (state.repositories.get(keyOf(repository.owner, repository.name))?.hooks ?? [])),
    ...(state.organizationHooks.get(owner.toLowerCase()) ?? []),
    ...state.systemHooks,
  ];
}

/** With the id of one that was sent: what a server or a proxy does that does not know whether it had. */
export async function send(state: State, task: DeliveryTask): Promise<void> {
  const { id, event, header, body } = task;
  const hook = allHooks(state).find((one) => one.id === task.hook);
  if (hook === undefined) throw new Error(`There is no hook ${task.hook} any more`);
  // The signature is that of the payload, also where a form carries it.
  const hmac = (algorithm: string) =>
    hook.secret === '' ? '' : createHmac(algorithm, hook.secret).update(body).digest('hex');
  const sha256 = hmac('sha256');
  const isForm = hook.contentType === 'form';
  const headers: Record<string, string> = {
    'X-Hub-Signature': `sha1=${hmac('sha1')}`,
    'X-Hub-Signature-256': `sha256=${sha256}`,
    'Content-Type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
  };
  for (const brand of ['Forgejo', 'Gitea', 'Gogs', 'GitHub']) {
    headers[`X-${brand}-Delivery`] = id;
    headers[`X-${brand}-Event`] = header;
    headers[`X-${brand}-Event-Type`] = event;
    if (brand !== 'GitHub') headers[`X-${brand}-Signature`] = sha256;
  }
  const sent = isForm ? new URLSearchParams({ payload: body }).toString() : body;
  let status: number | undefined;
  let said = '';
  try {
    const signal = AbortSignal.timeout(state.deliveryTimeoutMs);
    const answer = await fetch(state.deliverTo(hook.url), { method: 'POST', headers, body: sent, signal });
    said = await answer.text();
    status = answer.status;
  } catch {
    status = undefined;
  }
  state.deliveries.push({ ...task, status, said });
}

function allHooks(state: State): readonly Hook[] {
  return [
    ...state.systemHooks,
    ...[...state.organizationHooks.values()].flat(),
    ...[...state.repositories.values()].flatMap(({ hooks }) => hooks),
  ];
}

/** A group of events stands for all of its types; names that this version does not know are dropped without a word. */
export function typesOf(state: State, given: readonly string[]): readonly string[] {
  const names = given.length === 0 ? ['push'] : given;
  return Object.keys(EVENT_TYPES).filter((type) => isKnown(state, type) && names.some((name) => means(name, type)));
}

function isKnown(state: State, type: string): boolean {
  return state.knowsRuns() || !type.startsWith('action_run_');
}

const GROUPS: Readonly<Record<string, (type: string) => boolean>> = {
  issues: (type) => type === 'issues' || type.startsWith('issue_'),
  pull_request: (type) => type.startsWith('pull_request'),
  issues_only: (type) => type === 'issues',
  pull_request_only: (type) => type === 'pull_request',
  pull_request_review: (type) => /^pull_request_review_(approved|rejected|comment)$/.test(type),
};

function means(name: string, type: string): boolean {
  const group = GROUPS[name];
  if (group !== undefined) return group(type);
  // The three kinds of reviews have no names of their own when a hook is made.
  return name === type && isEventType(type) && !GROUPS['pull_request_review']?.(type);
}
