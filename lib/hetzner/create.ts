import { Failure, isFailure } from '../failure';
import { isObject, type JsonObject } from '../json';
import type { Task } from '../task';
import { type Action, actionsIn } from './action';
import { type HetznerApi, pathOf } from './api';
import { awaitActions, type Changed, type Manner, runningActions, unchanged } from './change';
import { checkLabels, checkName } from './checks';
import { getItem, itemIn, listItems, nameOf } from './read';
import type { Item, Place, Resource } from './resource';
import type { Labels } from './shape';
import { write } from './write';

export interface Creation<R extends Resource> {
  readonly within?: Place;
  readonly name: string;
  readonly labels?: Labels;
  /** All that the API is to get, name and labels included. Made late: it may need to look things up. */
  readonly body: () => JsonObject | Promise<JsonObject>;
  /** Whether one with this name is what is wanted; otherwise the reason why not. */
  readonly mismatch?: (item: Item<R>) => string | undefined;
  /** How one is found again that has no name; default: by name. */
  readonly find?: () => Promise<Item<R> | undefined>;
  readonly placeOf?: (item: Item<R>) => Place;
}

/** Makes it, unless it is there already: the same name with the same labels is the same thing. */
export async function createItem<R extends Resource>(
  api: HetznerApi,
  resource: R,
  creation: Creation<R>,
  manner: Manner,
  task: Task,
): Promise<Changed<Item<R> | undefined>> {
  const { within = {}, name, labels = {} } = creation;
  checkName(name, `The name of the ${resource.label}`);
  checkLabels(labels);
  const find = creation.find ?? (() => findByName(api, resource, name, within, task));
  const present = await find();
  const adopted = async (item: Item<R>): Promise<Changed<Item<R>>> => {
    refuseOther(resource, item, creation, labels);
    if (manner.dryRun || !isUnsettled(item)) return unchanged(item);
    // Somebody began it, perhaps an execution that was cut short, and it is not finished yet.
    return unchanged((await settled(api, resource, creation, item, manner, task)).item);
  };
  if (present !== undefined) return adopted(present);
  const body = await creation.body();
  if (manner.dryRun) return { ...unchanged(undefined), changed: true };
  const path = pathOf(resource.collection, within);
  // It was not there before, so what is there now under this name is what this request made.
  const lookUp = async () => ((await find()) === undefined ? undefined : lost);
  const sent = { side: resource.side, method: 'POST', path, body, lockedMs: manner.lockedMs, lookUp } as const;
  let answer: unknown;
  try {
    answer = await write(api, sent, task);
  } catch (error) {
    // Somebody else was faster by a moment; what they made may be what is wanted here.
    const other = isFailure(error, 'uniqueness_error') ? await find() : undefined;
    if (other === undefined) throw error;
    return adopted(other);
  }
  const made = answer === lost ? await find() : madeIn(resource, answer);
  if (made === undefined) throw gone(resource, name);
  const begun = answer === lost ? undefined : actionsIn(answer);
  const { item, actions } = await settled(api, resource, creation, made, manner, task, begun);
  return { changed: true, item, changes: [], actions, answer };
}

/** In place of an answer that never came: what was asked for is there. */
const lost: unique symbol = Symbol('lost');

/** How it is when what was begun has ended; the actions are looked for where no answer named them. */
async function settled<R extends Resource>(
  api: HetznerApi,
  resource: R,
  creation: Creation<R>,
  made: Item<R>,
  manner: Manner,
  task: Task,
  begun?: readonly Action[],
): Promise<{ readonly item: Item<R>; readonly actions: readonly Action[] }> {
  const place = creation.placeOf?.(made) ?? { ...creation.within, ...idOf(made) };
  const running = begun ?? (await runningActions(api, resource, place, task));
  const actions = await awaitActions(api, resource, running, manner, task);
  return { item: await getItem(api, resource, place, task), actions };
}

const unsettledStates: readonly unknown[] = ['initializing', 'starting', 'creating', 'updating'];

function isUnsettled(item: object): boolean {
  return 'status' in item && unsettledStates.includes(item.status);
}

/** Some answers hold only the id and where it belongs; what is missing is read afterwards. */
function madeIn<R extends Resource>(resource: R, answer: unknown): Item<R> {
  const value = isObject(answer) ? answer[resource.one] : undefined;
  if (isObject(value) && Object.keys(value).length <= 3) return { id: value['id'] } as unknown as Item<R>;
  return itemIn(resource, answer);
}

async function findByName<R extends Resource>(
  api: HetznerApi,
  resource: R,
  name: string,
  within: Place,
  task: Task,
): Promise<Item<R> | undefined> {
  const items = await listItems(api, resource, { within, filter: { name } }, task);
  return items.find((item) => nameOf(item) === name);
}

function idOf(item: object): Place {
  const { id } = item as { readonly id: string | number };
  return { id };
}

function refuseOther<R extends Resource>(
  resource: R,
  present: Item<R>,
  { name, mismatch }: Creation<R>,
  wanted: Labels,
): void {
  const labels: unknown = 'labels' in present ? present.labels : {};
  const has = isObject(labels) ? labels : {};
  const missing = Object.entries(wanted).filter(([key, value]) => has[key] !== value);
  const why =
    missing.length > 0
      ? `it does not carry the label ${missing.map(([key, value]) => `${key}=${value}`).join(', ')}`
      : mismatch?.(present);
  if (why === undefined) return;
  throw new Failure({
    code: 'uniqueness_error',
    subject: `${resource.label} ${name}`,
    message: `There is another ${resource.label} called ${name} already: ${why}`,
    nextStep: 'Choose another name, or change the one that is there.',
    details: { id: String(idOf(present)['id']) },
  });
}

function gone(resource: Resource, name: string): Failure {
  return new Failure({
    code: 'vanished',
    subject: `${resource.label} ${name}`,
    message: `The ${resource.label} ${name} was created, and then it was not there any more`,
    nextStep: 'Look whether somebody else deleted it, and run it again.',
  });
}
