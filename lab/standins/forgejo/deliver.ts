import { createHmac, randomUUID } from 'node:crypto';

import { EVENT_TYPES, isEventType } from '../../../lib/forgejo/webhook/event-types';
import { matchesGlob } from '../../../lib/forgejo/webhook/glob';
import { keyOf, type Hook, type Repository, type State } from './state';

export interface Happened {
  readonly type: string;
  /** The aggregated name, for X-Forgejo-Event. */
  readonly header: string;
  readonly repository: Repository | undefined;
  readonly owner: string;
  readonly branch?: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Sends it by every hook that wants it: once, whatever the answer. */
export async function deliver(state: State, happened: Happened): Promise<void> {
  const body = JSON.stringify(happened.payload, null, 2);
  const wanting = hooksFor(state, happened).filter(
    (hook) =>
      hook.active &&
      hook.events.includes(happened.type) &&
      (hook.branchFilter === '' || happened.branch === undefined || matchesGlob(hook.branchFilter, happened.branch)),
  );
  await Promise.all(wanting.map((hook) => send(state, hook, happened, body, randomUUID())));
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

/** The same id again: what a server does that died between sending and noting that it had. */
export async function send(
  state: State,
  hook: Hook,
  { type, header }: Pick<Happened, 'type' | 'header'>,
  body: string,
  id: string,
): Promise<void> {
  const hmac = (algorithm: string) =>
    hook.secret === '' ? '' : createHmac(algorithm, hook.secret).update(body).digest('hex');
  const sha256 = hmac('sha256');
  const headers: Record<string, string> = {
    'X-Hub-Signature': `sha1=${hmac('sha1')}`,
    'X-Hub-Signature-256': `sha256=${sha256}`,
    'Content-Type': 'application/json',
  };
  for (const brand of ['Forgejo', 'Gitea', 'Gogs', 'GitHub']) {
    headers[`X-${brand}-Delivery`] = id;
    headers[`X-${brand}-Event`] = header;
    headers[`X-${brand}-Event-Type`] = type;
    if (brand !== 'GitHub') headers[`X-${brand}-Signature`] = sha256;
  }
  let status: number | undefined;
  try {
    const answer = await fetch(hook.url, { method: 'POST', headers, body, signal: AbortSignal.timeout(5000) });
    await answer.arrayBuffer();
    status = answer.status;
  } catch {
    status = undefined;
  }
  state.deliveries.push({ id, hook: hook.id, event: type, body, status });
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
