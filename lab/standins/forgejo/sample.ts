import { isObject } from '../../../lib/json';

type Document = Readonly<Record<string, unknown>>;

/** What a reference leads to. */
export function resolve(document: Document, value: unknown): Record<string, unknown> {
  if (!isObject(value)) return {};
  if (typeof value['$ref'] !== 'string') return value;
  const found = value['$ref']
    .slice(2)
    .split('/')
    .reduce<unknown>((inside, name) => (isObject(inside) ? inside[name] : undefined), document);
  return resolve(document, found);
}

const DEEPEST = 3;

/** Something that fits a schema, as small as it can be while every field of it is there. */
export function sampleOf(document: Document, schema: unknown, depth = 0): unknown {
  const { type, format, properties, additionalProperties, enum: values } = resolve(document, schema);
  if (Array.isArray(values)) return values[0];
  if (isObject(properties)) {
    const fields = Object.entries(properties).filter(
      ([, field]) => depth < DEEPEST || !isObject(resolve(document, field)['properties']),
    );
    return Object.fromEntries(fields.map(([name, field]) => [name, sampleOf(document, field, depth + 1)]));
  }
  if (type === 'object' || isObject(additionalProperties)) return {};
  if (type === 'array') return [];
  if (type === 'boolean') return false;
  if (type === 'integer' || type === 'number') return 1;
  if (format === 'date-time') return '2026-01-31T00:00:00Z';
  if (format === 'email') return 'somebody@example.org';
  return '';
}

/** `Branch`: what the answers of an operation are made of, also those of a list. */
export function definitionOf(document: Document, answer: unknown): { readonly name: string; readonly isList: boolean } {
  const { schema } = resolve(document, answer);
  if (!isObject(schema)) return { name: '', isList: false };
  if (typeof schema['$ref'] === 'string') return { name: schema['$ref'].split('/').at(-1) ?? '', isList: false };
  const items = schema['items'];
  if (isObject(items) && typeof items['$ref'] === 'string') {
    return { name: items['$ref'].split('/').at(-1) ?? '', isList: true };
  }
  return { name: '', isList: schema['type'] === 'array' };
}
