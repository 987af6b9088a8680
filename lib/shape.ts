import { isObject, type Json } from './json';

/** What kind of value a reader gives; nodes make their output schemas from it. */
export type Kind =
  | { readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'labels' | 'anything' }
  | { readonly type: 'list'; readonly of: Kind }
  | { readonly type: 'nullable'; readonly of: Kind };

/** Takes one value out of an answer, or says what is wrong with it. */
export interface Reader<Value> {
  readonly kind: Kind;
  readonly read: (value: unknown, where: string) => Value;
}

export function reader<Value>(kind: Kind, mustBe: string, fits: (value: unknown) => value is Value): Reader<Value> {
  return {
    kind,
    read: (value, where) => {
      if (fits(value)) return value;
      throw new Misfit(where, mustBe);
    },
  };
}

export const text = reader({ type: 'string' }, 'text', (value): value is string => typeof value === 'string');
export const integer = reader({ type: 'integer' }, 'a whole number', (value): value is number =>
  Number.isSafeInteger(value),
);
export const number = reader({ type: 'number' }, 'a number', (value): value is number => Number.isFinite(value));
export const toggle = reader(
  { type: 'boolean' },
  'true or false',
  (value): value is boolean => typeof value === 'boolean',
);
export const anything = reader({ type: 'anything' }, 'there', (value): value is Json => value !== undefined);

export type Labels = Readonly<Record<string, string>>;

export const labels = reader(
  { type: 'labels' },
  'labels',
  (value): value is Labels => isObject(value) && Object.values(value).every((one) => typeof one === 'string'),
);

/** Missing and null are the same to the API: there is none. */
export function nullable<Value>(of: Reader<Value>): Reader<Value | null> {
  return {
    kind: { type: 'nullable', of: of.kind },
    read: (value, where) => (value === null || value === undefined ? null : of.read(value, where)),
  };
}

export function list<Value>(of: Reader<Value>): Reader<readonly Value[]> {
  return {
    kind: { type: 'list', of: of.kind },
    read: (value, where) => {
      if (value === null || value === undefined) return [];
      if (!Array.isArray(value)) throw new Misfit(where, 'a list');
      return value.map((one: unknown, index) => of.read(one, `${where}[${index}]`));
    },
  };
}

/** One field of every entry of a list. */
export function each<Value>(name: string, of: Reader<Value>): Reader<readonly Value[]> {
  const entries = list({ kind: of.kind, read: (value, where) => of.read(within(value, [name]), `${where}.${name}`) });
  return entries;
}

/** A field of an item, and where in the answer it comes from. */
export interface Field<Value> {
  readonly from: readonly string[];
  readonly reader: Reader<Value>;
  readonly description: string | undefined;
}

/** `field('public_net.ipv4.ip', nullable(text))` */
export function field<Value>(from: string, of: Reader<Value>, description?: string): Field<Value> {
  return { from: from.split('.'), reader: of, description };
}

export type Shape = Readonly<Record<string, Field<unknown>>>;
export type ItemOf<S extends Shape> = {
  readonly [Name in keyof S]: S[Name] extends Field<infer Value> ? Value : never;
};

/** Thrown by readers, and turned into a failure by whoever knows which service gave the answer. */
export class Misfit extends Error {
  constructor(
    readonly where: string,
    readonly mustBe: string,
  ) {
    super(`${where} must be ${mustBe}`);
  }
}

type Complaint = (where: string, mustBe: string) => Error;

/** Reads one value; where it is not what the API promises, throws what `unexpected` makes of it. */
export function readValue<Value>({ read }: Reader<Value>, value: unknown, where: string, unexpected: Complaint): Value {
  try {
    return read(value, where);
  } catch (error) {
    throw error instanceof Misfit ? unexpected(error.where, error.mustBe) : error;
  }
}

/** Reads a whole item. What does not fit is a failure, never a guess. */
export function readShape<S extends Shape>(shape: S, value: unknown, where: string, unexpected: Complaint): ItemOf<S> {
  if (!isObject(value)) throw unexpected(where, 'an object');
  const entries = Object.entries(shape).map(([name, { from, reader: one }]) => [
    name,
    readValue(one, within(value, from), `${where}.${from.join('.')}`, unexpected),
  ]);
  return Object.fromEntries(entries) as ItemOf<S>;
}

function within(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inside: unknown, name) => (isObject(inside) ? inside[name] : undefined), value);
}
