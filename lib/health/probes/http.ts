import type { Duplex } from 'node:stream';
import type { Fields } from '../fields';
import { atPath } from '../json-path';
import { overStream, type Kind, type Secrets } from '../kind';
import type { Address } from '../vantage';
import { exchange, type Asked, type HttpAnswer } from './http-exchange';
import { Wrong, type StreamProbe } from './probe';
import { secure } from './secure';

export interface JsonRule {
  readonly path: string;
  readonly equals?: string;
  readonly matches?: RegExp;
  readonly min?: number;
  readonly max?: number;
}

export interface HeaderRule {
  readonly name: string;
  /** It must be there and match. */
  readonly must?: RegExp;
  /** It must not be there, or not match. */
  readonly mustNot?: RegExp;
}

export interface HttpTarget extends Address {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Which answers are good: 200, or 2xx. */
  readonly statuses: readonly string[];
  readonly contains: readonly string[];
  readonly lacks: readonly string[];
  readonly matches?: RegExp;
  readonly json: readonly JsonRule[];
  readonly headerRules: readonly HeaderRule[];
  readonly maxLatencyMs?: number;
  readonly authority?: string;
}

/** The address answers as it should. Redirects are an answer, and never followed. */
export const http: StreamProbe<HttpTarget> = {
  kind: 'http',
  talk: async (stream, target) => {
    const begun = performance.now();
    const answer = await ask(stream, target);
    const latency = performance.now() - begun;
    for (const rule of target.headerRules) judgeHeader(rule, answer.headers);
    if (!target.statuses.some((one) => fits(one, answer.status))) throw new Wrong(`it answers ${answer.status}`);
    judgeBody(target, answer.body);
    if (target.maxLatencyMs !== undefined && latency > target.maxLatencyMs) {
      throw new Wrong(`it takes ${Math.round(latency)} ms, and ${target.maxLatencyMs} are allowed`);
    }
    return `it answers ${answer.status}`;
  },
};

function fits(wanted: string, status: number): boolean {
  return wanted.endsWith('xx') ? wanted[0] === String(status)[0] : wanted === String(status);
}

function judgeHeader({ name, must, mustNot }: HeaderRule, headers: HttpAnswer['headers']): void {
  const value = headers.get(name);
  const shown = (value ?? '').slice(0, 120);
  if (must !== undefined && (value === undefined || !must.test(value))) {
    throw new Wrong(value === undefined ? `its answer has no header ${name}` : `its header ${name} is ${shown}`);
  }
  if (mustNot !== undefined && value !== undefined && mustNot.test(value)) {
    throw new Wrong(name === 'location' ? `it sends to ${shown}` : `its header ${name} is ${shown}`);
  }
}

function judgeBody({ contains, lacks, matches, json }: HttpTarget, body: string): void {
  if (contains.some((text) => !body.includes(text))) throw new Wrong('its answer lacks the text that it must have');
  if (lacks.some((text) => body.includes(text))) throw new Wrong('its answer has the text that it must not have');
  if (matches !== undefined && !matches.test(body)) throw new Wrong('its answer does not match');
  if (json.length === 0) return;
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    throw new Wrong('its answer is not JSON');
  }
  for (const rule of json) judgeJson(rule, atPath(document, rule.path));
}

function judgeJson({ path, equals, matches, min, max }: JsonRule, value: unknown): void {
  if (value === undefined) throw new Wrong(`it has no ${path}`);
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  const wrong = () => new Wrong(`its ${path} is ${shown.slice(0, 80)}`);
  if (equals !== undefined && shown !== equals) throw wrong();
  if (matches !== undefined && !matches.test(shown)) throw wrong();
  if (min === undefined && max === undefined) return;
  const number = typeof value === 'number' ? value : Number.NaN;
  if (!(number >= (min ?? -Infinity) && number <= (max ?? Infinity))) throw wrong();
}

export async function ask(stream: Duplex, target: Asked & { readonly authority?: string }): Promise<HttpAnswer> {
  const { url, authority } = target;
  const line = url.protocol === 'https:' ? await secure(stream, url.hostname, authority) : stream;
  return exchange(line, target);
}

export const httpKind: Kind = overStream(http, (fields) => {
  const url = urlOf(fields);
  const method = (fields.text('method') ?? 'GET').toUpperCase();
  if (!/^[A-Z]{1,20}$/.test(method)) throw fields.refuse('method', 'is not one of HTTP');
  const statuses = fields.texts('statuses') ?? ['2xx'];
  if (!statuses.every((one) => /^[1-5](\d\d|xx)$/.test(one)))
    throw fields.refuse('statuses', 'are not like 200 or 2xx');
  const { address, secrets } = { address: connectTo(fields, url), secrets: secretHeaders(fields) };
  const body = fields.text('body');
  const authority = fields.text('authority');
  const maxLatencyMs = fields.number('maxLatencyMs', 1, 600_000);
  const headers = fields.record('headers') ?? {};
  const target: HttpTarget = {
    ...address,
    url,
    method,
    headers,
    ...(body !== undefined && { body }),
    statuses,
    contains: fields.texts('contains') ?? [],
    lacks: fields.texts('lacks') ?? [],
    ...patternIn(fields, 'matches'),
    json: jsonRules(fields),
    headerRules: headerRules(fields),
    ...(maxLatencyMs !== undefined && { maxLatencyMs }),
    ...(authority !== undefined && { authority }),
  };
  return { secrets, target: (values: Secrets) => ({ ...target, headers: { ...headers, ...values } }) };
});

export function urlOf(fields: Fields): URL {
  const text = fields.needText('url');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.password === '') {
    return url;
  }
  throw fields.refuse('url', 'is not an http or https address without a login in it');
}

/** Another address than that of the URL: behind a proxy, or one machine of several. */
export function connectTo(fields: Fields, url: URL): Address {
  const usual = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
  };
  const text = fields.text('connectTo');
  if (text === undefined) return usual;
  const [, host, port] = /^(?:\[?([^\]]*?)\]?)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined || host === '') throw fields.refuse('connectTo', 'is not like 10.0.0.5:8443');
  return { host, port: port === undefined ? usual.port : Number(port) };
}

/** Headers whose values are secrets: `{"authorization": "credential:STATUS_TOKEN"}`. */
export function secretHeaders(fields: Fields): Secrets {
  return fields.record('secretHeaders') ?? {};
}

function patternIn(fields: Fields, name: string): { readonly matches?: RegExp } {
  const text = fields.text(name);
  return text === undefined ? {} : { matches: pattern(fields, name, text) };
}

const LONGEST_PATTERN = 300;

export function pattern(fields: Fields, name: string, text: string): RegExp {
  try {
    if (text.length <= LONGEST_PATTERN) return new RegExp(text, 'u');
  } catch {
    // Said below.
  }
  throw fields.refuse(name, 'is not a regular expression of at most 300 characters');
}

function jsonRules(fields: Fields): readonly JsonRule[] {
  const rules = fields.inside('json');
  if (rules === undefined) return [];
  const path = rules.needText('path');
  const [equals, matches] = [rules.raw('equals'), rules.text('matches')];
  const [min, max] = [rules.number('min', -Infinity, Infinity), rules.number('max', -Infinity, Infinity)];
  return [
    {
      path,
      ...(equals !== undefined && {
        equals: typeof equals === 'string' ? equals : JSON.stringify(equals),
      }),
      ...(matches !== undefined && { matches: pattern(rules, 'matches', matches) }),
      ...(min !== undefined && { min }),
      ...(max !== undefined && { max }),
    },
  ];
}

function headerRules(fields: Fields): readonly HeaderRule[] {
  const read = (name: 'mustHave' | 'mustNotHave') =>
    Object.entries(fields.record(name) ?? {}).map(([header, text]) => ({
      name: header.toLowerCase(),
      [name === 'mustHave' ? 'must' : 'mustNot']: pattern(fields, name, text),
    }));
  return [...read('mustHave'), ...read('mustNotHave')];
}
