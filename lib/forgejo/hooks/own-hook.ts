import { Failure, isFailure } from '../../failure';
import { isObject } from '../../json';
import type { Task } from '../../task';
import type { ForgejoApi } from '../api';
import { type EventType, sentTypes, subscriptionsOf } from '../webhook/event-types';
import { newChain, nextOf, type SecretChain, secretOf } from '../webhook/secrets';
import { type Hook, type Hooks, type HookScope, hooksOf, scopeName } from './hook';

/** What a trigger wants to hear, and where. */
export interface WantedHook {
  readonly scope: HookScope;
  /** Of the trigger. Long and random, so whatever hook has it is ours. */
  readonly url: string;
  readonly events: readonly EventType[];
}

/** What a trigger remembers of its hook. */
export interface Registration {
  readonly scope: HookScope;
  readonly url: string;
  readonly hookId: number;
  readonly chain: SecretChain;
}

export interface Rotation {
  readonly now: number;
  /** A secret that is older is replaced when the hook is looked at; Infinity: never. */
  readonly maxAgeMs: number;
}

/**
 * What is not as wanted, or undefined. The secret cannot be read, and servers do not take another one in an edit (nor
 * some of the events), so a hook that is not as it should be is replaced by a new one.
 */
export function deviationOf(hook: Hook | null, wanted: WantedHook): string | undefined {
  if (hook === null) return 'it is gone';
  if (hook.url !== wanted.url) return 'it leads to another address';
  if (!hook.active) return 'it is not active';
  if (hook.contentType !== 'json') return 'it does not send JSON';
  if (hook.branchFilter !== '' && hook.branchFilter !== '*') return 'it filters branches';
  const expected = sentTypes(wanted.events);
  const missing = expected.filter((type) => !hook.events.includes(type));
  if (missing.length > 0) return `it does not send ${missing.join(', ')}`;
  if (hook.events.length > expected.length) return 'it sends more than it should';
  return undefined;
}

/** Is the hook that is remembered there, as wanted, not too old, and the only one? Changes nothing. */
export async function isRegistered(
  api: ForgejoApi,
  wanted: WantedHook,
  known: Registration | undefined,
  { now, maxAgeMs }: Rotation,
  task: Task,
): Promise<boolean> {
  if (known === undefined || !isSameScope(known.scope, wanted.scope) || now - known.chain.since > maxAgeMs)
    return false;
  const ours = (await hooksOf(api, wanted.scope).list(task)).filter(({ url }) => url === wanted.url);
  const [only] = ours;
  return ours.length === 1 && only?.id === known.hookId && deviationOf(only, wanted) === undefined;
}

/**
 * Makes the hook and removes those it takes the place of. The new one is there before the old one goes, so no event is
 * missed; both sign with secrets that are accepted, and an event that both send counts once.
 */
export async function register(
  api: ForgejoApi,
  wanted: WantedHook,
  known: Registration | undefined,
  now: number,
  task: Task,
): Promise<Registration> {
  const hooks = hooksOf(api, wanted.scope);
  const old = (await hooks.list(task)).filter(({ url }) => url === wanted.url || url === known?.url);
  const chain = known === undefined ? newChain(now) : nextOf(known.chain, now);
  const created = await create(hooks, wanted, chain, task);
  for (const { id } of old) await hooks.remove(id, task);
  if (known !== undefined && !isSameScope(known.scope, wanted.scope)) await unregister(api, known, task);
  return { scope: wanted.scope, url: wanted.url, hookId: created.id, chain };
}

/** Removes what is ours: the hooks of this scope that lead to the address of the trigger, and no other. */
export async function unregister(api: ForgejoApi, { scope, url }: Registration, task: Task): Promise<void> {
  const hooks = hooksOf(api, scope);
  let found: readonly Hook[];
  try {
    found = await hooks.list(task);
  } catch (error) {
    // The repository or organization is gone, and its hooks with it.
    if (isFailure(error, 'not_found')) return;
    throw error;
  }
  for (const hook of found) if (hook.url === url) await hooks.remove(hook.id, task);
}

async function create(hooks: Hooks, wanted: WantedHook, chain: SecretChain, task: Task): Promise<Hook> {
  const created = await hooks.create(
    {
      // Every supported server knows this type; what it sends is told apart by the headers, not by it.
      type: 'gitea',
      active: true,
      events: subscriptionsOf(wanted.events),
      config: {
        url: wanted.url,
        content_type: 'json',
        secret: secretOf(chain),
        // Without it the server makes a template for repositories to come, which sends nothing for those that are there.
        ...(wanted.scope.kind === 'system' && { is_system_webhook: 'true' }),
      },
    },
    task,
  );
  const deviation = deviationOf(created, wanted);
  if (deviation === undefined) return created;
  // Servers leave out events that they do not know, without a word.
  await hooks.remove(created.id, task);
  throw new Failure({
    code: 'hook_not_as_wanted',
    subject: `webhook of ${scopeName(wanted.scope)}`,
    message: `The server made the webhook for ${scopeName(wanted.scope)}, but not as wanted: ${deviation}`,
    nextStep: 'Choose only events that this version of the server knows, or update the server.',
  });
}

function isSameScope(one: HookScope, other: HookScope): boolean {
  return scopeName(one).toLowerCase() === scopeName(other).toLowerCase();
}

/** Reads what was remembered; anything else counts as nothing. */
export function parseRegistration(stored: unknown): Registration | undefined {
  if (!isObject(stored) || !isObject(stored['chain'])) return undefined;
  const { url, hookId } = stored;
  const { root, generation, since } = stored['chain'];
  const scope = parseScope(stored['scope']);
  const isWhole =
    scope !== undefined &&
    typeof url === 'string' &&
    typeof hookId === 'number' &&
    typeof root === 'string' &&
    root.length >= 32 &&
    typeof generation === 'number' &&
    typeof since === 'number';
  return isWhole ? { scope, url, hookId, chain: { root, generation, since } } : undefined;
}

function parseScope(stored: unknown): HookScope | undefined {
  if (!isObject(stored)) return undefined;
  const { kind, owner, repo, org } = stored;
  if (kind === 'system') return { kind };
  if (kind === 'organization' && typeof org === 'string') return { kind, org };
  if (kind === 'repository' && typeof owner === 'string' && typeof repo === 'string') return { kind, owner, repo };
  return undefined;
}
