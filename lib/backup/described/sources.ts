import type { WantedSource } from '../expand';
import { bad, flag, list, object, oneOf, optional, reference, text, wholeNumber, type Reader } from './reader';
import { isObject } from '../../json';

const port = optional(wholeNumber(1, 65_535));

const inContainer = { container: optional(text), dockerSocket: optional(text) };

const server = {
  name: text,
  runAs: optional(text),
  address: optional(text),
  port,
  user: optional(text),
  password: optional(reference),
  ...inContainer,
};

const files = {
  name: text,
  excludes: optional(list(text)),
  marker: optional(text),
  tolerateChanges: optional(flag),
};

const except = optional(list(text));

/** Every kind of source, as it stands in a plan. */
const SOURCES: { readonly [Kind in WantedSource['kind']]: Reader<Extract<WantedSource, { kind: Kind }>> } = {
  postgres: object({ kind: oneOf('postgres'), ...server, database: text }),
  'postgres-globals': object({ kind: oneOf('postgres-globals'), ...server }),
  mysql: object({ kind: oneOf('mysql'), ...server, database: text }),
  'mysql-accounts': object({ kind: oneOf('mysql-accounts'), ...server }),
  sqlite: object({ kind: oneOf('sqlite'), name: text, path: text, scratch: optional(oneOf('beside', 'memory')) }),
  'every-postgres': object({ kind: oneOf('every-postgres'), ...server, except }),
  'every-mysql': object({ kind: oneOf('every-mysql'), ...server, except }),
  'every-sqlite': object({
    kind: oneOf('every-sqlite'),
    name: text,
    path: text,
    scratch: optional(oneOf('beside', 'memory')),
    except,
  }),
  redis: object({
    kind: oneOf('redis'),
    name: text,
    socket: optional(text),
    address: optional(text),
    port,
    user: optional(text),
    password: optional(reference),
    ...inContainer,
  }),
  directory: object({ kind: oneOf('directory'), path: text, ...files }),
  'docker-volume': object({ kind: oneOf('docker-volume'), volume: text, dockerSocket: optional(text), ...files }),
  command: object({ kind: oneOf('command'), name: text, argv: words, runAs: optional(text) }),
};

export const source: Reader<WantedSource> = (value, at) => {
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
