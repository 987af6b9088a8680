import type { Kind, Shape } from '../../lib/shape';
import { schema } from '../declaration';
import type { Schema } from '../declaration/schema';

/** The schema of an item, from the shape that the client reads it with. */
export function fieldsOf(shape: Shape, { maybe = false } = {}): Record<string, Schema<unknown>> {
  return Object.fromEntries(
    Object.entries(shape).map(([name, { reader, description }]) => {
      const one = schemaOf(reader.kind, description);
      return [name, maybe && reader.kind.type !== 'nullable' ? schema.nullable(one) : one];
    }),
  );
}

function schemaOf(kind: Kind, description?: string): Schema<unknown> {
  switch (kind.type) {
    case 'string':
      return schema.string(description);
    case 'integer':
      return schema.integer(description);
    case 'number':
      return schema.number(description);
    case 'boolean':
      return schema.boolean(description);
    case 'labels':
      return schema.record(schema.string(), description);
    case 'anything':
      return schema.anything(description);
    case 'list':
      return schema.array(schemaOf(kind.of), description);
    case 'nullable':
      return schema.nullable(schemaOf(kind.of, description));
  }
}
