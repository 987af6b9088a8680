import type { Json, JsonObject } from '../json';
import type { Flow, FlowNode } from './flow';
import { type Names, withNames } from './names';

/**
 * A flow taken apart into what can be changed by itself, by a name that stays: `node/<id>/does`, `edge/…`, `settings/…`.
 * Nodes are known by their ids, so that another name or place is just one more part.
 */
export type Parts = ReadonlyMap<string, Json>;

/** Chosen in each n8n, and nobody's edit. */
const CHOSEN_HERE = ['id', 'credentials', 'webhookId'];

export function partsOf(flow: Flow, names: Names): Parts {
  const ids = new Map(flow.nodes.map(({ id, name }) => [name, id]));
  const parts = new Map<string, Json>([['name', flow.name]]);
  for (const [name, value] of Object.entries(flow.settings)) parts.set(`settings/${name}`, value);
  for (const node of flow.nodes) {
    parts.set(nodePart(node.id), true);
    for (const [field, value] of Object.entries(fieldsOf(node))) {
      parts.set(nodePart(node.id, field), field === 'does' ? withNames(value, names) : value);
    }
  }
  for (const { from, output, kind, to, input } of flow.connections) {
    const [start, end] = [ids.get(from), ids.get(to)];
    // n8n keeps connections of nodes that are gone.
    if (start !== undefined && end !== undefined)
      parts.set(edgePart({ from: start, kind, output, to: end, input }), true);
  }
  return parts;
}

/** What a node does is one part: half an edit beside half a release would do what nobody meant. */
function fieldsOf({ raw }: FlowNode): JsonObject {
  const { type, typeVersion, parameters, ...others } = raw;
  const kept = Object.entries(others).filter(([field]) => !CHOSEN_HERE.includes(field));
  return { does: { type, typeVersion, parameters } as JsonObject, ...Object.fromEntries(kept) };
}

export interface Edge {
  readonly from: string;
  readonly kind: string;
  readonly output: number;
  readonly to: string;
  readonly input: number;
}

export function nodePart(id: string, field?: string): string {
  return field === undefined ? `node/${id}` : `node/${id}/${field}`;
}

export function edgePart({ from, kind, output, to, input }: Edge): string {
  return `edge/${from}/${kind}/${output}/${to}/${input}`;
}

/** Which kind of part a name means. */
export type Named =
  | { readonly kind: 'node'; readonly id: string; readonly field: string | undefined }
  | { readonly kind: 'edge'; readonly edge: Edge }
  | { readonly kind: 'setting'; readonly name: string }
  | { readonly kind: 'name' };

export function readPart(part: string): Named {
  const [kind = '', ...rest] = part.split('/');
  if (kind === 'node') return { kind, id: rest[0] ?? '', field: rest[1] };
  if (kind === 'settings') return { kind: 'setting', name: rest.join('/') };
  if (kind !== 'edge') return { kind: 'name' };
  const [from = '', wire = '', output = '', to = '', input = ''] = rest;
  return { kind, edge: { from, kind: wire, output: Number(output), to, input: Number(input) } };
}
