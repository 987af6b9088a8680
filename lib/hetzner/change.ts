import { Failure, isFailure } from '../failure';
import type { Query } from '../http/path';
import { isObject, type Json, type JsonObject } from '../json';
import type { Task } from '../task';
import { type Action, actionsIn, readAction } from './action';
import { entriesOf, type HetznerApi, pathOf } from './api';
import { getItem, itemIn } from './read';
import type { CommandOf, Item, Place, Resource } from './resource';
import { remove, write } from './write';

/** How a change is made. */
export interface Manner {
  readonly dryRun: boolean;
  /** Whether to wait until Hetzner has finished what it began. */
  readonly wait: boolean;
  readonly timeoutMs: number;
  /** How long to wait while another action has it locked. */
  readonly lockedMs: number;
}

export const defaultManner: Manner = { dryRun: false, wait: true, timeoutMs: 600_000, lockedMs: 0 };

export interface FieldChange {
  readonly field: string;
  readonly before: Json;
  readonly after: Json;
}

export interface Changed<Of> {
  readonly changed: boolean;
  readonly item: Of;
  readonly changes: readonly FieldChange[];
  readonly actions: readonly Action[];
  /** What the API answered, for what else is in it: passwords. Never shown as a whole. */
  readonly answer: unknown;
}

export interface Change<R extends Resource> {
  readonly place: Place;
  readonly command: CommandOf<R>;
  readonly body?: JsonObject;
  /** Then nothing is sent. */
  readonly isDone?: (item: Item<R>) => boolean;
  /** Throws what is known to be impossible. */
  readonly check?: (item: Item<R>) => void;
  /** The answer holds a secret that cannot be had again. */
  readonly secret?: boolean;
}

/** One action on one item: looked at before, awaited, looked at after. */
export async function changeItem<R extends Resource>(
  api: HetznerApi,
  resource: R,
  change: Change<R>,
  manner: Manner,
  task: Task,
): Promise<Changed<Item<R>>> {
  const before = await getItem(api, resource, change.place, task);
  if (change.isDone?.(before) === true) return unchanged(before);
  change.check?.(before);
  if (manner.dryRun) return { ...unchanged(before), changed: true };
  const { answer, actions, found } = await command(api, resource, change, manner, task);
  const item = await getItem(api, resource, change.place, task);
  // An action that was found may be that of somebody else who did the like at the same moment.
  if (found && manner.wait && change.isDone?.(item) === false) throw notSeen(resource, change.command);
  return { changed: true, item, changes: differences(before, item), actions, answer };
}

export async function command<R extends Resource>(
  api: HetznerApi,
  resource: R,
  { place, command: name, body, secret = false }: Change<R>,
  manner: Pick<Manner, 'wait' | 'timeoutMs' | 'lockedMs'>,
  task: Task,
): Promise<Commanded> {
  const calledByHetzner = resource.commands[name];
  let found = false;
  const answer = await write(
    api,
    {
      side: resource.side,
      method: 'POST',
      path: pathOf(`${resource.member}/actions/{command}`, { ...place, command: name }),
      body,
      lockedMs: manner.lockedMs,
      lookUp: async (since) => {
        const action = await lastAction(api, resource, place, calledByHetzner ?? name, since, task);
        if (action === undefined) return undefined;
        if (secret) throw secretLost(resource, name, readAction(action));
        found = true;
        return { action };
      },
    },
    task,
  );
  const begun = actionsIn(answer);
  for (const { id } of begun) api.claims.add(id);
  const actions = await awaitActions(api, resource, begun, manner, task);
  return { answer, actions, found };
}

interface Commanded {
  readonly answer: unknown;
  readonly actions: readonly Action[];
  /** The answer was lost, and the action found in the list of actions. */
  readonly found: boolean;
}

function notSeen({ label }: Resource, name: string): Failure {
  return new Failure({
    code: 'outcome_unknown',
    subject: `${label}: ${name}`,
    message: `The answer to ${name} was lost, and the ${label} does not look as if it had been done`,
    nextStep: 'Look at it in the Cloud Console, and run it again.',
  });
}

async function lastAction(
  api: HetznerApi,
  resource: Resource,
  place: Place,
  commandName: string,
  since: () => number,
  task: Task,
): Promise<unknown> {
  const entries = await newestActions(api, resource, place, {}, task);
  return entries.find((entry) => {
    if (!isObject(entry) || entry['command'] !== commandName || typeof entry['started'] !== 'string') return false;
    if (typeof entry['id'] === 'number' && api.claims.has(entry['id'])) return false;
    return Date.parse(entry['started']) >= since();
  });
}

/** What Hetzner still does about it, whoever began that. */
export async function runningActions(
  api: HetznerApi,
  resource: Resource,
  place: Place,
  task: Task,
): Promise<readonly Action[]> {
  // What knows no commands has no list of actions either.
  if (Object.keys(resource.commands).length === 0) return [];
  return (await newestActions(api, resource, place, { status: 'running' }, task)).map(readAction);
}

/** Things inside of others have no actions of their own: those of the outer one are looked at. */
async function newestActions(
  api: HetznerApi,
  resource: Resource,
  place: Place,
  filter: Query,
  task: Task,
): Promise<readonly unknown[]> {
  const [owner = ''] = /^\/[a-z_]+\/\{[a-z]+\}/.exec(resource.member) ?? [];
  const query = { ...filter, sort: 'id:desc', per_page: 25 };
  const { body } = await api.request(
    resource.side,
    { method: 'GET', path: pathOf(`${owner}/actions`, place), query },
    task,
  );
  return entriesOf(body, 'actions');
}

function secretLost(resource: Resource, name: string, action: Action): Failure {
  return new Failure({
    code: 'secret_lost',
    subject: `${resource.label}: ${name}`,
    message: `Hetzner did ${action.command}, but the answer with its password was lost on the way`,
    nextStep: 'Reset the password: that gives a new one.',
    details: { actionId: action.id },
  });
}

export async function awaitActions(
  api: HetznerApi,
  { side }: Pick<Resource, 'side'>,
  actions: readonly Action[],
  { wait, timeoutMs }: Pick<Manner, 'wait' | 'timeoutMs'>,
  task: Task,
): Promise<readonly Action[]> {
  if (!wait) return actions;
  // All of them are waited for, also when one fails: what still runs would be forgotten.
  const ends = await Promise.allSettled(actions.map((action) => api.actions[side].follow(action, timeoutMs, task)));
  return ends.map((end) => {
    if (end.status === 'fulfilled') return end.value;
    throw end.reason as Error;
  });
}

/** Name, labels and the like: fields that are simply set. */
export async function updateItem<R extends Resource>(
  api: HetznerApi,
  resource: R,
  place: Place,
  values: (before: Item<R>) => JsonObject,
  { dryRun, lockedMs }: Pick<Manner, 'dryRun' | 'lockedMs'>,
  isDone: (before: Item<R>) => boolean,
  task: Task,
): Promise<Changed<Item<R>>> {
  const before = await getItem(api, resource, place, task);
  if (isDone(before)) return unchanged(before);
  if (dryRun) return { ...unchanged(before), changed: true };
  const path = pathOf(resource.member, place);
  const body = values(before);
  const answer = await write(api, { side: resource.side, method: 'PUT', path, body, lockedMs }, task);
  const item = itemIn(resource, answer);
  return { changed: true, item, changes: differences(before, item), actions: [], answer: null };
}

export interface Deleted<Of> {
  readonly changed: boolean;
  /** What it was. */
  readonly item: Of | undefined;
  readonly actions: readonly Action[];
}

/** Gone is gone: deleting what is not there changes nothing. */
export async function deleteItem<R extends Resource>(
  api: HetznerApi,
  resource: R,
  place: Place,
  manner: Manner,
  task: Task,
): Promise<Deleted<Item<R>>> {
  const item = await presentItem(api, resource, place, task);
  if (item === undefined) return { changed: false, item, actions: [] };
  refuseProtected(resource, item);
  if (manner.dryRun) return { changed: true, item, actions: [] };
  const path = pathOf(resource.member, place);
  const answer = await remove(api, { side: resource.side, path, lockedMs: manner.lockedMs }, task);
  const actions = await awaitActions(api, resource, actionsIn(answer), manner, task);
  return { changed: true, item, actions };
}

export async function presentItem<R extends Resource>(
  api: HetznerApi,
  resource: R,
  place: Place,
  task: Task,
): Promise<Item<R> | undefined> {
  try {
    return await getItem(api, resource, place, task);
  } catch (error) {
    if (isFailure(error, 'not_found')) return undefined;
    throw error;
  }
}

function refuseProtected({ label }: Resource, item: object): void {
  const isProtected =
    ('deleteProtected' in item && item.deleteProtected === true) ||
    ('changeProtected' in item && item.changeProtected === true);
  if (!isProtected) return;
  const name = 'name' in item && typeof item.name === 'string' ? item.name : 'it';
  throw new Failure({
    code: 'protected',
    subject: `${label} ${name}`,
    message: `The ${label} ${name} is protected, so it was not deleted`,
    nextStep: 'Switch its protection off first, if you really mean it.',
  });
}

export function unchanged<Of>(item: Of): Changed<Of> {
  return { changed: false, item, changes: [], actions: [], answer: null };
}

export function differences(before: object, after: object): readonly FieldChange[] {
  const old: Readonly<Record<string, unknown>> = { ...before };
  return Object.entries(after as Readonly<Record<string, Json>>)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(old[name]))
    .map(([name, value]) => ({ field: name, before: (old[name] ?? null) as Json, after: value }));
}
