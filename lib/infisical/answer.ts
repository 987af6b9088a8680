import { Failure } from '../failure';
import { isObject } from '../json';

/** One object of an answer, read field by field; what is not as it must be is said with its place, never with its value. */
export interface Reader {
  readonly text: (name: string) => string;
  readonly textOr: <Other>(name: string, other: Other) => string | Other;
  readonly number: (name: string) => number;
  readonly numberOr: <Other>(name: string, other: Other) => number | Other;
  readonly flag: (name: string) => boolean;
  readonly list: (name: string) => readonly unknown[];
  readonly part: (name: string) => Reader;
  /** For another parser. */
  readonly raw: (name: string) => unknown;
}

/** `what` is how people call the object: `a secret`. */
export function read(value: unknown, what: string): Reader {
  if (!isObject(value)) throw unreadable(what, 'it is no object');
  const object = value;
  const textOr = <Other>(name: string, other: Other) => {
    const found = object[name];
    if (found === undefined || found === null) return other;
    if (typeof found !== 'string') throw unreadable(what, `${name} is not text`);
    return found;
  };
  const numberOr = <Other>(name: string, other: Other) => {
    const found = object[name];
    if (found === undefined || found === null) return other;
    if (typeof found !== 'number') throw unreadable(what, `${name} is not a number`);
    return found;
  };
  const needed = <Value>(name: string, found: Value | undefined): Value => {
    if (found === undefined) throw unreadable(what, `${name} is missing`);
    return found;
  };
  return {
    textOr,
    numberOr,
    text: (name) => needed(name, textOr(name, undefined)),
    number: (name) => needed(name, numberOr(name, undefined)),
    flag: (name) => object[name] === true,
    list: (name) => {
      const found = object[name] ?? [];
      if (!Array.isArray(found)) throw unreadable(what, `${name} is not a list`);
      return found as readonly unknown[];
    },
    part: (name) => read(object[name], `${name} of ${what}`),
    raw: (name) => object[name],
  };
}

function unreadable(what: string, why: string): Failure {
  return new Failure({
    code: 'unreadable_answer',
    subject: `Infisical: ${what}`,
    message: `Infisical described ${what} in a way that is not understood: ${why}`,
    nextStep: 'Check the site URL in the credential and the version of Infisical; if both are right, report this.',
  });
}
