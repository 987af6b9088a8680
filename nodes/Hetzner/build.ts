import type { HetznerApi } from '../../lib/hetzner/api';
import {
  type Change,
  type Changed,
  changeItem,
  type Deleted,
  deleteItem,
  type Manner,
  updateItem,
} from '../../lib/hetzner/change';
import { checkLabels, checkName } from '../../lib/hetzner/checks';
import { createItem } from '../../lib/hetzner/create';
import { readMetrics } from '../../lib/hetzner/metrics';
import { findItem, getItem, listItems, nameOf } from '../../lib/hetzner/read';
import type { CommandOf, Item, Place, Resource } from '../../lib/hetzner/resource';
import type { Labels } from '../../lib/hetzner/shape';
import type { JsonObject } from '../../lib/json';
import type { SecretSources } from '../../lib/secrets/resolve';
import type { Task } from '../../lib/task';
import { choices, number, optional, schema, text, toggle, when } from '../declaration';
import type { Effect, Fields, ValuesOf } from '../declaration';
import type { Query } from '../../lib/http/path';
import { limitField, returnAllField } from '../shared/listFields';
import { changeOptions, labelsField, listOptions, mannerOf, type MannerOptions, secretOption } from './fields';
import { operation } from './operation';
import { changeItemOf, changeSchema, deletedSchema, emptyItem, itemSchema, shortAction } from './output';
import { type Pickable, pickOne } from './searches';

type Values = Readonly<Record<string, unknown>>;

/** A kind of thing in the node: what it is at Hetzner, and with which fields one of it is chosen. */
export interface Target<R extends Resource> {
  readonly resource: R;
  /** Value of the resource in workflows. */
  readonly name: string;
  readonly label: string;
  /** In sentences, with an article: `a server`. */
  readonly a: string;
  /** `servers` */
  readonly many: string;
  readonly choose: Fields;
  readonly within: Fields;
  readonly placeOf: (input: Values, api: HetznerApi, task: Task) => Promise<Place>;
  readonly withinOf: (input: Values, api: HetznerApi, task: Task) => Promise<Place>;
}

export function target<R extends Resource>(resource: R, name: Pickable, label: string): Target<R> {
  return {
    resource,
    name,
    label,
    a: withArticle(resource.label),
    many: manyOf(resource.label),
    choose: { [name]: pickOne(name, { label }) },
    within: {},
    placeOf: (input, api, task) => idOf(api, resource, input[name] as string, task),
    withinOf: () => Promise.resolve({}),
  };
}

/** n8n's linter takes the plural of an acronym for a misspelling. */
function manyOf(label: string): string {
  return label === 'ISO' ? 'ISO images' : label.endsWith(' IP') ? `${label} addresses` : `${label}s`;
}

function withArticle(label: string): string {
  return `${/^[aeiou]|^ISO|^SSH/i.test(label) ? 'an' : 'a'} ${label}`;
}

/** Ids are not looked up: what is done with them says soon enough whether they exist. */
export async function idOf(
  api: HetznerApi,
  resource: Resource,
  reference: string,
  task: Task,
): Promise<{ id: number }> {
  if (/^\d+$/.test(reference)) return { id: Number(reference) };
  const found = (await findItem(api, resource, reference, task)) as { readonly id: number };
  return { id: found.id };
}

export function getOf<R extends Resource>(on: Target<R>) {
  const input: Fields = on.choose;
  return operation({
    resource: on.name,
    name: 'get',
    action: `Get ${on.a}`,
    description: `Gives ${on.a} as it is now`,
    effect: 'reads',
    input,
    output: itemSchema(on.resource),
    run: async ({ input: values, api, task }): Promise<object> =>
      getItem(api, on.resource, await on.placeOf(values, api, task), task),
  });
}

export function listOf<R extends Resource>(on: Target<R>, filters: Fields = {}, { labels = true, sort = true } = {}) {
  const input: Fields = {
    ...on.within,
    returnAll: returnAllField,
    limit: when('returnAll', [false], limitField),
    options: optional({
      ...(on.resource.byName && { name: text({ label: 'Name', description: 'Only those with exactly this name' }) }),
      ...(labels && { labelSelector: listOptions.labelSelector }),
      ...(sort && { sort: listOptions.sort }),
      ...filters,
    }),
  };
  return operation({
    resource: on.name,
    name: 'list',
    action: `List ${on.many}`,
    description: `Gives the ${on.many} of the project, from all pages`,
    effect: 'reads',
    input,
    output: itemSchema(on.resource),
    run: async ({ input: values, api, task }): Promise<readonly object[]> => {
      const { labelSelector, sort: order, ...filter } = values['options'] as Readonly<Record<string, unknown>>;
      const query = {
        within: await on.withinOf(values, api, task),
        filter: filterOf(filter),
        ...(typeof labelSelector === 'string' && { labelSelector }),
        ...(typeof order === 'string' && order !== '' && { sort: order }),
        ...(values['returnAll'] === false && { limit: values['limit'] as number }),
      };
      return listItems(api, on.resource, query, task);
    },
  });
}

/** `boundTo` of the form is `bound_to` of the API. What was left empty is no filter. */
function filterOf(values: Readonly<Record<string, unknown>>): Query {
  const entries = Object.entries(values).filter(([, value]) => value !== '');
  return Object.fromEntries(entries.map(([name, value]) => [snakeCase(name), value])) as Query;
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function deleteOf<R extends Resource>(on: Target<R>, description?: string) {
  const input: Fields = { ...on.choose, options: changeOptions({}) };
  return operation({
    resource: on.name,
    name: 'delete',
    action: `Delete ${on.a}`,
    description: description ?? `Deletes ${on.a}, unless it is protected. That it is gone already is no failure.`,
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input,
    output: deletedSchema(on.resource),
    run: async ({ input: values, api, task }): Promise<object> => {
      const manner = mannerOf(values['options'] as MannerOptions, values.dryRun);
      const place = await on.placeOf(values, api, task);
      const { changed, item, actions }: Deleted<object> = await deleteItem(api, on.resource, place, manner, task);
      return {
        changed,
        dryRun: values.dryRun,
        changes: [],
        actions: actions.map(shortAction),
        ...(item ?? emptyItem(on.resource)),
      };
    },
  });
}

export interface UpdateFacts<F extends Fields> {
  readonly fields: F;
  /** The values for the API, of those that were given. */
  readonly body?: (values: Partial<ValuesOf<F>>) => JsonObject;
}

/** Name and labels, and what else a resource lets one set. Labels are added to those there are. */
export function updateOf<R extends Resource, const F extends Fields = Fields>(
  on: Target<R>,
  { fields, body }: UpdateFacts<F> = { fields: {} as F },
  { nameable = true } = {},
) {
  const input: Fields = {
    ...on.choose,
    values: optional(
      {
        ...(nameable && { name: text({ label: 'New Name' }) }),
        labels: labelsField,
        replaceLabels: toggle({
          label: 'Replace All Labels',
          description: 'Whether labels that are not given here are removed',
        }),
        ...fields,
      },
      { label: 'Values', add: 'Add Value' },
    ),
    options: changeOptions({}),
  };
  return operation({
    resource: on.name,
    name: 'update',
    action: `Update ${on.a}`,
    description: `Changes ${nameable ? 'the name, ' : ''}labels and settings of ${on.a}`,
    effect: 'changes',
    dryRun: true,
    input,
    output: changeSchema(on.resource),
    run: async ({ input: values, api, task }): Promise<object> => {
      const given = values['values'] as Readonly<Record<string, unknown>>;
      const manner = mannerOf(values['options'] as MannerOptions, values.dryRun);
      const place = await on.placeOf(values, api, task);
      const labels = given['labels'] as Labels | undefined;
      const name = given['name'] as string | undefined;
      if (name !== undefined) checkName(name, `The new name of the ${on.resource.label}`);
      if (labels !== undefined) checkLabels(labels);
      const rest = body?.(given as Partial<ValuesOf<F>>) ?? {};
      const bodyFor = (before: Item<R>): JsonObject => ({
        ...(name !== undefined && { name }),
        ...(labels !== undefined && {
          labels: given['replaceLabels'] === true ? labels : { ...labelsOf(before), ...labels },
        }),
        ...rest,
      });
      const isDone = (before: Item<R>) => {
        const wanted = bodyFor(before);
        const sameName = name === undefined || nameOf(before) === name;
        const sameLabels = labels === undefined || sameEntries(labelsOf(before), wanted['labels'] as Labels);
        return sameName && sameLabels && Object.keys(rest).length === 0;
      };
      const changed = await updateItem(api, on.resource, place, bodyFor, manner, isDone, task);
      return changeItemOf(on.resource, changed, { dryRun: values.dryRun });
    },
  });
}

function labelsOf(item: object): Labels {
  return 'labels' in item ? (item.labels as Labels) : {};
}

function sameEntries(one: Labels, other: Labels): boolean {
  const sorted = (labels: Labels) => JSON.stringify(Object.entries(labels).sort());
  return sorted(one) === sorted(other);
}

export interface CreateFacts<R extends Resource, F extends Fields, O extends Fields> {
  readonly description?: string;
  readonly fields: F;
  readonly options?: O;
  readonly body: (asked: CreateAsked<F, O>) => JsonObject | Promise<JsonObject>;
  readonly mismatch?: (item: Item<R>, input: ValuesOf<F>, options: Partial<ValuesOf<O>>) => string | undefined;
}

export interface CreateAsked<F extends Fields, O extends Fields> {
  readonly name: string;
  readonly labels: Labels;
  readonly input: ValuesOf<F>;
  readonly options: Partial<ValuesOf<O>>;
  readonly api: HetznerApi;
  readonly secrets: SecretSources;
  readonly task: Task;
}

export const newNameField = text({ label: 'Name', required: true });

/** Makes one, unless there is one with the same name and labels. */
export function createOf<R extends Resource, const F extends Fields, const O extends Fields = Fields>(
  on: Target<R>,
  { description, fields, options = {} as O, body, mismatch }: CreateFacts<R, F, O>,
) {
  const input: Fields = {
    ...on.within,
    name: newNameField,
    ...fields,
    labels: labelsField,
    options: changeOptions(options),
  };
  return operation({
    resource: on.name,
    name: 'create',
    action: `Create ${on.a}`,
    description: description ?? `Creates ${on.a}, unless there is one with this name and these labels`,
    effect: 'creates',
    dryRun: true,
    input,
    output: changeSchema(on.resource, { maybe: true }),
    run: async ({ input: values, api, secrets, task }): Promise<object> => {
      const name = values['name'] as string;
      const labels = values['labels'] as Labels;
      const given = values as unknown as ValuesOf<F>;
      const rest = values['options'] as Partial<ValuesOf<O>>;
      const changed = await createItem(
        api,
        on.resource,
        {
          within: await on.withinOf(values, api, task),
          name,
          labels,
          body: () => body({ name, labels, input: given, options: rest, api, secrets, task }),
          mismatch: (item) => mismatch?.(item, given, rest),
        },
        mannerOf(values['options'] as MannerOptions, values.dryRun),
        task,
      );
      return changeItemOf(on.resource, changed, { dryRun: values.dryRun });
    },
  });
}

export interface CommandFacts<R extends Resource, F extends Fields> {
  readonly name: string;
  readonly label?: string;
  readonly action: string;
  readonly description: string;
  readonly effect?: Effect;
  readonly needsApproval?: boolean;
  readonly command: CommandOf<R>;
  readonly input?: F;
  readonly body?: (asked: CommandAsked<F>) => JsonObject | Promise<JsonObject>;
  /** Then there is nothing to do. */
  readonly isDone?: (item: Item<R>, body: JsonObject | undefined) => boolean;
  /** Throws what is known to be impossible. */
  readonly check?: (item: Item<R>, body: JsonObject | undefined) => void;
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface CommandAsked<F extends Fields> {
  readonly input: ValuesOf<F>;
  readonly api: HetznerApi;
  readonly secrets: SecretSources;
  readonly task: Task;
}

/** One action of the API, awaited. */
export function commandOf<R extends Resource, const F extends Fields = Fields>(
  on: Target<R>,
  facts: CommandFacts<R, F>,
) {
  const { secrets } = facts;
  const input: Fields = {
    ...on.choose,
    ...facts.input,
    options: changeOptions(secrets === undefined ? {} : secretOption),
  };
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
    output: changeSchema(on.resource, { ...(secrets !== undefined && { secrets }) }),
    run: async ({ input: values, api, secrets: sources, task }): Promise<object> => {
      const options = values['options'] as MannerOptions & { readonly returnSecrets?: boolean };
      const body = await facts.body?.({ input: values as unknown as ValuesOf<F>, api, secrets: sources, task });
      const change: Change<R> = {
        place: await on.placeOf(values, api, task),
        command: facts.command,
        ...(body !== undefined && { body }),
        isDone: (item) => facts.isDone?.(item, body) ?? false,
        check: (item) => facts.check?.(item, body),
        secret: secrets !== undefined && options.returnSecrets === true,
      };
      // Without a rule of its own nothing can be told from how it looks.
      const { isDone: _, ...blind } = change;
      const manner: Manner = mannerOf(options, values.dryRun);
      const changed: Changed<object> = await changeItem(
        api,
        on.resource,
        facts.isDone === undefined ? blind : change,
        manner,
        task,
      );
      return changeItemOf(on.resource, changed, {
        dryRun: values.dryRun,
        ...(secrets !== undefined && { secrets }),
        reveal: options.returnSecrets === true,
      });
    },
  });
}

/** Measured values, one item for each point of each series. */
export function metricsOf<R extends Resource>(on: Target<R>, kinds: Readonly<Record<string, string>>) {
  const input: Fields = {
    ...on.choose,
    metricTypes: choices({ label: 'Metrics', options: kinds, default: Object.keys(kinds).slice(0, 1) }),
    start: text({ label: 'Start', required: true, default: '={{ $now.minus({ hours: 1 }).toISO() }}' }),
    end: text({ label: 'End', required: true, default: '={{ $now.toISO() }}' }),
    options: optional({ stepSeconds: number({ label: 'Step (Seconds)', default: 60, min: 1, integer: true }) }),
  };
  return operation({
    resource: on.name,
    name: 'metrics',
    label: 'Get Metrics',
    action: `Get the metrics of ${on.a}`,
    description: 'Gives measured values as one row for each point of each series, ready to plot',
    effect: 'reads',
    input,
    output: schema.object({ series: schema.string(), time: schema.string(), value: schema.number() }),
    run: async ({ input: values, api, task }) => {
      const { metricTypes, start, end, options } = values as unknown as Measured;
      const { id } = await on.placeOf(values, api, task);
      const times = { start: new Date(start), end: new Date(end) };
      return readMetrics(api, on.resource, { id: Number(id), types: metricTypes, ...times, ...options }, task);
    },
  });
}

interface Measured {
  readonly metricTypes: readonly string[];
  readonly start: string;
  readonly end: string;
  readonly options: { readonly stepSeconds?: number };
}

/** Deletion protection, as most resources have it. */
export function protectionOf<R extends Resource>(on: Target<R>, { key = 'delete', item = 'deleteProtected' } = {}) {
  return commandOf<R, { readonly protect: ReturnType<typeof toggle> }>(on, {
    name: 'protect',
    label: 'Change Protection',
    action: `Change the protection of ${on.a}`,
    description: 'Protects it from deletion, or lifts the protection',
    command: 'change_protection',
    input: { protect: protectField },
    body: ({ input }) => ({ [key]: input.protect }),
    isDone: (present, body) => (present as Values)[item] === body?.[key],
  });
}

const protectField = toggle({ label: 'Protect', default: true, description: 'Whether it is to be protected' });

/** The name of an address in reverse DNS. */
export function reverseDnsOf<R extends Resource>(on: Target<R>) {
  return commandOf<R, typeof reverseDnsFields>(on, {
    name: 'reverseDns',
    label: 'Set Reverse DNS',
    action: `Set the reverse DNS of ${on.a}`,
    description: 'Sets the name that an address stands for, or puts the default back',
    command: 'change_dns_ptr',
    input: reverseDnsFields,
    body: ({ input }) => ({ ip: input.ip, dns_ptr: input.dnsName === '' ? null : input.dnsName }),
  });
}

const reverseDnsFields = {
  ip: text({ label: 'IP Address', required: true, placeholder: '203.0.113.7' }),
  dnsName: text({ label: 'DNS Name', placeholder: 'bruno.example.org', description: 'Empty: the default of Hetzner' }),
};
