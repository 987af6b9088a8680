import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INodeTypeDescription } from 'n8n-workflow';

/** What n8n and the pack know of nodes, by the type that flows name. */
export interface NodeTypes {
  /** Undefined when there is no such node, or not in that version. */
  readonly find: (type: string, version: number) => INodeTypeDescription | undefined;
  readonly versionsOf: (type: string) => readonly number[];
}

/** From the type files that n8n's own loader reads. */
export function readNodeTypes(packages: Readonly<Record<string, string>>): NodeTypes {
  const known = new Map<string, INodeTypeDescription[]>();
  for (const [name, folder] of Object.entries(packages)) {
    const file = join(folder, 'dist', 'types', 'nodes.json');
    if (!existsSync(file)) throw new Error(`${name} has no description of its nodes: ${file}`);
    for (const description of JSON.parse(readFileSync(file, 'utf8')) as INodeTypeDescription[]) {
      // Those of the pack come with the name of the package already, those of n8n without.
      const type = description.name.includes('.') ? description.name : `${name}.${description.name}`;
      known.set(type, [...(known.get(type) ?? []), description]);
    }
  }
  const versionsOf = (type: string) =>
    (known.get(type) ?? []).flatMap(({ version }) => version).sort((one, other) => one - other);
  return {
    versionsOf,
    find: (type, version) => known.get(type)?.find((one) => [one.version].flat().includes(version)),
  };
}
