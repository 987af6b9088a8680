import { isObject } from '../../../lib/json';
import { inStandardWords } from './dialect';

export interface Described {
  /** `GET /zones/{zone_id}`: how an operation is named everywhere. */
  readonly name: string;
  readonly method: string;
  readonly segments: readonly Segment[];
  readonly parameters: readonly Parameter[];
  readonly body: Content | undefined;
  readonly answers: ReadonlyMap<string, Content>;
}

export type Segment = { readonly literal: string } | { readonly pattern: RegExp; readonly names: readonly string[] };

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  /** Points to its schema inside the document. */
  readonly schema: string;
  /** How a list is written into one value; undefined when its name is repeated. */
  readonly separator: string | undefined;
  readonly isList: boolean;
}

export interface Content {
  readonly required: boolean;
  /** Media type -> pointer to its schema; undefined where the description has none. */
  readonly media: ReadonlyMap<string, string | undefined>;
}

export interface Description {
  readonly document: Record<string, unknown>;
  readonly basePath: string;
  readonly operations: readonly Described[];
}

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'];

/** Reads an OpenAPI 3 or Swagger 2 document. */
export function readDescription(raw: unknown): Description {
  const document = inStandardWords(raw);
  if (!isObject(document) || !isObject(document['paths'])) throw new Error('This is no OpenAPI or Swagger document');
  const swagger = document['swagger'] === '2.0';
  const operations: Described[] = [];
  for (const [template, item] of Object.entries(document['paths'])) {
    if (!isObject(item)) continue;
    for (const method of methods) {
      if (!isObject(item[method])) continue;
      operations.push(readOperation(document, swagger, template, item, method));
    }
  }
  return { document, basePath: basePathOf(document, swagger), operations: operations.sort(literalsFirst) };
}

function basePathOf(document: Record<string, unknown>, swagger: boolean): string {
  if (swagger) return typeof document['basePath'] === 'string' ? document['basePath'].replace(/\/$/, '') : '';
  const [server] = Array.isArray(document['servers']) ? (document['servers'] as unknown[]) : [];
  const url = isObject(server) && typeof server['url'] === 'string' ? server['url'] : '/';
  return new URL(url, 'http://localhost').pathname.replace(/\/$/, '');
}

function readOperation(
  document: Record<string, unknown>,
  swagger: boolean,
  template: string,
  item: Record<string, unknown>,
  method: string,
): Described {
  const operation = item[method] as Record<string, unknown>;
  const at = `/paths/${escape(template)}/${method}`;
  const shared = readParameters(document, item['parameters'], `/paths/${escape(template)}/parameters`);
  const own = readParameters(document, operation['parameters'], `${at}/parameters`);
  // What an operation says itself stands above what its path says for all.
  const all = [...own, ...shared.filter(({ key }) => !own.some((one) => one.key === key))];
  return {
    name: `${method.toUpperCase()} ${template}`,
    method: method.toUpperCase(),
    segments: template.split('/').slice(1).map(readSegment),
    parameters: all.flatMap(({ parameter }) => (parameter === undefined ? [] : [parameter])),
    body: swagger ? swaggerBody(document, operation, all) : requestBody(document, operation, at),
    answers: readAnswers(document, swagger, operation, at),
  };
}

interface Found {
  readonly key: string;
  readonly raw: Record<string, unknown>;
  readonly at: string;
  readonly parameter: Parameter | undefined;
}

function readParameters(document: Record<string, unknown>, list: unknown, at: string): readonly Found[] {
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown, index) => {
    const { value: raw, at: where } = follow(document, entry, `${at}/${index}`);
    const key = `${String(raw['in'])} ${String(raw['name'])}`;
    const place = raw['in'];
    if (place !== 'path' && place !== 'query' && place !== 'header')
      return { key, raw, at: where, parameter: undefined };
    const inSchema = isObject(raw['schema']);
    const schema = follow(document, inSchema ? raw['schema'] : raw, inSchema ? `${where}/schema` : where);
    const isList = schema.value['type'] === 'array';
    return {
      key,
      raw,
      at: where,
      parameter: {
        name: String(raw['name']),
        in: place,
        required: raw['required'] === true,
        schema: schema.at,
        separator: isList ? separatorOf(raw) : undefined,
        isList,
      },
    };
  });
}

/** OpenAPI repeats a name unless `explode` is false; Swagger separates by commas unless it says otherwise. */
function separatorOf(raw: Record<string, unknown>): string | undefined {
  const said = raw['collectionFormat'];
  const format = typeof said === 'string' ? said : 'schema' in raw ? 'multi' : 'csv';
  if (raw['explode'] === false) return raw['style'] === 'pipeDelimited' ? '|' : ',';
  return { multi: undefined, csv: ',', pipes: '|', ssv: ' ', tsv: '\t' }[format];
}

function requestBody(
  document: Record<string, unknown>,
  operation: Record<string, unknown>,
  at: string,
): Content | undefined {
  if (!isObject(operation['requestBody'])) return undefined;
  const { value, at: where } = follow(document, operation['requestBody'], `${at}/requestBody`);
  return { required: value['required'] === true, media: readMedia(value['content'], where) };
}

function readMedia(content: unknown, at: string): ReadonlyMap<string, string | undefined> {
  if (!isObject(content)) return new Map();
  return new Map(
    Object.entries(content).map(([type, media]) => [
      type.toLowerCase(),
      isObject(media) && media['schema'] !== undefined ? `${at}/content/${escape(type)}/schema` : undefined,
    ]),
  );
}

function swaggerBody(
  document: Record<string, unknown>,
  operation: Record<string, unknown>,
  found: readonly Found[],
): Content | undefined {
  const types = mediaTypes(operation['consumes'] ?? document['consumes']);
  const body = found.find(({ raw }) => raw['in'] === 'body');
  if (body !== undefined) {
    return {
      required: body.raw['required'] === true,
      media: new Map(types.map((type) => [type, `${body.at}/schema`])),
    };
  }
  const form = found.filter(({ raw }) => raw['in'] === 'formData');
  if (form.length === 0) return undefined;
  return {
    required: form.some(({ raw }) => raw['required'] === true),
    media: new Map(['multipart/form-data', 'application/x-www-form-urlencoded'].map((type) => [type, undefined])),
  };
}

function mediaTypes(list: unknown): readonly string[] {
  return Array.isArray(list) && list.length > 0 ? list.map((type) => String(type).toLowerCase()) : ['application/json'];
}

function readAnswers(
  document: Record<string, unknown>,
  swagger: boolean,
  operation: Record<string, unknown>,
  at: string,
): ReadonlyMap<string, Content> {
  const responses = isObject(operation['responses']) ? operation['responses'] : {};
  const produces = mediaTypes(operation['produces'] ?? document['produces']);
  return new Map(
    Object.entries(responses).map(([status, response]) => {
      const { value, at: where } = follow(document, response, `${at}/responses/${escape(status)}`);
      if (!swagger) return [status.toUpperCase(), { required: false, media: readMedia(value['content'], where) }];
      const schema = value['schema'] === undefined ? undefined : `${where}/schema`;
      const media = schema === undefined ? [] : produces.map((type) => [type, schema] as const);
      return [status.toUpperCase(), { required: false, media: new Map(media) }];
    }),
  );
}

/** Follows references inside the document, and says where it ended. */
function follow(
  document: Record<string, unknown>,
  start: unknown,
  at: string,
): { readonly value: Record<string, unknown>; readonly at: string } {
  let value = start;
  let where = at;
  for (let steps = 0; isObject(value) && typeof value['$ref'] === 'string' && steps < 20; steps += 1) {
    where = decodeURIComponent(value['$ref'].replace(/^#/, ''));
    value = where
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>((node, part) => (isObject(node) ? node[part] : undefined), document);
  }
  if (!isObject(value)) throw new Error(`The description refers to ${where}, which is not there`);
  return { value, at: where };
}

function escape(part: string): string {
  return part.replaceAll('~', '~0').replaceAll('/', '~1');
}

function readSegment(segment: string): Segment {
  if (!segment.includes('{')) return { literal: segment };
  const names: string[] = [];
  const pattern = segment
    .split(/(\{[^{}]*\})/)
    .map((part) => {
      if (!part.startsWith('{')) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(part.slice(1, -1));
      return '(.+)';
    })
    .join('');
  return { pattern: new RegExp(`^${pattern}$`), names };
}

/** `/zones/{id}/dns_records/batch` is asked before `/zones/{id}/dns_records/{record}`. */
function literalsFirst(one: Described, other: Described): number {
  for (const [index, segment] of one.segments.entries()) {
    const against = other.segments[index];
    if (against === undefined) break;
    if ('literal' in segment !== 'literal' in against) return 'literal' in segment ? -1 : 1;
    // `{index}.{type}` says more than `{index}`, which would take it as well.
    if ('names' in segment && 'names' in against && segment.names.length !== against.names.length) {
      return against.names.length - segment.names.length;
    }
  }
  return one.name < other.name ? -1 : 1;
}
