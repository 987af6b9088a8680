import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { type FlowNode, parseFlow } from '../../lib/flows/flow';
import { isObject, type JsonObject } from '../../lib/json';

/** What a Set node, the first condition of an If node, or what a flow is called with comes to, as n8n works it out. */
export function worked(file: string, node: string, field: string, given: Given): unknown {
  const $ = (name: string) => {
    const items = given.nodes?.[name];
    const all = () => (items ?? []).map((json) => ({ json }));
    return { isExecuted: items !== undefined, all, first: () => all()[0] };
  };
  const expression = expressionOf(nodeOf(file, node).parameters, field);
  // What comes out of it belongs to this realm.
  return JSON.parse(
    JSON.stringify(evaluated(expression, { $, DateTime, $now: DateTime.now(), $json: given.json ?? {} })),
  ) as unknown;
}

/** An expression of a parameter, worked out with what n8n would give it. */
export function evaluated(expression: unknown, given: object): unknown {
  const [, source] = /^=\{\{(.*)\}\}$/s.exec(String(expression)) ?? [];
  if (source === undefined) throw new Error(`${String(expression)} is no expression`);
  return runInNewContext(`(${source})`, given);
}

/** A node of a shipped flow. */
export function nodeOf(file: string, name: string): FlowNode {
  const path = join(__dirname, '../../workflows', file);
  const node = parseFlow(file, readFileSync(path, 'utf8')).nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`${file} has no node ${name}`);
  return node;
}

/** As much of Luxon as they use: every time zone is UTC here. */
const DateTime = {
  fromISO: (text: string) => timeAt(new Date(text)),
  now: () => timeAt(new Date('2026-11-21T12:00:00Z')),
};

function timeAt(date: Date): Time {
  const time: Time = {
    setZone: () => time,
    toMillis: () => date.getTime(),
    toFormat: () => date.toISOString().slice(0, 16).replace('T', ' '),
  };
  return time;
}

interface Time {
  readonly setZone: () => Time;
  readonly toMillis: () => number;
  readonly toFormat: () => string;
}

export interface Given {
  readonly nodes?: Readonly<Record<string, readonly JsonObject[]>>;
  readonly json?: JsonObject;
}

function expressionOf(parameters: unknown, field: string): string {
  const { assignments, conditions, workflowInputs } = isObject(parameters) ? parameters : {};
  const handed = isObject(workflowInputs) && isObject(workflowInputs['value']) ? workflowInputs['value'][field] : '';
  if (typeof handed === 'string' && handed !== '') return handed;
  const list: unknown = isObject(assignments)
    ? assignments['assignments']
    : isObject(conditions)
      ? conditions['conditions']
      : [];
  const one = (Array.isArray(list) ? list : []).find(
    (each: unknown) => isObject(each) && (field === 'condition' || each['name'] === field),
  ) as JsonObject | undefined;
  const value: unknown = field === 'condition' ? one?.['leftValue'] : one?.['value'];
  return typeof value === 'string' ? value : '';
}
