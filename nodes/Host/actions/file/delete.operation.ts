import { deleteFile } from '../../../../lib/host/files/delete';
import { optional, schema, toggle } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { fileFacts, pathField } from './shared';

export const deleteFileOperation = operation({
  resource: 'file',
  name: 'delete',
  action: 'Delete a file',
  description: 'Removes a file, or a directory with all that is in it when that is asked for',
  effect: 'destroys',
  dryRun: true,
  input: {
    host: hostField,
    path: pathField,
    options: optional({
      ...changeOptions,
      recursive: toggle({ description: 'Whether a directory goes, with all that is in it' }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    path: schema.string(),
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    before: schema.optional(schema.object(fileFacts)),
    entries: schema.integer('How many files and directories went, or would go'),
  }),
  run: async ({ input, host, runAs, task }) => {
    const wanted = { recursive: input.options.recursive, dryRun: input.dryRun, runAs };
    return { host: host.target.name, dryRun: input.dryRun, ...(await deleteFile(host, input.path, wanted, task)) };
  },
});
