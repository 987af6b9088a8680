import { Failure } from '../failure';
import { isObject, type JsonObject } from '../json';
import type { Task } from '../task';
import { actionsIn } from './action';
import { type HetznerApi, pathOf } from './api';
import { awaitActions, type Changed, type Manner, unchanged } from './change';
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
  if (present !== undefined) {
    refuseOther(resource, present, creation, labels);
    return unchanged(present);
  }
  const body = await creation.body();
  if (manner.dryRun) return { ...unchanged(undefined), changed: true };
  const path = pathOf(resource.collection, within);
  const answer = await write(
    api,
    {
      side: resource.side,
      method: 'POST',
      path,
      body,
      lockedMs: manner.lockedMs,
      // It was not there before, so what is there now under this name is what this request made.
      lookUp: async () => ((await find()) === undefined ? undefined : { lost: true }),
    },
    task,
  );
  const made = isObject(answer) && answer['lost'] === true ? await find() : madeIn(resource, answer);
  if (made === undefined) throw gone(resource, name);
  const actions = await awaitActions(api, resource, actionsIn(answer), manner, task);
  const place = creation.placeOf?.(made) ?? { ...within, ...idOf(made) };
  const item = await getItem(api, resource, place, task);
  return { changed: true, item, changes: [], actions, answer };
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
