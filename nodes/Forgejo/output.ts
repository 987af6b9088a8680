import type { Change } from '../../lib/forgejo/change';
import type { Shape } from '../../lib/shape';
import { schema } from '../declaration';
import type { Schema } from '../declaration/schema';
import { fieldsOf } from '../shared/shapeSchema';

export function itemSchema(shape: Shape): Schema<object> {
  return schema.lazy(() => schema.object(fieldsOf(shape)));
}

export const changeFields = {
  changed: schema.boolean('In a dry run: whether it would change'),
  dryRun: schema.boolean(),
};

export function changeSchema(shape: Shape, more: Readonly<Record<string, Schema<unknown>>> = {}): Schema<object> {
  return schema.lazy(() => {
    const item = schema.object(fieldsOf(shape));
    return schema.object({
      ...changeFields,
      ...more,
      before: schema.nullable(item),
      after: schema.nullable(item),
    });
  });
}

export type AnyChange = Change<Shape>;
