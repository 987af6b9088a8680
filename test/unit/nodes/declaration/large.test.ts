import { NodeHelpers } from 'n8n-workflow';
import type { INode } from 'n8n-workflow';
import { actionNode, number, operation, resource, schema, text } from '../../../../nodes/declaration';

// What a node grows to: 10 resources of 22 operations with 6 fields each.
const resources = Array.from({ length: 10 }, (_, one) => {
  const name = `thing${one}`;
  const operations = Array.from({ length: 22 }, (_empty, other) =>
    operation({
      resource: name,
      name: `do${other}`,
      action: `Do ${other}`,
      description: 'Does it',
      effect: 'reads',
      input: {
        host: text(),
        path: text({ required: true }),
        timeout: number({ default: 10 }),
        name: text(),
        reason: text(),
        [`special${other % 3}`]: text(),
      },
      output: schema.object({}),
      run: () => ({}),
    }),
  );
  return resource({ name, label: name, operations });
});

const Large = actionNode({
  name: 'large',
  displayName: 'Large',
  description: 'Large',
  icon: { light: 'file:x.svg', dark: 'file:x.dark.svg' },
  resources,
  context: () => ({}),
});

test('hundreds of operations that share their fields stay a handful of properties', () => {
  const { properties } = new Large().description;
  const fields = properties.filter(({ name }) => !['resource', 'operation', 'runOptions'].includes(name));
  expect(fields.map(({ name, displayOptions }) => [name, displayOptions?.show?.['operation']?.length])).toEqual([
    ['host', undefined],
    ['path', undefined],
    ['timeout', undefined],
    ['name', undefined],
    ['reason', undefined],
    ['special0', 8],
    ['special1', 7],
    ['special2', 7],
  ]);
});

test('n8n resolves each operation of it to exactly the fields that were declared', () => {
  const { description } = new Large();
  const node: INode = { id: '1', name: 'L', type: 'large', typeVersion: 1, position: [0, 0], parameters: {} };
  const chosen = { resource: 'thing7', operation: 'do4', path: '/etc' };
  const resolved = NodeHelpers.getNodeParameters(description.properties, chosen, true, false, node, description);
  expect(resolved).toEqual({
    resource: 'thing7',
    operation: 'do4',
    host: '',
    path: '/etc',
    timeout: 10,
    name: '',
    reason: '',
    special1: '',
    runOptions: {},
  });
});
