import { isObject, type JsonObject } from '../json';

/** An exported workflow, as far as it is looked at. */
export interface Flow {
  /** `backup-scatter.json` */
  readonly file: string;
  readonly id: string;
  readonly name: string;
  readonly nodes: readonly FlowNode[];
  readonly connections: readonly Connection[];
  readonly settings: JsonObject;
  readonly raw: JsonObject;
}

export interface FlowNode {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly typeVersion: number;
  readonly position: readonly [number, number];
  readonly parameters: JsonObject;
  readonly credentials: Readonly<Record<string, { readonly id: unknown; readonly name: unknown }>>;
  readonly webhookId: string | undefined;
  readonly disabled: boolean;
  readonly onError: string | undefined;
  /** With whatever else n8n keeps of it. */
  readonly raw: JsonObject;
}

export interface Connection {
  readonly from: string;
  readonly output: number;
  readonly kind: string;
  readonly to: string;
  readonly input: number;
}

/** One thing that is wrong with a flow, in a sentence that says where. */
export interface Finding {
  readonly file: string;
  readonly node?: string;
  readonly message: string;
}

export const STICKY = 'n8n-nodes-base.stickyNote';

export class NotAFlow extends Error {}

/** Reads a flow, or says what of its shape is not that of an exported workflow. */
export function parseFlow(file: string, text: string): Flow {
  return flowFrom(file, parsed(text));
}

/** The same of what is parsed already. */
export function flowFrom(file: string, raw: unknown): Flow {
  if (!isObject(raw)) throw new NotAFlow('it is no JSON object');
  const { id, name, nodes, connections, settings } = raw;
  if (typeof id !== 'string') throw new NotAFlow('it has no id');
  if (typeof name !== 'string' || name === '') throw new NotAFlow('it has no name');
  if (!Array.isArray(nodes)) throw new NotAFlow('it has no nodes');
  if (!isObject(connections)) throw new NotAFlow('it has no connections');
  if (!isObject(settings)) throw new NotAFlow('it has no settings');
  return {
    file,
    id,
    name,
    nodes: nodes.map(parseNode),
    connections: Object.entries(connections).flatMap(([from, kinds]) => connectionsFrom(from, kinds)),
    settings: settings as JsonObject,
    raw: raw as JsonObject,
  };
}

/** The flow that a node calls, by its id. */
export function calledWorkflow({ type, parameters }: FlowNode): string | undefined {
  if (type !== 'n8n-nodes-base.executeWorkflow') return undefined;
  const { workflowId } = parameters as { readonly workflowId?: { readonly value?: string } };
  return workflowId?.value ?? '';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NotAFlow('it is no JSON');
  }
}

function parseNode(node: unknown, index: number): FlowNode {
  const wrong = (what: string) => new NotAFlow(`node ${index + 1} has no ${what}`);
  if (!isObject(node)) throw new NotAFlow(`node ${index + 1} is no object`);
  const { id, name, type, typeVersion, position, parameters, credentials = {}, webhookId, disabled, onError } = node;
  if (typeof id !== 'string') throw wrong('id');
  if (typeof name !== 'string' || name === '') throw wrong('name');
  if (typeof type !== 'string') throw wrong('type');
  if (typeof typeVersion !== 'number') throw wrong('version');
  if (!isPosition(position)) throw wrong('position');
  if (!isObject(parameters)) throw wrong('parameters');
  if (!isObject(credentials)) throw wrong('readable credentials');
  return {
    id,
    name,
    type,
    typeVersion,
    position,
    parameters: parameters as JsonObject,
    credentials: Object.fromEntries(
      Object.entries(credentials).map(([kind, value]) => {
        if (!isObject(value)) throw wrong(`readable credential ${kind}`);
        return [kind, { id: value['id'], name: value['name'] }];
      }),
    ),
    webhookId: typeof webhookId === 'string' ? webhookId : undefined,
    disabled: disabled === true,
    onError: typeof onError === 'string' ? onError : undefined,
    raw: node as JsonObject,
  };
}

function isPosition(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((number) => Number.isFinite(number));
}

function connectionsFrom(from: string, kinds: unknown): readonly Connection[] {
  const wrong = () => new NotAFlow(`the connections of "${from}" cannot be read`);
  if (!isObject(kinds)) throw wrong();
  return Object.values(kinds).flatMap((outputs) => {
    if (!Array.isArray(outputs)) throw wrong();
    return outputs.flatMap((targets: unknown, output) => {
      // An output that leads nowhere may stand as null.
      if (targets === null) return [];
      if (!Array.isArray(targets)) throw wrong();
      return targets.map((target: unknown) => {
        if (!isObject(target) || typeof target['node'] !== 'string' || typeof target['index'] !== 'number') {
          throw wrong();
        }
        return { from, output, kind: String(target['type']), to: target['node'], input: target['index'] };
      });
    });
  });
}
