import {
  type INode,
  type INodeTypeDescription,
  type INodeTypes,
  type IConnections,
  NodeHelpers,
  Workflow,
} from 'n8n-workflow';
import { type Flow, type FlowNode, STICKY } from '../../lib/flows/flow';
import type { NodeTypes } from './node-types';

/** Whether every connection leads from an output to an input that exist, and every node can be reached. */
export function connectionMistakes(flow: Flow, types: NodeTypes): readonly { node: string; message: string }[] {
  const found: { node: string; message: string }[] = [];
  const byName = new Map(flow.nodes.map((node) => [node.name, node]));
  const workflow = workflowOf(flow, types);
  for (const { from, output, kind, to, input } of flow.connections) {
    const source = byName.get(from);
    const target = byName.get(to);
    if (source === undefined) found.push({ node: from, message: 'it is connected, but there is no such node' });
    if (target === undefined) found.push({ node: from, message: `it leads to "${to}", which is not there` });
    const { outputs } = sides(source, types, workflow);
    const { inputs } = sides(target, types, workflow);
    if (kind !== 'main') found.push({ node: from, message: `a connection of kind ${kind} is not checked` });
    if (output >= outputs) found.push({ node: from, message: `it has no output ${output + 1}` });
    if (input >= inputs) found.push({ node: to, message: `it has no input ${input + 1}` });
  }
  const begins = flow.nodes.filter((node) => types.find(node.type, node.typeVersion)?.group.includes('trigger'));
  const reached = reachableFrom(
    flow,
    begins.map(({ name }) => name),
  );
  for (const node of flow.nodes) {
    if (node.type !== STICKY && !reached.has(node.name)) {
      found.push({ node: node.name, message: 'nothing leads to it' });
    }
  }
  return found;
}

function workflowOf(flow: Flow, types: NodeTypes): Workflow {
  const nodeTypes = {
    getByNameAndVersion: (type: string, version = 1) => ({ description: types.find(type, version) ?? nothing }),
    getByName: () => {
      throw new Error('Nodes are looked up with their version');
    },
    getKnownTypes: () => ({}),
  } as unknown as INodeTypes;
  return new Workflow({
    id: flow.id,
    nodes: flow.nodes as unknown as INode[],
    connections: flow.raw['connections'] as unknown as IConnections,
    active: false,
    nodeTypes,
  });
}

const nothing = { properties: [], inputs: [], outputs: [] } as unknown as INodeTypeDescription;

function sides(node: FlowNode | undefined, types: NodeTypes, workflow: Workflow) {
  const description = node && types.find(node.type, node.typeVersion);
  // What is unknown is reported as such, once.
  if (node === undefined || description === undefined) return { inputs: Infinity, outputs: Infinity };
  const like = workflow.getNode(node.name);
  if (like === null) return { inputs: Infinity, outputs: Infinity };
  const main = (ends: readonly (string | { type: string })[]) =>
    ends.filter((end) => (typeof end === 'string' ? end : end.type) === 'main').length;
  const outputs = main(NodeHelpers.getNodeOutputs(workflow, like, description));
  // n8n adds the output for errors itself, and says so in the same list.
  return { inputs: main(NodeHelpers.getNodeInputs(workflow, like, description)), outputs };
}

function reachableFrom(flow: Flow, begins: readonly string[]): ReadonlySet<string> {
  const reached = new Set(begins);
  for (const name of reached) {
    for (const { from, to } of flow.connections) if (from === name) reached.add(to);
  }
  return reached;
}

/** All nodes from which something can have come when this one runs. */
export function before(flow: Flow, name: string): ReadonlySet<string> {
  const found = new Set<string>([name]);
  for (const one of found) {
    for (const { from, to } of flow.connections) if (to === one) found.add(from);
  }
  return found;
}
