import { compareSecrets } from '../../../lib/infisical/compare';
import { reveal } from '../../../lib/infisical/secret';
import { getSecret, listSecrets, secretHistory } from '../../../lib/infisical/secrets';
import { number, optional, schema } from '../../declaration';
import {
  environmentField,
  factsOf,
  keyField,
  pathField,
  place,
  projectField,
  readOptions,
  secretFacts,
} from '../fields';
import { operation } from '../operation';

const listOperation = operation({
  resource: 'secret',
  name: 'list',
  action: 'List secrets',
  description: 'Lists the secrets of a folder: names, versions and references, no values',
  effect: 'reads',
  input: { ...place, options: optional({ recursive: readOptions.recursive, imports: readOptions.imports }) },
  output: schema.object(secretFacts),
  run: async ({ input, api, placeOf, projectOf, task }) => {
    const { recursive = false, imports = true } = input.options;
    const options = { recursive, imports, expand: false, values: false };
    const secrets = await listSecrets(api, await placeOf(input), options, task);
    const project = await projectOf(input.project);
    return secrets.map((secret) => factsOf(secret, project));
  },
});

const getOperation = operation({
  resource: 'secret',
  name: 'get',
  action: 'Get a secret',
  description: 'Reads what is known of a secret, but its value',
  effect: 'reads',
  input: { ...place, key: keyField },
  output: schema.object(secretFacts),
  run: async ({ input, api, placeOf, projectOf, task }) => {
    const secret = await getSecret(api, await placeOf(input), input.key, { expand: false, values: false }, task);
    return factsOf(secret, await projectOf(input.project));
  },
});

const getValueOperation = operation({
  resource: 'secret',
  name: 'getValue',
  action: 'Get a secret value',
  description:
    'Puts the value into the item. N8n stores it readable in its database, with every execution: where you can, use a reference or write it to a host instead.',
  effect: 'reads',
  input: { ...place, key: keyField },
  output: schema.object({ ...secretFacts, value: schema.string('Readable for everybody who sees this execution') }),
  run: async ({ input, api, placeOf, projectOf, task }) => {
    const secret = await getSecret(api, await placeOf(input), input.key, {}, task);
    return { ...factsOf(secret, await projectOf(input.project)), value: reveal(secret) };
  },
});

const historyOperation = operation({
  resource: 'secret',
  name: 'history',
  action: 'List the versions of a secret',
  description: 'Lists when a secret was changed, and whether its value changed each time; no values',
  effect: 'reads',
  input: {
    ...place,
    key: keyField,
    versions: number({ default: 10, min: 1, max: 100, integer: true, description: 'The newest so many' }),
  },
  output: schema.object({
    key: schema.string(),
    version: schema.integer(),
    updatedAt: schema.nullable(schema.string('ISO 8601 in UTC')),
    comment: schema.string(),
    valueChanged: schema.nullable(
      schema.boolean('Against the version before; null for the oldest listed, and where values are hidden'),
    ),
  }),
  run: async ({ input, api, placeOf, task }) => {
    const versions = await secretHistory(api, await placeOf(input), input.key, input.versions, task);
    return versions.map((secret, at) => {
      const { key, version, updatedAt = null, comment } = secret;
      const before = versions[at + 1];
      const unknown = before === undefined || before.hidden || secret.hidden;
      return { key, version, updatedAt, comment, valueChanged: unknown ? null : reveal(before) !== reveal(secret) };
    });
  },
});

const compareOperation = operation({
  resource: 'secret',
  name: 'compare',
  action: 'Compare two places',
  description: 'Compares the secrets of two environments or paths by name and by hash, never showing a value',
  effect: 'reads',
  input: {
    ...place,
    otherProject: { ...projectField, label: 'Other Project' },
    otherEnvironment: { ...environmentField, label: 'Other Environment' },
    otherPath: { ...pathField, label: 'Other Path' },
    options: optional({ imports: readOptions.imports, expand: readOptions.expand }),
  },
  output: schema.object({
    key: schema.string(),
    state: schema.oneOf(['same', 'different', 'only left', 'only right']),
    leftHash: schema.nullable(schema.string('Means nothing outside of this comparison')),
    rightHash: schema.nullable(schema.string()),
  }),
  run: async ({ input, api, placeOf, task }) => {
    const other = {
      project: input.otherProject,
      environment: input.otherEnvironment,
      path: input.otherPath,
    };
    const [left, right] = await Promise.all(
      [input, other].map(async (one) => listSecrets(api, await placeOf(one), input.options, task)),
    );
    return compareSecrets(left ?? [], right ?? []);
  },
});

export const secretReads = [getOperation, getValueOperation, listOperation, historyOperation, compareOperation];
