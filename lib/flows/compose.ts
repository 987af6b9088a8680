import type { Json, JsonObject } from '../json';
import type { Flow } from './flow';
import { withNames } from './names';
import { type Edge, nodePart, type Parts, readPart } from './parts';

/** A flow as n8n's API takes it. */
export type Content = {
  readonly name: string;
  readonly nodes: readonly JsonObject[];
  readonly connections: JsonObject;
  readonly settings: JsonObject;
};

/** The credential that stands for this one here, by what the release calls it. */
export type Chosen = (type: string, name: string) => { readonly id: string; readonly name: string } | undefined;

/** Puts merged parts together. What is chosen in each n8n (credentials, addresses of webhooks) stays as it is. */
export function compose(parts: Parts, mine: Flow, next: Flow, chosen: Chosen): Content {
  const former = new Map(mine.nodes.map((node) => [node.id, node]));
  const coming = new Map(next.nodes.map((node) => [node.id, node]));
  const ids = [...new Set([...former.keys(), ...coming.keys()])].filter((id) => parts.has(nodePart(id)));
  const names = finalNames(parts, ids, former);
  const nameOf = (id: string) => names.get(id) ?? id;
  // What was kept was written with the names of here, what is new with those of the release; where both mean a node, the release's.
  const final = new Map([...mine.nodes, ...next.nodes].map(({ id, name }) => [name, names.get(id) ?? name]));

  const nodes = ids.map((id): JsonObject => {
    const was = former.get(id);
    const node = (was ?? coming.get(id))?.raw ?? {};
    const fields = [...parts].flatMap(([part, value]): readonly (readonly [string, Json])[] => {
      const named = readPart(part);
      return named.kind === 'node' && named.id === id && named.field !== undefined ? [[named.field, value]] : [];
    });
    const { does, ...others } = Object.fromEntries(fields) as { readonly does: JsonObject };
    const credentials = was === undefined ? chosenFor(node['credentials'], chosen) : node['credentials'];
    return {
      id,
      ...others,
      name: nameOf(id),
      ...withNames(does, final),
      ...(credentials !== undefined && { credentials }),
      ...(node['webhookId'] !== undefined && { webhookId: node['webhookId'] }),
    };
  });
  const edges = [...parts.keys()].map(readPart).flatMap((named) => (named.kind === 'edge' ? [named.edge] : []));
  const settings = [...parts].flatMap(([part, value]): readonly (readonly [string, Json])[] => {
    const named = readPart(part);
    return named.kind === 'setting' ? [[named.name, value]] : [];
  });
  return {
    name: parts.get('name') as string,
    nodes,
    connections: connectionsOf(edges, nameOf),
    settings: Object.fromEntries(settings),
  };
}

/** Names tell nodes apart in n8n; one of the user's own keeps its name when the release brings another of that name. */
function finalNames(
  parts: Parts,
  ids: readonly string[],
  former: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const id of [...ids].sort((one, other) => Number(former.has(other)) - Number(former.has(one)))) {
    const wanted = parts.get(nodePart(id, 'name')) as string;
    let name = wanted;
    for (let count = 2; taken.has(name); count++) name = `${wanted} ${count}`;
    taken.add(name);
    names.set(id, name);
  }
  return names;
}

function connectionsOf(edges: readonly Edge[], nameOf: (id: string) => string): JsonObject {
  const connections: Record<string, Record<string, { node: string; type: string; index: number }[][]>> = {};
  for (const { from, kind, output, to, input } of edges) {
    const outputs = ((connections[nameOf(from)] ??= {})[kind] ??= []);
    while (outputs.length <= output) outputs.push([]);
    outputs[output]?.push({ node: nameOf(to), type: kind, index: input });
  }
  return connections;
}

function chosenFor(wanted: Json | undefined, chosen: Chosen): JsonObject | undefined {
  if (wanted === undefined) return undefined;
  const entries = Object.entries(wanted as Readonly<Record<string, { readonly name: string }>>).flatMap(
    ([type, { name }]) => {
      const here = chosen(type, name);
      return here === undefined ? [] : [[type, { ...here }] as const];
    },
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
