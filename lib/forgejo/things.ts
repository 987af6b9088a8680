import { Failure } from '../failure';
import type { PathValue, Query } from '../http/path';
import type { Method } from '../http/request';
import type { JsonObject } from '../json';
import type { Shape } from '../shape';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { type Endpoint, endpoint } from './endpoint';
import { type Base, type Found, type Kind, readFound, shownAs } from './kind';
import type { Since } from './version';

/** Where one thing is: its base, and what it is called there. */
export type Names = Readonly<Record<string, PathValue>>;

export interface Sent {
  readonly query?: Query;
  readonly body?: JsonObject;
  readonly since?: Since | undefined;
  readonly idempotent?: boolean;
}

/** One request to an address that a table says. What the answer holds, the caller reads. */
export function send<Result>(
  api: ForgejoApi,
  method: Method,
  base: Base,
  below: string,
  names: Names,
  read: (body: unknown) => Result,
  task: Task,
  { query, body, since, idempotent }: Sent = {},
): Promise<Result> {
  return api.call(
    tableEndpoint(method, base, below, read, { since, idempotent }),
    {
      at: { ...base.at, ...names },
      ...(query !== undefined && { query }),
      ...(body !== undefined && { body: { json: body } }),
    },
    task,
  );
}

export function tableEndpoint<Result>(
  method: Method,
  base: Base,
  below: string,
  read: (body: unknown) => Result,
  { since, idempotent }: Pick<Sent, 'since' | 'idempotent'> & { readonly idempotent?: boolean | undefined } = {},
): Endpoint<string, Result> {
  const options = { ...(since !== undefined && { since }), ...(idempotent !== undefined && { idempotent }) };
  // The names of a template that a table puts together are checked when it is filled.
  return endpoint(method, `${base.path}${below}`, read, options);
}

export function getFound<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  names: Names,
  task: Task,
): Promise<Found<S>> {
  return send(api, 'GET', base, kind.member, names, (body) => readFound(kind, body), task, { since: kind.since });
}

export function findFound<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  names: Names,
  task: Task,
): Promise<Found<S> | null> {
  return orNull(getFound(api, kind, base, names, task));
}

export interface Listing {
  readonly query?: Query;
  readonly limit?: number;
  readonly names?: Names;
}

/** Of all pages, or the first `limit`. */
export async function listFound<S extends Shape>(
  api: ForgejoApi,
  kind: Kind<S>,
  base: Base,
  task: Task,
  { query, limit, names = {} }: Listing = {},
): Promise<readonly Found<S>[]> {
  const read = (body: unknown) => readFound(kind, body);
  const listed = tableEndpoint('GET', base, kind.collection, read, { since: kind.since });
  const given = { at: { ...base.at, ...names }, ...(query !== undefined && { query }) };
  return kind.paged
    ? (await api.list(listed, given, task, limit)).items
    : (await api.whole(listed, given, task)).slice(0, limit);
}

/** What people call it, or its number: things at Forgejo that have both are addressed by the number. */
export async function idOf(
  api: ForgejoApi,
  kind: Kind,
  base: Base,
  reference: string,
  task: Task,
  listing: Listing = {},
): Promise<number> {
  if (/^\d+$/.test(reference)) return Number(reference);
  const all = await listFound(api, kind, base, task, listing);
  const named = (found: Found) => {
    const name = shownAs(kind, found.raw, kind.called);
    return typeof name === 'string' ? name : '';
  };
  const wanted = reference.toLowerCase();
  const found = all.find((one) => named(one).toLowerCase() === wanted);
  const id = found?.raw['id'];
  if (typeof id === 'number') return id;
  const known = all.map(named).slice(0, 20).join(', ');
  throw new Failure({
    code: 'not_found',
    subject: `${kind.label} ${reference}`,
    message: `There is no ${kind.label} called '${reference}'`,
    nextStep: known === '' ? `There is none at all yet.` : `Choose one that is there: ${known}.`,
  });
}
