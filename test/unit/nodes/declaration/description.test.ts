import type { ILoadOptionsFunctions, INodeProperties } from 'n8n-workflow';
import { actionNode, number, operation, resource, schema, text } from '../../../../nodes/declaration';
import type { Fields } from '../../../../nodes/declaration';
import { withOperations } from '../../../../nodes/declaration/documentation';
import { sampleNode } from './sampleNode';

const { Sample } = sampleNode();

function declared(resourceName: string, name: string, input: Fields) {
  return operation({
    resource: resourceName,
    name,
    action: `${name} a ${resourceName}`,
    description: '',
    effect: 'reads',
    input,
    output: schema.object({}),
    run: () => ({}),
  });
}

function propertiesWith(operations: readonly ReturnType<typeof declared>[]): readonly INodeProperties[] {
  const names = [...new Set(operations.map((one) => one.resource))];
  const Node = actionNode({
    name: 'probe',
    displayName: 'Probe',
    description: '',
    icon: { light: 'file:x.svg', dark: 'file:x.dark.svg' },
    resources: names.map((name) =>
      resource({ name, label: name, operations: operations.filter((one) => one.resource === name) }),
    ),
    context: () => ({}),
  });
  return new Node().description.properties;
}

const input = (properties: readonly INodeProperties[]) =>
  properties
    .filter(({ name }) => !['resource', 'operation', 'runOptions'].includes(name))
    .map(({ name, displayOptions }) => [name, displayOptions?.show]);

test('the class is called like its file, so that the loader of n8n finds it', () => {
  expect(Sample.name).toBe('Sample');
  expect(new Sample().constructor.name).toBe('Sample');
});

test('every instance has its own description, because n8n writes into it', () => {
  new Sample().description.icon = undefined as never;
  expect(new Sample().description.icon).toEqual({ light: 'file:sample.svg', dark: 'file:sample.dark.svg' });
});

test('what every node has comes from the declaration', () => {
  const { properties, ...rest } = new Sample().description;
  expect(rest).toEqual({
    displayName: 'Sample',
    name: 'sample',
    icon: { light: 'file:sample.svg', dark: 'file:sample.dark.svg' },
    group: ['transform'],
    version: 1,
    subtitle: '={{ $parameter["operation"] + ": " + $parameter["resource"] }}',
    description: 'Work on parts',
    defaults: { name: 'Sample' },
    usableAsTool: true,
    inputs: ['main'],
    outputs: ['main'],
    credentials: [{ name: 'selfhostSample', required: true }],
  });
  expect(properties.slice(0, 2)).toEqual([
    {
      displayName: 'Resource',
      name: 'resource',
      type: 'options',
      noDataExpression: true,
      options: [
        { name: 'File', value: 'file' },
        { name: 'Part', value: 'part' },
      ],
      default: 'part',
    },
    {
      displayName: 'Operation',
      name: 'operation',
      type: 'options',
      noDataExpression: true,
      displayOptions: { show: { resource: ['part'] } },
      options: [
        { name: 'Make', value: 'make', description: 'Makes a part, unless there is one', action: 'Make a part' },
        { name: 'Read', value: 'read', description: 'Says what is known of a part', action: 'Read a part' },
        { name: 'Scrap', value: 'scrap', description: 'Throws a part away for good', action: 'Scrap a part' },
      ],
      default: 'read',
    },
  ]);
});

describe('a field that operations share', () => {
  test('is one property, shown for exactly the operations that use it', () => {
    const host = text({ required: true });
    const properties = propertiesWith([
      declared('file', 'read', { host, path: text() }),
      declared('file', 'write', { host, path: text(), content: text({ multiline: true }) }),
      declared('file', 'list', { host }),
    ]);
    expect(input(properties)).toEqual([
      ['host', undefined],
      ['path', { operation: ['read', 'write'] }],
      ['content', { operation: ['write'] }],
    ]);
  });

  test('is one property each where its form differs', () => {
    const properties = propertiesWith([
      declared('job', 'start', { count: number({ default: 1 }) }),
      declared('job', 'stop', { count: number({ default: 2 }) }),
    ]);
    expect(input(properties)).toEqual([
      ['count', { operation: ['start'] }],
      ['count', { operation: ['stop'] }],
    ]);
  });

  test('is never shown for an operation of the same name elsewhere that does not use it', () => {
    const properties = propertiesWith([
      declared('file', 'read', { path: text() }),
      declared('file', 'list', { path: text() }),
      declared('job', 'read', {}),
      declared('job', 'list', { path: text() }),
    ]);
    expect(input(properties)).toEqual([
      ['path', { resource: ['file'] }],
      ['path', { resource: ['job'], operation: ['list'] }],
    ]);
  });

  test('stands between the neighbours it has in its own operation', () => {
    const properties = propertiesWith([
      declared('file', 'read', { host: text(), path: text() }),
      declared('file', 'copy', { source: text(), host: text(), mode: text(), path: text() }),
    ]);
    expect(input(properties).map(([name]) => name)).toEqual(['source', 'host', 'mode', 'path']);
  });
});

test('a hidden field is tied to the field that shows it', () => {
  const colour = new Sample().description.properties.find(({ name }) => name === 'colour');
  expect(colour?.displayOptions).toEqual({ show: { resource: ['part'], operation: ['make'], finish: ['painted'] } });
});

test('a list search is a method of the node, and gives pages', async () => {
  const tools = new Sample().methods?.listSearch?.['tools'];
  await expect(tools?.call({} as ILoadOptionsFunctions, 'ham')).resolves.toEqual({
    results: [{ name: 'Hammer', value: 'hammer' }],
    paginationToken: 'page-2',
  });
});

test('an operation listed under another resource is refused when the node is made', () => {
  expect(() => resource({ name: 'file', label: 'File', operations: [declared('job', 'read', {})] })).toThrow(
    'Operation read says resource job, but is listed under file',
  );
});

test('the docs page keeps what people wrote, and its operations are made new', () => {
  const page = withOperations('# Sample\n\nWritten by hand.\n', Sample.declaration);
  expect(page).toContain('Written by hand.');
  expect(page).toContain('**Make** `part.make`');
  expect(page).toContain('creates, has a dry run');
  expect(page).toContain('destroys, AI agents need an approval');
  expect(withOperations(page, Sample.declaration)).toBe(page);
});
