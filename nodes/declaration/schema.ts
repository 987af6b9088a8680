import type { Json, JsonObject } from '../../lib/json';
import { isObject } from '../../lib/json';

/**
 * What an operation puts out, said once: it becomes the JSON schema that n8n shows before the first run, the type that
 * `run` must return, and the check that tests make of real results.
 */
export interface Schema<Value> {
  readonly json: JsonObject;
  /** One sentence per thing that does not fit. */
  readonly problems: (value: unknown, path: string) => readonly string[];
  readonly isOptional?: boolean;
  /** Never there; carries the type. */
  readonly value?: Value;
}

export interface OptionalSchema<Value> extends Schema<Value> {
  readonly isOptional: true;
}

export type OutputOf<S> = S extends Schema<infer Value> ? Value : never;

type Properties = Readonly<Record<string, Schema<unknown>>>;
type OptionalNames<P extends Properties> = {
  [Name in keyof P]: P[Name] extends OptionalSchema<unknown> ? Name : never;
}[keyof P];
type ObjectOf<P extends Properties> = {
  readonly [Name in Exclude<keyof P, OptionalNames<P>>]: OutputOf<P[Name]>;
} & { readonly [Name in OptionalNames<P>]?: OutputOf<P[Name]> };
type Flat<T> = { [Name in keyof T]: T[Name] };

export function string(description?: string): Schema<string> {
  return simple('string', 'text', (value) => typeof value === 'string', description);
}

export function number(description?: string): Schema<number> {
  return simple('number', 'a number', (value) => typeof value === 'number' && Number.isFinite(value), description);
}

export function integer(description?: string): Schema<number> {
  return simple('integer', 'a whole number', Number.isInteger, description);
}

export function boolean(description?: string): Schema<boolean> {
  return simple('boolean', 'true or false', (value) => typeof value === 'boolean', description);
}

/** One of several texts. */
export function oneOf<const Value extends string>(values: readonly Value[], description?: string): Schema<Value> {
  const known: readonly unknown[] = values;
  const check = simple<Value>('string', `one of ${values.join(', ')}`, (value) => known.includes(value), description);
  return { ...check, json: { ...check.json, enum: values } };
}

/** Whatever the other side says, kept as it is. */
export function anything(description?: string): Schema<Json> {
  return {
    json: described({}, description),
    problems: (value, path) => (isJson(value) ? [] : [`${path} must be JSON, and is ${kindOf(value)}`]),
  };
}

export function object<P extends Properties>(properties: P, description?: string): Schema<Flat<ObjectOf<P>>> {
  const entries = Object.entries(properties);
  const required = entries.filter(([, property]) => property.isOptional !== true).map(([name]) => name);
  return {
    json: described(
      {
        type: 'object',
        properties: Object.fromEntries(entries.map(([name, property]) => [name, property.json])),
        ...(required.length > 0 && { required }),
        additionalProperties: false,
      },
      description,
    ),
    problems: (value, path) => {
      if (!isObject(value)) return [`${path} must be an object, and is ${kindOf(value)}`];
      const unknown = Object.keys(value).filter((name) => !Object.hasOwn(properties, name));
      return [
        ...unknown.map((name) => `${path}.${name} is not in the schema`),
        ...entries.flatMap(([name, property]) => {
          if (value[name] === undefined) return property.isOptional === true ? [] : [`${path}.${name} is missing`];
          return property.problems(value[name], `${path}.${name}`);
        }),
      ];
    },
  };
}

export function array<Value>(of: Schema<Value>, description?: string): Schema<readonly Value[]> {
  return {
    json: described({ type: 'array', items: of.json }, description),
    problems: (value, path) =>
      Array.isArray(value)
        ? value.flatMap((entry: unknown, position) => of.problems(entry, `${path}[${position}]`))
        : [`${path} must be a list, and is ${kindOf(value)}`],
  };
}

/** Names that are data, all with the same kind of value. */
export function record<Value>(of: Schema<Value>, description?: string): Schema<Readonly<Record<string, Value>>> {
  return {
    json: described({ type: 'object', additionalProperties: of.json }, description),
    problems: (value, path) =>
      isObject(value)
        ? Object.entries(value).flatMap(([name, entry]) => of.problems(entry, `${path}.${name}`))
        : [`${path} must be an object, and is ${kindOf(value)}`],
  };
}

/** There, but possibly null: "we looked, and there is none". */
export function nullable<Value>(of: Schema<Value>): Schema<Value | null> {
  const type = of.json['type'];
  const values = of.json['enum'];
  return {
    json: {
      ...of.json,
      ...(typeof type === 'string' && { type: [type, 'null'] }),
      ...(Array.isArray(values) && { enum: [...(values as readonly Json[]), null] }),
    },
    problems: (value, path) => (value === null ? [] : of.problems(value, path)),
  };
}

/** Not there at all in some results. Prefer `nullable`: a column that is always there is easier to work with. */
export function optional<Value>(of: Schema<Value>): OptionalSchema<Value> {
  return { json: of.json, problems: of.problems, isOptional: true };
}

/** Made when somebody looks at it: a node of hundreds of operations is loaded without its output schemas. */
export function lazy<Value>(make: () => Schema<Value>): Schema<Value> {
  let made: Schema<Value> | undefined;
  const get = () => (made ??= make());
  return {
    get json() {
      return get().json;
    },
    problems: (value, path) => get().problems(value, path),
  };
}

/** For tests: a real result has exactly the declared shape. */
export function assertMatches<Value>(schema: Schema<Value>, value: unknown): asserts value is Value {
  const problems = schema.problems(value, 'output');
  if (problems.length > 0) throw new Error(`The value does not fit its schema:\n- ${problems.join('\n- ')}`);
}

function simple<Value>(
  type: string,
  name: string,
  fits: (value: unknown) => boolean,
  description: string | undefined,
): Schema<Value> {
  return {
    json: described({ type }, description),
    problems: (value, path) => (fits(value) ? [] : [`${path} must be ${name}, and is ${kindOf(value)}`]),
  };
}

function described(json: JsonObject, description: string | undefined): JsonObject {
  return description === undefined ? json : { ...json, description };
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string' || typeof value === 'number') return `the ${typeof value} ${JSON.stringify(value)}`;
  return typeof value;
}

function isJson(value: unknown): value is Json {
  if (value === null || ['string', 'boolean'].includes(typeof value)) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  return isObject(value) && Object.values(value).every(isJson);
}
