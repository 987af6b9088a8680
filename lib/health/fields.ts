import { Failure } from '../failure';
import { isObject } from '../json';

/** Reads what somebody wrote about a target, field by field; what nobody asked for is a mistake and not passed over. */
export interface Fields {
  readonly subject: string;
  readonly has: (name: string) => boolean;
  readonly raw: (name: string) => unknown;
  readonly text: (name: string) => string | undefined;
  readonly needText: (name: string) => string;
  readonly number: (name: string, from: number, to: number) => number | undefined;
  readonly needNumber: (name: string, from: number, to: number) => number;
  readonly flag: (name: string) => boolean | undefined;
  readonly texts: (name: string) => readonly string[] | undefined;
  readonly record: (name: string) => Readonly<Record<string, string>> | undefined;
  readonly inside: (name: string) => Fields | undefined;
  readonly refuse: (name: string, why: string) => Failure;
  /** Throws for a field that nobody has read. */
  readonly done: () => void;
}

export function fieldsOf(input: unknown, subject: string): Fields {
  if (!isObject(input)) throw unusable(subject, 'it is not an object');
  const known = new Set<string>();
  const insides: Fields[] = [];
  const refuse = (name: string, why: string) => unusable(subject, `its ${name} ${why}`);
  const raw = (name: string): unknown => {
    known.add(name);
    const value = input[name];
    return value === null || value === '' ? undefined : value;
  };
  const text = (name: string) => {
    const value = raw(name);
    if (value === undefined) return undefined;
    if (typeof value === 'string') return value.trim();
    if (typeof value === 'number') return String(value);
    throw refuse(name, 'is not text');
  };
  const number = (name: string, from: number, to: number) => {
    const value = raw(name);
    if (value === undefined) return undefined;
    const found = typeof value === 'string' ? Number(value) : value;
    if (typeof found === 'number' && found >= from && found <= to) return found;
    throw refuse(name, `is not a number from ${from} to ${to}`);
  };
  const need = <Value>(name: string, value: Value | undefined): Value => {
    if (value === undefined) throw refuse(name, 'is missing');
    return value;
  };
  return {
    subject,
    has: (name) => raw(name) !== undefined,
    raw,
    text,
    needText: (name) => need(name, text(name)),
    number,
    needNumber: (name, from, to) => need(name, number(name, from, to)),
    flag: (name) => {
      const value = raw(name);
      if (value === undefined || typeof value === 'boolean') return value;
      throw refuse(name, 'is not true or false');
    },
    texts: (name) => {
      const value = raw(name);
      if (value === undefined) return undefined;
      const all: readonly unknown[] = Array.isArray(value) ? value : [value];
      return all.map((one) => {
        if (typeof one === 'string' || typeof one === 'number') return String(one);
        throw refuse(name, 'is not a list of texts');
      });
    },
    record: (name) => {
      const value = raw(name);
      if (value === undefined) return undefined;
      if (!isObject(value)) throw refuse(name, 'is not an object');
      return Object.fromEntries(
        Object.entries(value).map(([key, one]) => {
          if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') return [key, String(one)];
          throw refuse(name, `has a ${key} that is not text`);
        }),
      );
    },
    inside: (name) => {
      const value = raw(name);
      if (value === undefined) return undefined;
      const fields = fieldsOf(value, `${subject}: ${name}`);
      insides.push(fields);
      return fields;
    },
    refuse,
    done: () => {
      const unknown = Object.keys(input).find((name) => !known.has(name));
      if (unknown !== undefined) throw refuse(unknown, `is not known here; known are ${[...known].sort().join(', ')}`);
      for (const inside of insides) inside.done();
    },
  };
}

/** Messages may hold what was written, so secrets are only ever written as references. */
export function unusable(subject: string, why: string): Failure {
  return new Failure({
    code: 'health_target_invalid',
    subject,
    message: `${subject} cannot be watched: ${why}`,
    nextStep: 'Correct the target, or the expression that makes it.',
  });
}
