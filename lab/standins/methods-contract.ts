import { isObject } from '../../lib/json';

/** An API as a list of methods and types with their fields, which is how those of messengers are published. */
export interface MethodsDescription {
  readonly methods: Readonly<Record<string, { readonly returns: readonly string[]; readonly fields: FieldList }>>;
  readonly types: Readonly<
    Record<string, { readonly fields: FieldList; readonly subtypes?: readonly string[] | undefined }>
  >;
}

type FieldList = Readonly<Record<string, { readonly types: readonly string[]; readonly required: boolean }>>;

export interface MethodsContract {
  readonly violations: readonly string[];
  readonly request: (method: string, body: unknown) => void;
  readonly answer: (method: string, result: unknown) => void;
  readonly thing: (type: string, value: unknown) => void;
}

/**
 * Notes what in a request or an answer is not as the description says. A type in quotes is exactly that text. `older`:
 * fields that the description leaves out, which the real API takes still and n8n's own node sends.
 */
export function methodsContract(
  { methods, types }: MethodsDescription,
  older: readonly string[] = [],
): MethodsContract {
  const violations: string[] = [];

  const fits = (type: string, value: unknown, place: string): readonly string[] => {
    if (type.startsWith('Array of ')) {
      if (!Array.isArray(value)) return [`${place} is no list`];
      return value.flatMap((one: unknown, index) => fits(type.slice('Array of '.length), one, `${place}[${index}]`));
    }
    if (type.startsWith('"')) return value === type.slice(1, -1) ? [] : [`${place} is not ${type}`];
    switch (type) {
      case 'String':
        return typeof value === 'string' ? [] : [`${place} is no text`];
      case 'Integer':
        return Number.isSafeInteger(value) ? [] : [`${place} is no whole number`];
      case 'Float':
        return typeof value === 'number' ? [] : [`${place} is no number`];
      case 'Boolean':
        return typeof value === 'boolean' ? [] : [`${place} is neither true nor false`];
      case 'True':
        return value === true ? [] : [`${place} is not true`];
      default:
        break;
    }
    const described = types[type];
    // Left out of the description, so nothing is known of it.
    if (described === undefined) return [];
    if (described.subtypes !== undefined) return anyOf(described.subtypes, value, place);
    return fieldsFit(described.fields, value, place);
  };

  const anyOf = (candidates: readonly string[], value: unknown, place: string): readonly string[] => {
    const complaints = candidates.map((type) => fits(type, value, place));
    return complaints.some((one) => one.length === 0) ? [] : (complaints[0] ?? []);
  };

  const fieldsFit = (fields: FieldList, value: unknown, place: string): readonly string[] => {
    if (!isObject(value)) return [`${place} is no object`];
    const unknown = Object.keys(value).filter((name) => !Object.hasOwn(fields, name));
    const missing = Object.entries(fields).filter(([name, { required }]) => required && value[name] === undefined);
    return [
      ...unknown
        .map((name) => `${place}.${name}`)
        .filter((name) => !older.includes(name))
        .map((name) => `${name} is not described`),
      ...missing.map(([name]) => `${place}.${name} is missing`),
      ...Object.entries(fields).flatMap(([name, { types: candidates }]) =>
        value[name] === undefined ? [] : anyOf(candidates, value[name], `${place}.${name}`),
      ),
    ];
  };

  return {
    violations,
    request: (method, body) => {
      const described = methods[method];
      if (described === undefined) violations.push(`${method} is not described`);
      else violations.push(...fieldsFit(described.fields, body ?? {}, method));
    },
    answer: (method, result) => {
      violations.push(...anyOf(methods[method]?.returns ?? [], result, `the answer of ${method}`));
    },
    thing: (type, value) => void violations.push(...fits(type, value, type)),
  };
}
