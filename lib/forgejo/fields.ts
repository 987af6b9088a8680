import { Failure } from '../failure';
import { isObject } from '../json';

/** One object that came from outside, read field by field. What is not as it must be is said with its place. */
export interface Fields {
  readonly text: (name: string) => string;
  /** Null stands for what Go leaves empty: absent, null and "" are one. */
  readonly textOrNull: (name: string) => string | null;
  readonly number: (name: string) => number;
  readonly flag: (name: string) => boolean;
  readonly part: (name: string) => Fields;
  readonly partOrNull: (name: string) => Fields | null;
  readonly texts: (name: string) => readonly string[];
  readonly parts: (name: string) => readonly Fields[];
  readonly has: (name: string) => boolean;
}

export function fieldsOf(value: unknown, what: string): Fields {
  if (!isObject(value)) throw unreadable(what, 'it is no object');
  const at = (name: string): unknown => (Object.hasOwn(value, name) ? value[name] : undefined);
  const wrong = (name: string, expected: string) => unreadable(what, `its field "${name}" is not ${expected}`);
  const isThere = (name: string) => at(name) !== undefined && at(name) !== null;

  const textOrNull = (name: string) => {
    const found = at(name);
    if (found === undefined || found === null || found === '') return null;
    if (typeof found !== 'string') throw wrong(name, 'text');
    return found;
  };
  const part = (name: string) => {
    if (!isObject(at(name))) throw wrong(name, 'an object');
    return fieldsOf(at(name), `${name} of ${what}`);
  };
  const list = (name: string): readonly unknown[] => {
    const found = at(name);
    if (found === undefined || found === null) return [];
    if (!Array.isArray(found)) throw wrong(name, 'a list');
    return found as readonly unknown[];
  };
  return {
    text: (name) => {
      const found = textOrNull(name);
      if (found === null) throw wrong(name, 'a text that says something');
      return found;
    },
    textOrNull,
    number: (name) => {
      const found = at(name);
      if (typeof found !== 'number' || !Number.isFinite(found)) throw wrong(name, 'a number');
      return found;
    },
    flag: (name) => {
      const found = at(name);
      if (found === undefined || found === null) return false;
      if (typeof found !== 'boolean') throw wrong(name, 'true or false');
      return found;
    },
    part,
    partOrNull: (name) => (isThere(name) ? part(name) : null),
    texts: (name) =>
      list(name).map((entry) => {
        if (typeof entry !== 'string') throw wrong(name, 'a list of texts');
        return entry;
      }),
    parts: (name) => list(name).map((entry) => fieldsOf(entry, `${name} of ${what}`)),
    has: isThere,
  };
}

export function unreadable(what: string, why: string): Failure {
  return new Failure({
    code: 'unreadable_answer',
    subject: what,
    message: `Could not read ${what}: ${why}`,
    nextStep: 'Check that the base URL leads to a Forgejo or Gitea server of a supported version.',
  });
}
