import type { Source } from '../plan';
import { bad, flag, list, object, oneOf, optional, reference, text, wholeNumber, type Reader } from './reader';
import { isObject } from '../../json';

const port = optional(wholeNumber(1, 65_535));

const postgres = {
  name: text,
  runAs: optional(text),
  address: optional(text),
  port,
  user: optional(text),
  password: optional(reference),
};

/** Every kind of source, as it stands in a plan. */
const SOURCES: { readonly [Kind in Source['kind']]: Reader<Extract<Source, { kind: Kind }>> } = {
  postgres: object({ kind: oneOf('postgres'), ...postgres, database: text }),
  'postgres-globals': object({ kind: oneOf('postgres-globals'), ...postgres }),
  sqlite: object({ kind: oneOf('sqlite'), name: text, path: text, scratch: optional(oneOf('beside', 'memory')) }),
  redis: object({
    kind: oneOf('redis'),
    name: text,
    socket: optional(text),
    address: optional(text),
    port,
    user: optional(text),
    password: optional(reference),
  }),
  directory: object({
    kind: oneOf('directory'),
    name: text,
    path: text,
    excludes: optional(list(text)),
    marker: optional(text),
    tolerateChanges: optional(flag),
  }),
  command: object({ kind: oneOf('command'), name: text, argv: words, runAs: optional(text) }),
};

export const source: Reader<Source> = (value, at) => {
  const kind = isObject(value) ? value['kind'] : undefined;
  const read = Object.entries(SOURCES).find(([name]) => name === kind)?.[1];
  if (read === undefined) throw bad(`${at}.kind`, `must be ${Object.keys(SOURCES).join(', ')}`);
  return read(value, at);
};

function words(value: unknown, at: string): readonly [string, ...string[]] {
  const [program, ...others] = list(text)(value, at);
  if (program === undefined) throw bad(at, 'has no program');
  return [program, ...others];
}
