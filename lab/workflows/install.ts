import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../lib/json';
import { repository } from '../folders';
import type { N8nApi } from '../n8n/api';
import type { N8n } from '../n8n/instance';
import { INVENTORY } from './check';
import { calledWorkflow, type Flow, parseFlow } from '../../lib/flows/flow';

const shipped = join(repository, 'workflows');

export interface FlowSetup {
  /** What stands in the node Estate; without it the one that is shipped. */
  readonly inventory?: JsonObject;
  /** Credentials by the names that the flows give them. */
  readonly credentials: Readonly<Record<string, { readonly type: string; readonly data: JsonObject }>>;
  /** Only these files; by default all. */
  readonly files?: readonly string[];
  /** Credentials that are there already, by the same names. */
  readonly made?: Readonly<Record<string, { readonly id: string }>>;
  /** Their schedules fire so often, whatever they say. */
  readonly everySeconds?: number;
  /** What a user writes into a node himself, by its name: the cluster that a trigger watches. */
  readonly parameters?: Readonly<Record<string, JsonObject>>;
  /** Off: they are only imported. */
  readonly publish?: boolean;
}

/** Imports the shipped flows as a user does: credentials chosen, one inventory edited, nothing else touched. */
export async function installFlows(n8n: Pick<N8n, 'folder' | 'command'>, api: N8nApi, setup: FlowSetup): Promise<void> {
  const { inventory, credentials, publish = true } = setup;
  const files = setup.files ?? readdirSync(shipped).filter((file) => file.endsWith('.json'));
  const made = new Map(Object.entries(setup.made ?? {}).map(([name, { id }]) => [name, id]));
  for (const [name, { type, data }] of Object.entries(credentials)) {
    made.set(name, (await api.createCredential(name, type, data)).id);
  }
  const folder = join(n8n.folder, 'flows-to-import');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const flows: Flow[] = [];
  for (const file of files) {
    const text = readFileSync(join(shipped, file), 'utf8');
    flows.push(parseFlow(file, text));
    const chosen = withParameters(withCredentials(JSON.parse(text) as JsonObject, made), setup.parameters ?? {});
    const { everySeconds } = setup;
    const edited =
      everySeconds === undefined ? chosen : withSchedule(chosen, { field: 'seconds', secondsInterval: everySeconds });
    writeFileSync(
      join(folder, file),
      JSON.stringify(file === INVENTORY && inventory !== undefined ? withInventory(edited, inventory) : edited),
    );
  }
  await n8n.command(['import:workflow', '--separate', `--input=${folder}`]);
  if (publish) for (const flow of calledFirst(flows)) if (hasTrigger(flow)) await api.publish(flow.id);
}

/** n8n publishes only what something else than a hand can start. */
function hasTrigger({ nodes }: Flow): boolean {
  return nodes.some(({ type }) => /(trigger|\.webhook)$/i.test(type) && type !== 'n8n-nodes-base.manualTrigger');
}

/** n8n refuses to publish a flow before those that it calls. */
function calledFirst(flows: readonly Flow[]): readonly Flow[] {
  const ordered = new Set<Flow>();
  const add = (flow: Flow, callers: readonly Flow[]) => {
    if (callers.includes(flow)) throw new Error(`${flow.name} calls itself`);
    const called = flow.nodes.map(calledWorkflow);
    for (const other of flows) if (called.includes(other.id)) add(other, [...callers, flow]);
    ordered.add(flow);
  };
  for (const flow of flows) add(flow, []);
  return [...ordered];
}

function withInventory(flow: JsonObject, inventory: JsonObject): JsonObject {
  return mapNodes(flow, (node) =>
    node['name'] === 'Estate'
      ? { ...node, parameters: { ...(node['parameters'] as JsonObject), jsonOutput: JSON.stringify(inventory) } }
      : node,
  );
}

/** Its schedules fire by this interval and no other. */
export function withSchedule(flow: JsonObject, interval: JsonObject): JsonObject {
  const rule = { interval: [interval] };
  return mapNodes(flow, (node) =>
    node['type'] === 'n8n-nodes-base.scheduleTrigger' ? { ...node, parameters: { rule } } : node,
  );
}

function withParameters(flow: JsonObject, written: Readonly<Record<string, JsonObject>>): JsonObject {
  return mapNodes(flow, (node) => {
    const own = typeof node['name'] === 'string' ? written[node['name']] : undefined;
    return own === undefined ? node : { ...node, parameters: { ...(node['parameters'] as JsonObject), ...own } };
  });
}

/** As chosen in the editor, by the name that stands there. */
function withCredentials(flow: JsonObject, made: ReadonlyMap<string, string>): JsonObject {
  return mapNodes(flow, (node) => {
    const wanted = (node['credentials'] ?? {}) as Readonly<Record<string, { readonly name: string }>>;
    const chosen = Object.entries(wanted).flatMap(([type, { name }]) => {
      const id = made.get(name);
      return id === undefined ? [] : [[type, { id, name }] as const];
    });
    return { ...node, credentials: Object.fromEntries(chosen) };
  });
}

function mapNodes(flow: JsonObject, change: (node: JsonObject) => JsonObject): JsonObject {
  return { ...flow, nodes: (flow['nodes'] as readonly JsonObject[]).map(change) };
}
