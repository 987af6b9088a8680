import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { credentials, nodes, registration, root } from '../../../packaging/sources';
import { allCredentials, allNodes } from './allNodes';

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path.join(root, file), 'utf8')) as Record<string, unknown>;
}

test('package.json lists exactly the nodes and credentials there are', () => {
  expect(readJson('package.json')['n8n']).toEqual({ n8nNodesApiVersion: 1, strict: false, ...registration() });
});

test('every node is exported under the name of its file, which is its own name with a capital', () => {
  const names = allNodes().map(({ className, Node }) => {
    const name = Node && new Node().description.name;
    return { className, ownName: Node?.name, name: name && name.charAt(0).toUpperCase() + name.slice(1) };
  });
  expect(names).toEqual(nodes().map(({ className }) => ({ className, ownName: className, name: className })));
});

test('every credential is exported under the name of its file, which is its own name with a capital', () => {
  const names = allCredentials().map(({ className, Credential }) => {
    const name = Credential && new Credential().name;
    return { className, name: name && name.charAt(0).toUpperCase() + name.slice(1) };
  });
  expect(names).toEqual(credentials().map(({ className }) => ({ className, name: className })));
});

test('every node has a codex that names it, and its icons in light and dark', () => {
  const missing = nodes().flatMap(({ className, folder, file }, at) => {
    const icon = new (
      allNodes()[at]?.Node ??
      class {
        description = { icon: undefined };
      }
    )().description.icon;
    const icons =
      typeof icon === 'object' ? [icon.light, icon.dark].map((name) => name.replace('file:', '')) : ['(none)'];
    const absent = icons.map((name) => `${folder}/${name}`).filter((name) => !existsSync(path.join(root, name)));
    const codex = readJson(file.replace(/\.ts$/, '.json'))['node'];
    const expected = `n8n-nodes-selfhost.${className.charAt(0).toLowerCase()}${className.slice(1)}`;
    return codex === expected ? absent : [...absent, `codex of ${className}`];
  });
  expect(missing).toEqual([]);
});
