import { isObject } from '../../../lib/json';

/**
 * OpenAPI 3.0 and Swagger 2 each speak a dialect of JSON Schema; a validator speaks the standard one. What differs and
 * matters is put into standard words: values that may be null, exclusive bounds, files.
 */
export function inStandardWords(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(inStandardWords);
  if (!isObject(document)) return document;
  const words = Object.fromEntries(Object.entries(document).map(([name, value]) => [name, inStandardWords(value)]));
  return parameter(nullable(exclusive(file(words))));
}

type Words = Record<string, unknown>;

/** Swagger writes the schema of a parameter among its other words, where `required` means something else. */
function parameter(words: Words): Words {
  const isParameter = ['path', 'query', 'header', 'formData'].includes(String(words['in'])) && 'name' in words;
  if (!isParameter || 'schema' in words || typeof words['type'] !== 'string') return words;
  const { name, in: place, required, collectionFormat, ...schema } = words;
  const isList = schema['type'] === 'array';
  return { name, in: place, required, ...(isList && { collectionFormat: collectionFormat ?? 'csv' }), schema };
}

function file(words: Words): Words {
  if (words['type'] !== 'file') return words;
  const { type: _, ...rest } = words;
  return rest;
}

function exclusive(words: Words): Words {
  const changed = { ...words };
  for (const [flag, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof changed[flag] !== 'boolean') continue;
    const isExclusive = changed[flag];
    Reflect.deleteProperty(changed, flag);
    if (!isExclusive || typeof changed[bound] !== 'number') continue;
    changed[flag] = changed[bound];
    Reflect.deleteProperty(changed, bound);
  }
  return changed;
}

function nullable(words: Words): Words {
  const { nullable: plain, 'x-nullable': extension, ...rest } = words;
  // A property may be called "nullable" too: then its value is a schema, not a switch.
  if (plain !== true && extension !== true) return typeof plain === 'boolean' ? rest : words;
  return { anyOf: [rest, { type: 'null' }] };
}
