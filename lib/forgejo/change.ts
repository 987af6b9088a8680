import { Failure } from '../failure';
import type { Json, JsonObject } from '../json';
import type { ItemOf, Shape } from '../shape';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { type Base, type Found, type Kind, readFound, readItem, shownAs } from './kind';
import { findFound, listFound, type Names, send } from './things';

/** What a change did, or in a dry run would do. */
export interface Change<S extends Shape> {
  readonly changed: boolean;
  readonly dryRun: boolean;
  readonly before: ItemOf<S> | null;
  /** Null when it is gone, and where a dry run cannot know. */
  readonly after: ItemOf<S> | null;
}

export interface Wanted {
  /** What a new one is made with. */
  readonly create: JsonObject;
  /** What one that is there is changed to; undefined where the API cannot change it. */
  readonly update?: JsonObject | undefined;
  /** Where the one that is there can be asked for; otherwise the list is searched for `called`. */
  readonly names?: Names;
  readonly called?: string;
  /** Which of the list it is, where a name does not tell. */
  readonly is?: (raw: Found['raw']) => boolean;
  /** Of the collection. */
  readonly within?: Names;
}

/** Makes one, or lets the one that is there be as wanted. What is not given stays as it is. */
export async function ensureThing<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  wanted: Wanted,
  dryRun: boolean,
  task: Task,
): Promise<Change<S>> {
  const before = await lookFor(api, kind, base, wanted, task);
  if (before === null) {
    if (dryRun) return { changed: true, dryRun, before: null, after: null };
    const read = (body: unknown) => readFound(kind, body);
    const sent = { body: wanted.create, since: kind.since };
    const made = await send(api, 'POST', base, kind.collection, wanted.within ?? {}, read, task, sent);
    return { changed: true, dryRun, before: null, after: made.item };
  }
  const differing = differences(kind, before.raw, wanted.update ?? wanted.create);
  if (differing.length === 0) return { changed: false, dryRun, before: before.item, after: before.item };
  if (wanted.update === undefined) throw otherwise(kind, wanted, differing);
  const names = wanted.names ?? { id: numberOf(before) };
  return patch(api, kind, base, { ...wanted.within, ...names }, before, wanted.update, dryRun, task);
}

async function lookFor<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  { names, called, is, within }: Wanted,
  task: Task,
): Promise<Found<S> | null> {
  if (names !== undefined) return findFound(api, kind, base, { ...within, ...names }, task);
  const isIt = is ?? ((raw: Found['raw']) => shownAs(kind, raw, kind.called) === called);
  const all = await listFound(api, kind, base, task, within === undefined ? {} : { names: within });
  return all.find(({ raw }) => isIt(raw)) ?? null;
}

/** Lets one that must be there be as wanted. */
export async function updateThing<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  names: Names,
  body: JsonObject,
  dryRun: boolean,
  task: Task,
): Promise<Change<S>> {
  const before = await send(api, 'GET', base, kind.member, names, (found) => readFound(kind, found), task, {
    since: kind.since,
  });
  if (differences(kind, before.raw, body).length === 0) {
    return { changed: false, dryRun, before: before.item, after: before.item };
  }
  return patch(api, kind, base, names, before, body, dryRun, task);
}

async function patch<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  names: Names,
  before: Found<S>,
  body: JsonObject,
  dryRun: boolean,
  task: Task,
): Promise<Change<S>> {
  if (dryRun) return { changed: true, dryRun, before: before.item, after: expected(kind, before, body) };
  const read = (answer: unknown) => (answer === null ? null : readFound(kind, answer));
  // What it is set to is said in full, so a second one changes nothing more.
  const sent = { body, since: kind.since, idempotent: true };
  const answered = await send(api, 'PATCH', base, kind.member, names, read, task, sent);
  const after = answered ?? (await findFound(api, kind, base, names, task));
  return { changed: true, dryRun, before: before.item, after: after?.item ?? null };
}

/** As far as what is written looks like what is read. */
function expected<S extends Shape>(kind: Kind<S>, { raw }: Found<S>, body: JsonObject): ItemOf<S> | null {
  const plain = Object.entries(body).filter(([name]) => kind.views[name] === undefined);
  try {
    return readItem(kind.shape, { ...raw, ...Object.fromEntries(plain) }, kind.label);
  } catch {
    return null;
  }
}

/** Deletes it, with what it was before. That it is gone already is no failure. */
export async function removeThing<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  names: Names,
  dryRun: boolean,
  task: Task,
): Promise<Change<S>> {
  const before = await findFound(api, kind, base, names, task);
  if (before === null) return { changed: false, dryRun, before: null, after: null };
  if (!dryRun) {
    await orNull(send(api, 'DELETE', base, kind.member, names, () => undefined, task, { since: kind.since }));
  }
  return { changed: true, dryRun, before: before.item, after: null };
}

/** Names of fields that are not as wanted. What the server never shows, such as a password, always counts. */
export function differences(kind: Kind, raw: Found['raw'], body: JsonObject): readonly string[] {
  return Object.entries(body)
    .filter(([name, value]) => !isSame(shownAs(kind, raw, name), value))
    .map(([name]) => name);
}

/** Go has no difference between nothing and empty, and lists of names have no order that means anything. */
function isSame(there: Json | undefined, wanted: Json): boolean {
  const bare = (value: Json | undefined): unknown => {
    if (value === undefined || value === null || value === '' || value === false || value === 0) return null;
    if (Array.isArray(value)) {
      if (value.length === 0) return null;
      return (value as readonly Json[]).map((one) => JSON.stringify(one)).sort();
    }
    if (typeof value === 'string' && isTime(value)) return Date.parse(value);
    return value;
  };
  return JSON.stringify(bare(there)) === JSON.stringify(bare(wanted));
}

function isTime(value: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value));
}

function numberOf({ raw }: Found): number {
  const { id } = raw;
  return typeof id === 'number' ? id : 0;
}

function otherwise({ label }: Kind, { called }: Wanted, differing: readonly string[]): Failure {
  const subject = called === undefined ? label : `${label} ${called}`;
  return new Failure({
    code: 'exists_otherwise',
    subject,
    message: `There is a ${subject} already, and it differs in ${differing.join(', ')}`,
    nextStep: `Choose another name, or delete the one that is there first: a ${label} cannot be changed.`,
    details: { differing: [...differing] },
  });
}
