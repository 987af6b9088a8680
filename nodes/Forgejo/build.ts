import type { ForgejoApi } from '../../lib/forgejo/api';
import { ensureThing, removeThing, updateThing, type Wanted } from '../../lib/forgejo/change';
import { type Base, type Found, type Kind, readFound } from '../../lib/forgejo/kind';
import { findFound, getFound, listFound, type Names, send } from '../../lib/forgejo/things';
import type { Since } from '../../lib/forgejo/version';
import type { Query } from '../../lib/http/path';
import type { Method } from '../../lib/http/request';
import type { Json, JsonObject } from '../../lib/json';
import type { SecretSources } from '../../lib/secrets/resolve';
import type { Task } from '../../lib/task';
import { optional, when } from '../declaration';
import type { Effect, Fields, ValuesOf } from '../declaration';
import { limitField, returnAllField } from '../shared/listFields';
import { operation } from './operation';
import { changeSchema, itemSchema } from './output';
import type { Values, Where } from './places';

/** What every part of a table gets to work with. */
export interface Asked {
  readonly input: Values;
  readonly base: Base;
  readonly api: ForgejoApi;
  readonly secrets: SecretSources;
  readonly task: Task;
}

type NamesOf = (asked: Asked) => Names | Promise<Names>;

/** A kind of thing in the node: where it stands, and with which fields one of it is chosen. */
export interface Target {
  readonly kind: Kind;
  /** Value of the resource in workflows. */
  readonly name: string;
  /** In sentences, with an article: `a branch`. */
  readonly a: string;
  readonly many: string;
  readonly where: Where;
  readonly choose: Fields;
  readonly namesOf: NamesOf;
  /** What the list hangs on beside the base, such as an issue. */
  readonly within: Fields;
  readonly withinOf: NamesOf;
}

type TargetFacts = Pick<Target, 'kind' | 'name' | 'where'> & Partial<Target>;

const noNames: NamesOf = () => ({});

export function target(facts: TargetFacts): Target {
  const { label } = facts.kind;
  return {
    a: `${/^[aeio]|^SSH/i.test(label) ? 'an' : 'a'} ${label}`,
    many: /(s|x|ch)$/.test(label) ? `${label}es` : `${label}s`,
    choose: {},
    namesOf: noNames,
    within: {},
    withinOf: noNames,
    ...facts,
  };
}

function askedOf(
  on: Pick<Target, 'where'>,
  call: { input: unknown; api: ForgejoApi; secrets: SecretSources; task: Task },
): Asked {
  const input = call.input as Values;
  const { api, secrets, task } = call;
  return { input, base: on.where.baseOf(input), api, secrets, task };
}

export function getOf(on: Target, more: { readonly description?: string } = {}) {
  return operation({
    resource: on.name,
    name: 'get',
    action: `Get ${on.a}`,
    description: more.description ?? `Reads ${on.a} as it is now`,
    effect: 'reads',
    input: { ...on.where.fields, ...on.within, ...on.choose },
    output: itemSchema(on.kind.shape),
    run: async (call): Promise<object> => {
      const asked = askedOf(on, call);
      const names = { ...(await on.withinOf(asked)), ...(await on.namesOf(asked)) };
      return (await getFound(asked.api, on.kind, asked.base, names, asked.task)).item;
    },
  });
}

export interface ListFacts {
  readonly name?: string;
  readonly label?: string;
  readonly action?: string;
  readonly description?: string;
  readonly filters?: Fields;
  /** Where it is another list than that of the kind. */
  readonly kind?: Kind;
  readonly fields?: Fields;
  readonly namesOf?: NamesOf;
  readonly baseOf?: (asked: Asked) => Base;
  /** Where the server gives all at once, whatever page is asked for. */
  readonly comesWhole?: (base: Base) => boolean;
  readonly query?: (filters: Values) => Query;
  /** Filters among the fields that are always there. */
  readonly ofInput?: (input: Values) => Query;
}

export function listOf(on: Target, facts: ListFacts = {}) {
  const kind = facts.kind ?? on.kind;
  return operation({
    resource: on.name,
    name: facts.name ?? 'list',
    ...(facts.label !== undefined && { label: facts.label }),
    action: facts.action ?? `List ${on.many}`,
    description: facts.description ?? `Gives the ${on.many}${kind.paged ? ', from all pages' : ''}`,
    effect: 'reads',
    input: {
      ...on.where.fields,
      ...on.within,
      ...facts.fields,
      returnAll: returnAllField,
      limit: when('returnAll', [false], limitField),
      ...(facts.filters !== undefined && {
        filters: optional(facts.filters, { label: 'Filters', add: 'Add Filter' }),
      }),
    },
    output: itemSchema(kind.shape),
    run: async (call): Promise<readonly object[]> => {
      const asked = askedOf(on, call);
      const { input, api, task } = asked;
      const filters = (input['filters'] ?? {}) as Values;
      const base = facts.baseOf?.(asked) ?? asked.base;
      const listed = facts.comesWhole?.(base) === true ? { ...kind, paged: false } : kind;
      const found = await listFound(api, listed, base, task, {
        names: await (facts.namesOf ?? on.withinOf)(asked),
        query: { ...facts.ofInput?.(input), ...(facts.query ?? queryOf)(filters) },
        ...(input['returnAll'] === false && { limit: input['limit'] as number }),
      });
      return found.map(({ item }) => item);
    },
  });
}

/** `createdBy` of the form is `created_by` of the API. What was left empty is no filter. */
export function queryOf(values: Values): Query {
  const entries = Object.entries(values).flatMap(([name, value]) => {
    if (value === '' || value === undefined) return [];
    if (!Array.isArray(value)) return [[snakeCase(name), value]];
    return value.length === 0 ? [] : [[snakeCase(name), (value as readonly unknown[]).join(',')]];
  });
  return Object.fromEntries(entries) as Query;
}

export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The fields as the API calls them. Empty ones of the form itself are left out, added ones say what they say. */
export function bodyOf(fields: Values, settings: Values = {}): JsonObject {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  const named = [...given, ...Object.entries(settings)].map(([name, value]) => [snakeCase(name), value as Json]);
  return Object.fromEntries(named) as JsonObject;
}

export interface WriteFacts {
  readonly name?: string;
  readonly label?: string;
  readonly action?: string;
  readonly description?: string;
  readonly effect?: Effect;
  /** Always in the form. */
  readonly fields?: Fields;
  /** Behind "Add Setting". */
  readonly settings?: Fields;
  /** Without it: all fields and settings, as the API calls them. */
  readonly body?: (asked: Asked & { readonly settings: Values }) => JsonObject | Promise<JsonObject>;
}

/** The fields of the operation alone, without those that say where it is. */
function own(fields: Fields | undefined, input: Values): Values {
  return Object.fromEntries(Object.keys(fields ?? {}).map((name) => [name, input[name]]));
}

async function bodyFor(asked: Asked, { fields, body }: WriteFacts): Promise<JsonObject> {
  const settings = (asked.input['settings'] ?? {}) as Values;
  return body === undefined ? bodyOf(own(fields, asked.input), settings) : body({ ...asked, settings });
}

function formOf(on: Target, { fields, settings }: WriteFacts): Fields {
  return {
    ...on.where.fields,
    ...on.within,
    ...fields,
    ...(settings !== undefined && {
      settings: optional(settings, { label: 'Settings', add: 'Add Setting' }),
    }),
  };
}

export interface EnsureFacts extends WriteFacts {
  /** How the one that is there is found: by its place, or in the list. */
  readonly found: (body: JsonObject, asked: Asked) => Pick<Wanted, 'names' | 'called' | 'is'>;
  /** What of the body one that is there is changed to; undefined where it cannot be changed. */
  readonly update?: (body: JsonObject) => JsonObject | undefined;
}

/** Makes one, or lets the one that is there be as wanted. */
export function ensureOf(on: Target, facts: EnsureFacts) {
  return operation({
    resource: on.name,
    name: facts.name ?? 'ensure',
    ...(facts.label !== undefined && { label: facts.label }),
    action: facts.action ?? `Create or update ${on.a}`,
    description:
      facts.description ??
      `Makes ${on.a}, or lets the one that is there be as wanted. What is not given stays as it is.`,
    effect: facts.effect ?? 'creates',
    dryRun: true,
    input: formOf(on, facts),
    output: changeSchema(on.kind.shape),
    run: async (call): Promise<object> => {
      const asked = askedOf(on, call);
      const body = await bodyFor(asked, facts);
      const wanted: Wanted = {
        create: body,
        update: facts.update === undefined ? body : facts.update(body),
        within: await on.withinOf(asked),
        ...facts.found(body, asked),
      };
      return ensureThing(asked.api, on.kind, asked.base, wanted, call.input.dryRun, asked.task);
    },
  });
}

/** Makes one that is not there yet. One of that name that differs is a failure: it cannot be changed. */
export function createOnceOf(on: Target, facts: EnsureFacts) {
  return ensureOf(on, {
    name: 'create',
    action: `Create ${on.a}`,
    description: `Creates ${on.a}, unless it is there. One that is there and differs is an error.`,
    update: () => undefined,
    ...facts,
  });
}

/** Makes a new one every time. */
export function createOf(on: Target, facts: WriteFacts) {
  return operation({
    resource: on.name,
    name: facts.name ?? 'create',
    ...(facts.label !== undefined && { label: facts.label }),
    action: facts.action ?? `Create ${on.a}`,
    description: facts.description ?? `Creates ${on.a}, a new one each time`,
    effect: 'creates',
    dryRun: true,
    input: formOf(on, facts),
    output: changeSchema(on.kind.shape),
    run: async (call): Promise<object> => {
      const asked = askedOf(on, call);
      const { dryRun } = call.input;
      const body = await bodyFor(asked, facts);
      const names = await on.withinOf(asked);
      if (dryRun) return { changed: true, dryRun, before: null, after: null };
      const read = (answer: unknown) => readFound(on.kind, answer);
      const sent = { body, since: on.kind.since };
      const { item } = await send(asked.api, 'POST', asked.base, on.kind.collection, names, read, asked.task, sent);
      return { changed: true, dryRun, before: null, after: item };
    },
  });
}

/** Lets one that must be there be as wanted. */
export function updateOf(on: Target, facts: WriteFacts) {
  const form = formOf(on, facts);
  return operation({
    resource: on.name,
    name: facts.name ?? 'update',
    ...(facts.label !== undefined && { label: facts.label }),
    action: facts.action ?? `Update ${on.a}`,
    description: facts.description ?? `Changes ${on.a}. What is not given stays as it is.`,
    effect: 'changes',
    dryRun: true,
    input: { ...on.where.fields, ...on.within, ...on.choose, ...form },
    output: changeSchema(on.kind.shape),
    run: async (call): Promise<object> => {
      const asked = askedOf(on, call);
      const names = { ...(await on.withinOf(asked)), ...(await on.namesOf(asked)) };
      const body = await bodyFor(asked, facts);
      return updateThing(asked.api, on.kind, asked.base, names, body, call.input.dryRun, asked.task);
    },
  });
}

export function deleteOf(on: Target, more: { readonly description?: string } = {}) {
  return operation({
    resource: on.name,
    name: 'delete',
    action: `Delete ${on.a}`,
    description: more.description ?? `Deletes ${on.a}. That it is gone already is no failure.`,
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { ...on.where.fields, ...on.within, ...on.choose },
    output: changeSchema(on.kind.shape),
    run: async (call): Promise<object> => {
      const asked = askedOf(on, call);
      const names = { ...(await on.withinOf(asked)), ...(await on.namesOf(asked)) };
      return removeThing(asked.api, on.kind, asked.base, names, call.input.dryRun, asked.task);
    },
  });
}

export interface CommandFacts<F extends Fields> {
  readonly name: string;
  readonly label?: string;
  readonly action: string;
  readonly description: string;
  readonly effect?: Effect;
  readonly needsApproval?: boolean;
  readonly method: Method;
  /** Below the base of the thing: `/pulls/{index}/update`. */
  readonly below: string;
  readonly input?: F;
  readonly namesOf?: NamesOf;
  readonly body?: (input: ValuesOf<F>, asked: Asked) => JsonObject | undefined | Promise<JsonObject | undefined>;
  readonly query?: (input: ValuesOf<F>) => Query;
  /** Then there is nothing to do. */
  readonly isDone?: (raw: Found['raw'], input: ValuesOf<F>) => boolean;
  readonly since?: Since;
  /** Left out for PUT and DELETE, which may always be sent twice. */
  readonly idempotent?: boolean;
}

/** Something that is done to a thing: looked at before, done, looked at after. */
export function commandOf<const F extends Fields = Fields>(on: Target, facts: CommandFacts<F>) {
  const input: Fields = { ...on.where.fields, ...on.within, ...on.choose, ...facts.input };
  return operation({
    resource: on.name,
    name: facts.name,
    ...(facts.label !== undefined && { label: facts.label }),
    action: facts.action,
    description: facts.description,
    effect: facts.effect ?? 'changes',
    dryRun: true,
    needsApproval: facts.needsApproval ?? false,
    input,
    output: changeSchema(on.kind.shape),
    run: async (call): Promise<object> => {
      const { dryRun } = call.input;
      const asked = askedOf(on, call);
      const { api, base, task } = asked;
      const given = call.input as unknown as ValuesOf<F>;
      const names = { ...(await on.withinOf(asked)), ...(await on.namesOf(asked)) };
      const body = await facts.body?.(given, asked);
      const before = await getFound(api, on.kind, base, names, task);
      if (facts.isDone?.(before.raw, given) === true) {
        return { changed: false, dryRun, before: before.item, after: before.item };
      }
      if (dryRun) return { changed: true, dryRun, before: before.item, after: null };
      const all = { ...names, ...(await facts.namesOf?.(asked)) };
      await send(api, facts.method, base, facts.below, all, () => undefined, task, {
        ...(facts.query !== undefined && { query: facts.query(given) }),
        ...(body !== undefined && { body }),
        since: facts.since ?? on.kind.since,
        ...(facts.idempotent !== undefined && { idempotent: facts.idempotent }),
      });
      const after = await findFound(api, on.kind, base, names, task);
      return { changed: true, dryRun, before: before.item, after: after?.item ?? null };
    },
  });
}

export { askedOf };
