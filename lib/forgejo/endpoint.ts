import type { Names, PathValue } from '../http/path';
import type { Method } from '../http/request';
import type { Since } from './version';

/**
 * One operation of the API, said once: where it is, what it answers, since when. Everything else of this folder calls
 * these; the coverage table of the tests is made of them.
 */
export interface Endpoint<Name extends string, Result> {
  /** `GET /repos/{owner}/{repo}`, as in the server's own description. */
  readonly name: string;
  readonly method: Method;
  readonly template: string;
  readonly read: (body: unknown) => Result;
  /** Left out: every server this pack supports has it. */
  readonly since?: Since;
  /** For POST and PATCH that may be sent twice. */
  readonly idempotent?: boolean;
  /** Only for the types. */
  readonly parameters?: Readonly<Record<Name, PathValue>>;
}

type Options = Pick<Endpoint<string, unknown>, 'since' | 'idempotent'>;

/** Answers one thing. */
export function endpoint<const Template extends string, Result>(
  method: Method,
  template: Template,
  read: (body: unknown) => Result,
  options: Options = {},
): Endpoint<Names<Template>, Result> {
  return { name: `${method} ${template}`, method, template, read, ...options };
}

/** Answers nothing. */
export function command<const Template extends string>(
  method: Method,
  template: Template,
  options: Options = {},
): Endpoint<Names<Template>, undefined> {
  return endpoint(method, template, () => undefined, options);
}
