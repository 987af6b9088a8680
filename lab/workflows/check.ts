import { isIP } from 'node:net';
import { isObject, type Json } from '../../lib/json';
import { before, connectionMistakes } from './connections';
import { isExpression, readExpression } from './expressions';
import {
  calledWorkflow,
  type Finding,
  type Flow,
  type FlowNode,
  NotAFlow,
  parseFlow,
  STICKY,
} from '../../lib/flows/flow';
import { layoutMistakes } from './layout';
import type { NodeTypes } from './node-types';
import { parameterMistakes } from './parameters';

export interface FlowFile {
  readonly file: string;
  readonly text: string;
}

/** The one flow that may hold hosts, addresses and names. */
export const INVENTORY = 'inventory.json';
export const ERROR_HANDLER = 'selfhostOnError';

/** Keys. When Remove Duplicates is full it forgets none of them: it fails, and its flow with it. */
const LARGE_HISTORY = 100_000;

/** Everything that is wrong with a set of shipped flows. An empty list is a promise that they import and run. */
export function checkFlows(files: readonly FlowFile[], types: NodeTypes): readonly Finding[] {
  const found: Finding[] = [];
  const flows = files.flatMap(({ file, text }) => {
    try {
      return [parseFlow(file, text)];
    } catch (error) {
      if (!(error instanceof NotAFlow)) throw error;
      found.push({ file, message: error.message });
      return [];
    }
  });
  const ids = new Map<string, string>();
  for (const { id, file } of flows) {
    const other = ids.get(id);
    if (other !== undefined) found.push({ file, message: `its id ${id} is that of ${other}, too` });
    ids.set(id, file);
  }
  return [...found, ...flows.flatMap((flow) => checkFlow(flow, types, new Set(ids.keys())))];
}

function checkFlow(flow: Flow, types: NodeTypes, ids: ReadonlySet<string>): readonly Finding[] {
  const { file } = flow;
  const of = (mistakes: readonly string[]): Finding[] => mistakes.map((message) => ({ file, message }));
  const at = (mistakes: readonly { node: string; message: string }[]): Finding[] =>
    mistakes.map((mistake) => ({ file, ...mistake }));
  return [
    ...of(shapeMistakes(flow)),
    ...of(settingMistakes(flow)),
    ...at(
      flow.nodes.flatMap((node) =>
        nodeMistakes(flow, node, types, ids).map((message) => ({ node: node.name, message })),
      ),
    ),
    ...at(connectionMistakes(flow, types)),
    ...at(layoutMistakes(flow)),
  ];
}

const WHAT_EXPORT_ADDS = ['versionId', 'active', 'pinData', 'createdAt', 'updatedAt', 'shared', 'staticData'];

function shapeMistakes({ file, id, nodes, raw }: Flow): readonly string[] {
  const found: string[] = [];
  if (!/^[a-z0-9]+(-[a-z0-9]+)*\.json$/.test(file)) found.push('its file name is not in kebab-case');
  if (!/^selfhost[A-Za-z0-9]{1,13}$/.test(id)) found.push(`its id ${id} is not "selfhost…" of at most 21 characters`);
  for (const name of WHAT_EXPORT_ADDS) if (name in raw) found.push(`it carries ${name}, which belongs to one n8n`);
  const count = (values: readonly string[]) => values.filter((value, index) => values.indexOf(value) !== index);
  for (const name of count(nodes.map((node) => node.name))) found.push(`two nodes are called "${name}"`);
  for (const twice of count(nodes.map((node) => node.id))) found.push(`two nodes have the id ${twice}`);
  for (const twice of count(nodes.flatMap(({ webhookId }) => webhookId ?? []))) {
    found.push(`two nodes have the webhook id ${twice}`);
  }
  return found;
}

/** Why some settings are asked for: see docs/workflows/README.md. */
function settingMistakes({ id, settings }: Flow): readonly string[] {
  const found: string[] = [];
  if (settings['executionOrder'] !== 'v1') found.push('its execution order is not v1');
  if (typeof settings['timezone'] !== 'string') found.push('it has no time zone');
  if (!(Number(settings['executionTimeout']) > 0)) found.push('it has no time-out');
  if (settings['saveDataErrorExecution'] !== 'all') found.push('it does not keep failed executions');
  if (id !== ERROR_HANDLER && settings['errorWorkflow'] !== ERROR_HANDLER) found.push('its errors go nowhere');
  return found;
}

function nodeMistakes(flow: Flow, node: FlowNode, types: NodeTypes, ids: ReadonlySet<string>): readonly string[] {
  const found: string[] = [];
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(node.id)) found.push('its id is no UUID');
  if (node.disabled) found.push('it is switched off');
  if (node.type === 'n8n-nodes-base.code') found.push('a Code node hides what the flow does');
  const description = types.find(node.type, node.typeVersion);
  const versions = types.versionsOf(node.type);
  if (versions.length === 0) found.push(`no node ${node.type} exists`);
  else if (description === undefined) {
    found.push(`${node.type} has no version ${node.typeVersion}; it has ${versions.join(', ')}`);
  } else {
    found.push(...parameterMistakes(node, description));
    if ((description.webhooks?.length ?? 0) > 0 && node.webhookId === undefined) found.push('it has no webhook id');
    const kinds = (description.credentials ?? []).map(({ name }) => name);
    for (const [kind, { id, name }] of Object.entries(node.credentials)) {
      if (!kinds.includes(kind)) found.push(`it takes no credential ${kind}`);
      if (id !== '') found.push('it names the credential of one n8n');
      if (typeof name !== 'string' || name === '') found.push('its credential has no name');
    }
  }
  const known = before(flow, node.name);
  for (const [place, value] of textsIn(node.parameters)) {
    found.push(...secretMistakes(place, value));
    if (flow.file !== INVENTORY && node.type !== STICKY) found.push(...addressMistakes(place, value));
    if (!isExpression(value)) continue;
    const { mistakes, nodes } = readExpression(value);
    found.push(...mistakes.map((mistake) => `${place}: ${mistake}`));
    for (const name of nodes) if (!known.has(name)) found.push(`${place}: "${name}" does not run before it`);
  }
  if (node.type === 'n8n-nodes-base.removeDuplicates') found.push(...memoryMistakes(flow, node));
  const called = calledWorkflow(node);
  // One that is worked out may be there or not; its caller has to live with that.
  if (called !== undefined && !isExpression(called) && !ids.has(called))
    found.push(`it calls the flow ${called}, which is not shipped`);
  return found;
}

function memoryMistakes({ id }: Flow, { parameters, onError }: FlowNode): readonly string[] {
  if (parameters['operation'] !== 'removeItemsSeenInPreviousExecutions') return [];
  const { options } = parameters;
  const found: string[] = [];
  if (!isObject(options) || !(Number(options['historySize']) >= LARGE_HISTORY)) {
    found.push('it has too little room for what it remembers');
  }
  // Whatever else fails is told by the error handler, and nobody tells of that.
  if (id === ERROR_HANDLER && onError !== 'continueRegularOutput')
    found.push('when it is full nobody is told any more');
  return found;
}

function textsIn(value: Json, path: readonly string[] = []): readonly (readonly [string, string])[] {
  if (typeof value === 'string') return [[path.join('.'), value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => textsIn(inner, [...path, name]));
}

const SECRETS: Readonly<Record<string, RegExp>> = {
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'a token of Slack': /\bxox[abprs]-[A-Za-z0-9-]{10,}/,
  'a token of a Telegram bot': /\b\d{8,10}:[A-Za-z0-9_-]{35}\b/,
  'a long random text':
    /(?<![A-Za-z0-9_:/+-])(?=[A-Za-z0-9_+/]*[0-9])(?=[A-Za-z0-9_+/]*[A-Z])(?=[A-Za-z0-9_+/]*[a-z])[A-Za-z0-9_+/]{32,}/,
  'a password in an address': /:\/\/[^/\s:@{]+:[^/\s:@{]+@/,
};

function secretMistakes(place: string, value: string): readonly string[] {
  return Object.entries(SECRETS)
    .filter(([, pattern]) => pattern.test(value))
    .map(([what]) => `${place} holds ${what}`);
}

/** Addresses and names of machines stand in the inventory only. Names of examples do no harm. */
function addressMistakes(place: string, value: string): readonly string[] {
  const outside = isExpression(value) ? value.replaceAll(/\{\{.*?\}\}/gs, ' ') : value;
  const words = outside.split(/[\s"'`,;()<>[\]]+/);
  return words.flatMap((word) => {
    const host = /^(?:[a-z]+:\/\/)?(?:[^@/]+@)?([^/:]+)/.exec(word)?.[1] ?? '';
    if (isIP(host) !== 0) return [`${place} holds the address ${host}`];
    if (/^[a-z]+:\/\//.test(word) && /\.[a-z]{2,}$/i.test(host) && !/(^|\.)example(\.|$)/.test(host)) {
      return [`${place} holds the name ${host}`];
    }
    return [];
  });
}
