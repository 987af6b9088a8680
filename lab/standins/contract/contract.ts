import Ajv2020, { type AnySchema, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';

import { isObject } from '../../../lib/json';
import { complaints } from './complaint';
import { type Content, type Described, type Description, type Parameter, readDescription } from './description';
import type { Exchange, ExchangeAnswer, ExchangeRequest } from './exchange';
import { find } from './find';
import { readMultipart } from './multipart';

/** What a test asks of a vendor's API description. */
export interface Contract {
  /** `GET /zones/{zone_id}`, sorted. */
  readonly operations: readonly string[];
  /** How often each operation was reached by a request that `check` saw. */
  readonly reached: ReadonlyMap<string, number>;
  /** All that was found so far, in sentences. */
  readonly violations: readonly string[];
  /** Compares a request and its answer with the description; keeps what is wrong, and gives it back. */
  readonly check: (request: ExchangeRequest, answer: ExchangeAnswer) => readonly string[];
  /** For a request that got no answer, or one that no description knows: a made-up failure. */
  readonly checkRequest: (request: ExchangeRequest) => readonly string[];
  /** Forgets the violations, not what was reached. */
  readonly forget: () => void;
}

interface Checked {
  readonly description: Description;
  readonly ajv: Ajv2020;
  readonly validators: Map<string, ValidateFunction>;
}

/** One description, or several that describe parts of one API. */
export function contractOf(...documents: readonly unknown[]): Contract {
  const parts = documents.map(prepare);
  const operations = parts.flatMap(({ description }) => description.operations.map(({ name }) => name));
  const reached = new Map<string, number>();
  const violations: string[] = [];

  const keep = (found: readonly string[]) => {
    violations.push(...found);
    return found;
  };
  const look = (request: ExchangeRequest) => {
    const path = request.url.split('?')[0] ?? '';
    for (const part of parts) {
      const hit = find(part.description.operations, request.method, path);
      if (hit !== undefined) return { part, ...hit };
    }
    return undefined;
  };
  const checkBoth = (request: ExchangeRequest, answer: ExchangeAnswer | undefined): readonly string[] => {
    const hit = look(request);
    if (hit === undefined) return [`${request.method} ${request.url}: the description knows no such operation`];
    const { part, operation, values } = hit;
    reached.set(operation.name, (reached.get(operation.name) ?? 0) + 1);
    return [
      ...checkParameters(part, operation, values, request),
      ...checkBody(part, operation, request),
      ...(answer === undefined ? [] : checkAnswer(part, operation, answer)),
    ].map((what) => `${operation.name}: ${what}`);
  };
  return {
    operations: [...new Set(operations)].sort(),
    reached,
    violations,
    check: (request, answer) => keep(checkBoth(request, answer)),
    checkRequest: (request) => keep(checkBoth(request, undefined)),
    forget: () => void violations.splice(0),
  };
}

export function checkExchange(contract: Contract, { request, answer }: Exchange): readonly string[] {
  return contract.check(request, answer);
}

const documentKey = 'description';

function prepare(document: unknown): Checked {
  const description = readDescription(document);
  // Descriptions hold words that no validator knows.
  const ajv = new Ajv2020({ strict: false, allErrors: true, verbose: true, logger: false });
  addFormats(ajv);
  ajv.addSchema(description.document, documentKey, undefined, false);
  return { description, ajv, validators: new Map() };
}

function complain({ ajv, validators }: Checked, pointer: string, value: unknown): readonly string[] {
  let validate = validators.get(pointer);
  if (validate === undefined) {
    validate = ajv.compile({ $ref: `${documentKey}#${pointer.split('/').map(encodeURIComponent).join('/')}` });
    validators.set(pointer, validate);
  }
  if (validate(value)) return [];
  return complaints(validate.errors ?? [], (schema, part) => {
    const alternative = ajv.compile(outsideOfDocument(schema) as AnySchema);
    return alternative(part) ? [] : (alternative.errors ?? []);
  });
}

/** A piece of the document that stands alone: its references must say where they lead. */
function outsideOfDocument(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(outsideOfDocument);
  if (!isObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === '$ref' && typeof value === 'string' ? value.replace(/^#/, `${documentKey}#`) : outsideOfDocument(value),
    ]),
  );
}

function checkParameters(
  part: Checked,
  operation: Described,
  inPath: Readonly<Record<string, string>>,
  request: ExchangeRequest,
): readonly string[] {
  const query = new URLSearchParams(request.url.split('?')[1] ?? '');
  const described = operation.parameters.filter((parameter) => parameter.in === 'query');
  const unknown = [...new Set(query.keys())].filter((name) => !described.some((one) => one.name === name));
  return [
    ...unknown.map((name) => `the query parameter "${name}" is not described`),
    ...operation.parameters.flatMap((parameter) => {
      const given = givenFor(parameter, inPath, query, request);
      const called = `the ${parameter.in} parameter "${parameter.name}"`;
      if (given.length === 0) return parameter.required ? [`${called} is missing`] : [];
      return checkText(part, parameter, given).map((what) => `${called} ${what}`);
    }),
  ];
}

function givenFor(
  parameter: Parameter,
  inPath: Readonly<Record<string, string>>,
  query: URLSearchParams,
  { headers }: ExchangeRequest,
): readonly string[] {
  const one = (value: string | undefined) => (value === undefined ? [] : [value]);
  const values =
    parameter.in === 'path'
      ? one(inPath[parameter.name])
      : parameter.in === 'header'
        ? one(headers[parameter.name.toLowerCase()])
        : query.getAll(parameter.name);
  return parameter.separator === undefined
    ? values
    : values.flatMap((value) => value.split(parameter.separator ?? ','));
}

/** Text stands for a number or a switch where the schema wants one: it is tried as all that it can be read as. */
function checkText(part: Checked, { schema, isList }: Parameter, given: readonly string[]): readonly string[] {
  if (!isList && given.length > 1) return ['is given more than once'];
  const readings = given.map(readingsOf);
  const candidates: readonly unknown[] = isList ? [given, readings.map((some) => some.at(-1))] : (readings[0] ?? []);
  const found = candidates.map((candidate) => complain(part, schema, candidate));
  return found.sort((one, other) => one.length - other.length)[0] ?? [];
}

function readingsOf(text: string): readonly unknown[] {
  const readings: unknown[] = [text];
  if (text === 'true' || text === 'false') readings.push(text === 'true');
  if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)) readings.push(Number(text));
  return readings;
}

function checkBody(part: Checked, { body }: Described, { headers, body: bytes }: ExchangeRequest): readonly string[] {
  if (bytes.length === 0) return body?.required === true ? ['the request has no body, and one is required'] : [];
  if (body === undefined) return ['the request has a body where none is described'];
  return checkContent(part, body, headers['content-type'], bytes).map((what) => `the request body ${what}`);
}

function checkAnswer(part: Checked, { answers, method }: Described, answer: ExchangeAnswer): readonly string[] {
  const range = `${String(answer.status).charAt(0)}XX`;
  const content = answers.get(String(answer.status)) ?? answers.get(range) ?? answers.get('DEFAULT');
  if (content === undefined) return [`the answer ${answer.status} is not described`];
  if (method === 'HEAD') return [];
  const called = `the body of answer ${answer.status}`;
  if (answer.body.length === 0) return content.media.size > 0 ? [`${called} is missing`] : [];
  if (content.media.size === 0) return [`${called} is there, and the description has none`];
  return checkContent(part, content, answer.headers['content-type'], answer.body).map((what) => `${called} ${what}`);
}

function checkContent(
  part: Checked,
  { media }: Content,
  contentType: string | undefined,
  bytes: Buffer,
): readonly string[] {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const described = [...media.keys()].find((one) => covers(one, type));
  if (described === undefined) return [`is of type "${type}", described is ${[...media.keys()].join(' or ')}`];
  const schema = media.get(described);
  if (type === 'multipart/form-data') {
    const fields = readMultipart(contentType ?? '', bytes);
    if (fields === undefined) return ['is no well-formed multipart form'];
    return schema === undefined ? [] : complain(part, schema, fields);
  }
  if (type !== 'application/json' && !type.endsWith('+json')) return [];
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return ['is not JSON'];
  }
  return schema === undefined ? [] : complain(part, schema, value);
}

function covers(described: string, type: string): boolean {
  const plain = described.split(';')[0]?.trim() ?? '';
  return plain === type || plain === '*/*' || (plain.endsWith('/*') && type.startsWith(plain.slice(0, -1)));
}
