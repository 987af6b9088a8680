import { operation, schema } from '../../../../nodes/declaration';

const host = schema.object(
  {
    name: schema.string('As pinned'),
    port: schema.integer(),
    state: schema.oneOf(['up', 'down']),
    load: schema.nullable(schema.number()),
    labels: schema.record(schema.string()),
    disks: schema.array(schema.object({ path: schema.string(), full: schema.boolean() })),
    note: schema.optional(schema.string()),
    raw: schema.anything(),
  },
  'A host',
);

const bruno = {
  name: 'bruno',
  port: 22,
  state: 'up',
  load: null,
  labels: { role: 'db' },
  disks: [{ path: '/', full: false }],
  raw: { any: ['thing', 1] },
};

test('a schema renders as the JSON schema that n8n shows', () => {
  expect(host.json).toEqual({
    type: 'object',
    description: 'A host',
    additionalProperties: false,
    required: ['name', 'port', 'state', 'load', 'labels', 'disks', 'raw'],
    properties: {
      name: { type: 'string', description: 'As pinned' },
      port: { type: 'integer' },
      state: { type: 'string', enum: ['up', 'down'] },
      load: { type: ['number', 'null'] },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
      disks: {
        type: 'array',
        items: {
          type: 'object',
          properties: { path: { type: 'string' }, full: { type: 'boolean' } },
          required: ['path', 'full'],
          additionalProperties: false,
        },
      },
      note: { type: 'string' },
      raw: {},
    },
  });
});

test('a value of the declared shape matches, with and without what is optional', () => {
  expect(() => schema.assertMatches(host, bruno)).not.toThrow();
  expect(() => schema.assertMatches(host, { ...bruno, note: 'x' })).not.toThrow();
});

test('every difference is named with its path', () => {
  const wrong = { ...bruno, port: 22.5, state: 'gone', disks: [{ path: 1 }], raw: undefined, extra: 1, load: 'x' };
  expect(() => schema.assertMatches(host, wrong)).toThrow(
    [
      'The value does not fit its schema:',
      '- output.extra is not in the schema',
      '- output.port must be a whole number, and is the number 22.5',
      '- output.state must be one of up, down, and is the string "gone"',
      '- output.load must be a number, and is the string "x"',
      '- output.disks[0].path must be text, and is the number 1',
      '- output.disks[0].full is missing',
      '- output.raw is missing',
    ].join('\n'),
  );
});

test('what run returns must have the declared type', () => {
  const declared = operation({
    resource: 'host',
    name: 'read',
    action: 'Read a host',
    description: 'Reads a host',
    effect: 'reads',
    input: {},
    output: schema.object({ port: schema.integer() }),
    // @ts-expect-error the schema says that port is a number
    run: () => ({ port: 'twenty-two' }),
  });
  expect(schema.object({}).problems({ port: 'x' }, 'output')).toEqual(['output.port is not in the schema']);
  expect(declared.output.problems({ port: 'twenty-two' }, 'output')).toHaveLength(1);
});
