import { Failure } from '../failure';
import type { Query } from '../http/path';
import { isObject } from '../json';
import type { Task } from '../task';
import { type HetznerApi, pathOf } from './api';
import { checkLabelSelector, checkName } from './checks';
import { type Item, type Place, readOne, type Resource } from './resource';
import { unexpected } from './shape';

export interface ListQuery {
  /** Where lists inside of another thing stand: `{ box: 7 }`. */
  readonly within?: Place;
  readonly filter?: Query;
  readonly labelSelector?: string;
  /** `name:asc` */
  readonly sort?: string;
  readonly limit?: number;
}

export async function listItems<R extends Resource>(
  api: HetznerApi,
  resource: R,
  { within = {}, filter, labelSelector, sort, limit }: ListQuery,
  task: Task,
): Promise<readonly Item<R>[]> {
  if (labelSelector !== undefined) checkLabelSelector(labelSelector);
  const query = { ...filter, label_selector: labelSelector, sort };
  const path = pathOf(resource.collection, within);
  const entries = await api.list(
    resource.side,
    { path, name: resource.many, query, limit, ...(resource.paged && { perPage: resource.perPage }) },
    task,
  );
  return entries.map((entry) => readOne(resource, entry));
}

export async function getItem<R extends Resource>(
  api: HetznerApi,
  resource: R,
  place: Place,
  task: Task,
): Promise<Item<R>> {
  const path = pathOf(resource.member, place);
  const { body } = await api.request(resource.side, { method: 'GET', path }, task);
  return itemIn(resource, body);
}

/** Under its name in an answer: `{ "server": { … } }`. */
export function itemIn<R extends Resource>(resource: R, body: unknown): Item<R> {
  const value = isObject(body) ? body[resource.one] : undefined;
  if (value === undefined) throw unexpected(resource.one, 'there');
  return readOne(resource, value);
}

/** By id or by name; numbers are ids. */
export async function findItem<R extends Resource>(
  api: HetznerApi,
  resource: R,
  reference: string,
  task: Task,
  within: Place = {},
): Promise<Item<R>> {
  const wanted = reference.trim();
  if (/^\d+$/.test(wanted)) return getItem(api, resource, { ...within, id: wanted }, task);
  checkName(wanted, `The name of the ${resource.label}`);
  const [found] = await namedItems(api, resource, wanted, task, within);
  if (found === undefined) throw await unknownName(api, resource, wanted, task, within);
  return found;
}

/** The items with exactly this name; images can share one between architectures. */
export async function namedItems<R extends Resource>(
  api: HetznerApi,
  resource: R,
  name: string,
  task: Task,
  within: Place = {},
): Promise<readonly Item<R>[]> {
  const filter = resource.byName ? { name } : {};
  const items = await listItems(api, resource, { within, filter }, task);
  return items.filter((item) => nameOf(item) === name);
}

export function nameOf(item: object): string | undefined {
  return 'name' in item && typeof item.name === 'string' ? item.name : undefined;
}

const mostNamed = 15;

async function unknownName(
  api: HetznerApi,
  resource: Resource,
  name: string,
  task: Task,
  within: Place,
): Promise<Failure> {
  const all = await listItems(api, resource, { within, limit: 200 }, task);
  const names = [...new Set(all.map(nameOf))].filter((one) => one !== undefined).sort();
  const shown = names.slice(0, mostNamed).join(', ');
  return new Failure({
    code: 'not_found',
    subject: `${resource.label} ${name}`,
    message: `There is no ${resource.label} called "${name}" at Hetzner in this project`,
    nextStep:
      shown === ''
        ? `There is none at all: check that the token belongs to the right project.`
        : `Use one of these: ${shown}${names.length > mostNamed ? ', …' : ''}.`,
  });
}
