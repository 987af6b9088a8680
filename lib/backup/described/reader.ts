import { Failure } from '../../failure';
import { isObject } from '../../json';
import { parseReference } from '../../secrets/reference';

/** Reads the value at a place of a description, `sources[2].port`, or says what is wrong there. */
export type Reader<Value> = (value: unknown, at: string) => Value;
type Readers = Readonly<Record<string, Reader<unknown>>>;
type ReadBy<F extends Readers> = { readonly [Name in keyof F]: F[Name] extends Reader<infer Value> ? Value : never };

export const text: Reader<string> = (value, at) => {
  if (typeof value === 'string' && value.trim() !== '' && !value.includes('\0')) return value;
  throw bad(at, value === undefined ? 'is missing' : 'must be text');
};

export const flag: Reader<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value;
  throw bad(at, 'must be true or false');
};

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, at) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw bad(at, `must be a whole number of ${min} or more${max < Number.MAX_SAFE_INTEGER ? `, up to ${max}` : ''}`);
  };
}

export function positive(value: unknown, at: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw bad(at, 'must be a number above 0');
}

export function oneOf<const Value extends string>(...values: readonly Value[]): Reader<Value> {
  return (value, at) => {
    const found = values.find((each) => each === value);
    if (found !== undefined) return found;
    throw bad(at, `must be ${values.join(' or ')}`);
  };
}

/** Where a secret is, never the secret. */
export const reference: Reader<string> = (value, at) => {
  try {
    parseReference(typeof value === 'string' ? value : '');
    return String(value);
  } catch {
    throw bad(at, 'must be a reference like credential:NAME, never the secret itself');
  }
};

export function optional<Value>(read: Reader<Value>): Reader<Value | undefined> {
  return (value, at) => (value === undefined || value === null ? undefined : read(value, at));
}

export function list<Value>(read: Reader<Value>): Reader<readonly Value[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw bad(at, value === undefined ? 'is missing' : 'must be a list');
    return value.map((each: unknown, index) => read(each, `${at}[${index}]`));
  };
}

/** An object with these fields and no others. What is not given is not in the result either. */
export function object<F extends Readers>(fields: F): Reader<ReadBy<F>> {
  return (value, at) => {
    if (!isObject(value)) throw bad(at, value === undefined ? 'is missing' : 'must be an object');
    const other = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
    if (other !== undefined)
      throw bad(
        at,
        `has a field "${other.slice(0, 60)}" that is not known there; known are ${Object.keys(fields).join(', ')}`,
      );
    const read = Object.entries(fields).map(([name, field]) => [
      name,
      field(value[name], at === '' ? name : `${at}.${name}`),
    ]);
    return Object.fromEntries(read.filter(([, each]) => each !== undefined)) as ReadBy<F>;
  };
}

export function bad(at: string, why: string): Failure {
  const place = at === '' ? 'the plan' : at;
  return new Failure({
    code: 'backup_plan_unusable',
    subject: place,
    message: `The plan cannot be used: ${place} ${why}`,
    nextStep: 'Correct the plan. Nothing was started.',
  });
}
