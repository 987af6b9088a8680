import type { Action } from '../../lib/hetzner/action';
import type { Changed, FieldChange } from '../../lib/hetzner/change';
import type { Resource } from '../../lib/hetzner/resource';
import { isObject, type Json } from '../../lib/json';
import { schema } from '../declaration';
import type { Schema } from '../declaration/schema';
import { fieldsOf } from '../shared/shapeSchema';

export function itemSchema(resource: Resource): Schema<object> {
  return schema.lazy(() => schema.object(fieldsOf(resource.shape)));
}

const changeFields = {
  changed: schema.boolean('In a dry run: whether it would change'),
  dryRun: schema.boolean(),
  changes: schema.array(
    schema.object({ field: schema.string(), before: schema.anything(), after: schema.anything() }),
    'What is different now',
  ),
  actions: schema.array(
    schema.object({ id: schema.integer(), command: schema.string(), status: schema.string() }),
    'What Hetzner did, or still does where it was not waited for',
  ),
};

export interface ChangeFacts {
  /** Secrets of the answer, by their names in the API and in the output. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly maybe?: boolean;
  readonly more?: Readonly<Record<string, Schema<unknown>>>;
}

export function changeSchema(
  resource: Resource,
  { secrets = {}, maybe = false, more = {} }: ChangeFacts = {},
): Schema<object> {
  return schema.lazy(() => {
    const hidden = Object.values(secrets).map((name) => [name, schema.nullable(schema.string(secretNote))] as const);
    return schema.object({
      ...changeFields,
      ...Object.fromEntries(hidden),
      ...(hidden.length > 0 && { sensitiveFields: schema.array(schema.string(), 'Fields that hold a secret') }),
      ...more,
      ...fieldsOf(resource.shape, { maybe }),
    });
  });
}

const secretNote = 'Null unless Return Secrets was switched on';

export function changeItemOf(
  resource: Resource,
  { changed, item, changes, actions, answer }: Changed<object | undefined>,
  { dryRun, secrets = {}, reveal = false }: { dryRun: boolean; secrets?: ChangeFacts['secrets']; reveal?: boolean },
): Record<string, Json> {
  const found = Object.entries(secrets).map(([from, to]) => [to, reveal ? secretIn(answer, from) : null] as const);
  return {
    changed,
    dryRun,
    changes: changes.map(({ field, before, after }: FieldChange) => ({ field, before, after })),
    actions: actions.map(shortAction),
    ...Object.fromEntries(found),
    ...(found.length > 0 && {
      sensitiveFields: found.filter(([, value]) => value !== null).map(([name]) => name),
    }),
    ...((item ?? emptyItem(resource)) as Record<string, Json>),
  };
}

function secretIn(answer: unknown, name: string): string | null {
  const value = isObject(answer) ? answer[name] : undefined;
  return typeof value === 'string' ? value : null;
}

export function shortAction({ id, command, status }: Action) {
  return { id, command, status };
}

/** What a dry run of a creation knows of the thing: nothing. */
export function emptyItem({ shape }: Resource): Record<string, null> {
  return Object.fromEntries(Object.keys(shape).map((name) => [name, null]));
}

export function deletedSchema(resource: Resource): Schema<object> {
  return schema.lazy(() => schema.object({ ...changeFields, ...fieldsOf(resource.shape, { maybe: true }) }));
}
