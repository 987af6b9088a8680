import { isIP } from 'node:net';
import { isObject, type JsonObject } from '../json';

/** Reads one value; what is wrong is noted with its place, and reading goes on, so that all mistakes are told at once. */
export type Read<Value> = (value: unknown, place: string, mistakes: string[]) => Value;

/** What stands for a field that may be left out. */
export interface Optional<Value> {
  readonly read: Read<Value>;
  readonly otherwise: Value;
}

type Shape<Of> = { readonly [Name in keyof Of]: Read<Of[Name]> | Optional<Of[Name]> };

export function orElse<Value>(read: Read<Value>, otherwise: Value): Optional<Value> {
  return { read, otherwise };
}

export const text: Read<string> = (value, place, mistakes) => {
  if (typeof value === 'string' && value.trim() !== '') return value.trim();
  mistakes.push(`${place} must be a text`);
  return '';
};

export const optionalText = orElse<string>((value, place, mistakes) => {
  if (typeof value === 'string') return value.trim();
  mistakes.push(`${place} must be a text`);
  return '';
}, '');

export const toggle: Read<boolean> = (value, place, mistakes) => {
  if (typeof value === 'boolean') return value;
  mistakes.push(`${place} must be true or false`);
  return false;
};

export function number(least: number, most: number): Read<number> {
  return (value, place, mistakes) => {
    if (typeof value === 'number' && value >= least && value <= most) return value;
    mistakes.push(`${place} must be a number from ${least} to ${most}`);
    return least;
  };
}

export function oneOf<const Value extends string>(values: readonly Value[]): Read<Value> {
  const [first] = values;
  if (first === undefined) throw new Error('Nothing to choose from');
  return (value, place, mistakes) => {
    const found = values.find((one) => one === value);
    if (found === undefined) mistakes.push(`${place} must be one of ${values.join(', ')}`);
    return found ?? first;
  };
}

export const address: Read<string> = (value, place, mistakes) => {
  const found = text(value, place, mistakes);
  if (found !== '' && isIP(found) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(found)) {
    mistakes.push(`${place}: "${found}" is no address`);
  }
  return found;
};

export function list<Value>(read: Read<Value>): Read<readonly Value[]> {
  return (value, place, mistakes) => {
    if (Array.isArray(value)) return value.map((one: unknown, index) => read(one, `${place}[${index}]`, mistakes));
    mistakes.push(`${place} must be a list`);
    return [];
  };
}

/** Values by names that are nobody else's business. */
export function record<Value>(read: Read<Value>): Read<Readonly<Record<string, Value>>> {
  return (value, place, mistakes) => {
    if (isObject(value)) {
      const entries = Object.entries(value).map(([name, one]) => [name, read(one, under(place, name), mistakes)]);
      return Object.fromEntries(entries) as Readonly<Record<string, Value>>;
    }
    mistakes.push(`${place} must be an object`);
    return {};
  };
}

/** What somebody else reads: only that these texts are in it is looked at. */
export function openObject<Name extends string>(
  ...texts: readonly Name[]
): Read<JsonObject & Readonly<Record<Name, string>>> {
  return (value, place, mistakes) => {
    const given = isObject(value) ? value : {};
    if (!isObject(value)) mistakes.push(`${place} must be an object`);
    for (const name of texts) text(given[name], under(place, name), mistakes);
    return given as JsonObject & Readonly<Record<Name, string>>;
  };
}

/** Fields that are not known are mistakes, too: a misspelt "automatic" must not pass for "ask". */
export function object<Of extends object>(shape: Shape<Of>): Read<Of> {
  return (value, place, mistakes) => {
    const given = isObject(value) ? value : {};
    if (!isObject(value)) mistakes.push(`${place === '' ? 'The inventory' : place} must be an object`);
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(shape, name)) mistakes.push(`${under(place, name)} is unknown`);
    }
    const entries = Object.entries<Read<unknown> | Optional<unknown>>(shape).map(([name, how]) => {
      const found = given[name];
      if (typeof how === 'function') return [name, how(found, under(place, name), mistakes)];
      return [name, found === undefined ? how.otherwise : how.read(found, under(place, name), mistakes)];
    });
    return Object.fromEntries(entries) as Of;
  };
}

/** An object whose fields decide by one of them which others there are. */
export function variant<Of extends object>(
  by: keyof Of & string,
  variants: { readonly [value: string]: Read<Of> },
): Read<Of> {
  const choose = oneOf(Object.keys(variants));
  return (value, place, mistakes) => {
    const chosen = isObject(value) ? value[by] : undefined;
    const read = typeof chosen === 'string' && Object.hasOwn(variants, chosen) ? variants[chosen] : undefined;
    if (read !== undefined) return read(value, place, mistakes);
    choose(chosen, under(place, by), mistakes);
    return {} as Of;
  };
}

function under(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`;
}
