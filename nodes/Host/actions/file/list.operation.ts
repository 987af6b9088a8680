import { listDirectory } from '../../../../lib/host/files/list';
import { number, optional, schema } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { fileFacts, pathField } from './shared';

export const listDirectoryOperation = operation({
  resource: 'file',
  name: 'list',
  action: 'List a directory',
  description: 'Gives the entries of a directory, and says so when some are missing',
  effect: 'reads',
  input: {
    host: hostField,
    path: pathField,
    options: optional({
      ...hostOptions,
      depth: number({ default: 1, min: 1, max: 64, integer: true, description: 'How many levels down' }),
      maxEntries: number({
        label: 'Max Entries',
        default: 10_000,
        min: 1,
        max: 100_000,
        integer: true,
        description: 'How many entries at most',
      }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    path: schema.string(),
    complete: schema.boolean('Whether nothing below is missing from the entries'),
    cut: schema.object({
      byLimit: schema.boolean(),
      byDepth: schema.integer('Directories that were not looked into'),
      forbidden: schema.integer('Directories that this user may not list'),
      errors: schema.integer(),
    }),
    entries: schema.array(
      schema.object({
        ...fileFacts,
        name: schema.string('Relative to the directory'),
        path: schema.string(),
        nameBase64: schema.optional(schema.string('The true bytes of a name that is not UTF-8')),
        linkTarget: schema.optional(schema.string()),
        unreadable: schema.optional(schema.boolean()),
      }),
    ),
  }),
  run: async ({ input, host, runAs, task }) => {
    const { depth, maxEntries } = input.options;
    return {
      host: host.target.name,
      ...(await listDirectory(host, input.path, { depth, limit: maxEntries, runAs }, task)),
    };
  },
});
