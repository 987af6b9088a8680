import { Failure, messageOf } from '../failure';

declare const checked: unique symbol;

/** A path whose parameters were encoded by `path()`: the only kind that a request takes. */
export type Path = string & { readonly [checked]: true };

export type Names<Template extends string> = Template extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Names<Rest>
  : never;

/** A list stands for several segments: `['docs', 'a b.md']` becomes `docs/a%20b.md`. */
export type PathValue = string | number | readonly string[];

type Values<Template extends string> = Readonly<Record<Names<Template>, PathValue>>;

/** `path('/servers/{id}', { id })`: every value is encoded, and none can reach out of its place in the path. */
export function path<const Template extends string>(
  template: Template,
  ...[values]: [Names<Template>] extends [never] ? [] : [Values<Template>]
): Path {
  const given: Readonly<Record<string, PathValue>> = values ?? {};
  const filled = template.replace(/\{([^{}]*)\}/g, (_, name: string) => {
    const value = given[name];
    if (value === undefined) throw unusable(template, name, 'it was not given');
    const segments = typeof value === 'object' ? value : [String(value)];
    if (segments.length === 0) throw unusable(template, name, 'it is empty');
    return segments.map((segment) => encodeSegment(segment, template, name)).join('/');
  });
  return filled as Path;
}

function encodeSegment(segment: string, template: string, name: string): string {
  if (segment === '') throw unusable(template, name, 'it is empty');
  // URL parsers resolve these two whether they are encoded or not, so they cannot be sent as a name.
  if (segment === '.' || segment === '..') throw unusable(template, name, `"${segment}" would name another address`);
  try {
    return encodeURIComponent(segment);
  } catch (error) {
    throw unusable(template, name, `it is not valid Unicode (${messageOf(error)})`);
  }
}

function unusable(template: string, name: string, why: string): Failure {
  return new Failure({
    code: 'invalid_path_parameter',
    subject: template,
    message: `The value of "${name}" cannot stand in the address ${template}: ${why}`,
    nextStep: `Give a value for "${name}".`,
  });
}

type QueryScalar = string | number | boolean;
export type Query = Readonly<Record<string, QueryScalar | readonly QueryScalar[] | undefined>>;

/** Lists repeat their name, what is undefined is left out. Without the question mark. */
export function encodeQuery(query: Query): string {
  return Object.entries(query)
    .flatMap(([name, value]) => {
      const values = value === undefined ? [] : Array.isArray(value) ? (value as readonly QueryScalar[]) : [value];
      return values.map((one) => `${encodeQueryText(name)}=${encodeQueryText(String(one))}`);
    })
    .join('&');
}

function encodeQueryText(text: string): string {
  // A lone surrogate cannot be encoded; U+FFFD is what every browser sends for it.
  return encodeURIComponent(Buffer.from(text).toString());
}
